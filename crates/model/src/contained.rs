//! Runs code that may panic, a rule or a view, so that only its own command or record is lost.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static IS_CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// What a panic said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panicked(String);

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Panicked {}

/// Runs this; a panic of it ends here. What it was changing when it panicked may be half changed:
/// the caller throws that away.
///
/// # Errors
/// It panicked.
pub fn contain<T>(run: impl FnOnce() -> T) -> Result<T, Panicked> {
    let outer = IS_CONTAINED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(run));
    IS_CONTAINED.set(outer);
    result.map_err(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        Panicked(text.unwrap_or("a panic that says nothing").to_owned())
    })
}

/// Whether what runs on this thread is contained: its panics cost nobody else, and who reports
/// them must not make others wait.
#[must_use]
pub fn is_contained() -> bool {
    IS_CONTAINED.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_here_and_is_told_in_its_words() {
        assert_eq!(contain(|| 7), Ok(7));
        let told = contain::<()>(|| panic!("{} words", 2));
        assert_eq!(told, Err(Panicked("2 words".to_owned())));
        let told = contain::<()>(|| std::panic::panic_any(7));
        assert_eq!(told, Err(Panicked("a panic that says nothing".to_owned())));
    }

    #[test]
    fn only_what_runs_inside_is_contained() {
        assert!(!is_contained());
        let inside = contain(|| {
            assert!(contain::<()>(|| panic!("inside")).is_err());
            is_contained()
        });
        assert_eq!((inside, is_contained()), (Ok(true), false));
    }
}
