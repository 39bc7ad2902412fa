//! A clock that stands still until the test turns it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ordain_model::Timestamp;
use ordain_ports::Clock;

/// Shows what the test has set. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct Manual(Arc<AtomicI64>);

impl Manual {
    /// A clock that shows this time.
    #[must_use]
    pub fn at(time: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(time.nanoseconds())))
    }

    /// Turns it to this time, forward or back.
    pub fn set(&self, time: Timestamp) {
        self.0.store(time.nanoseconds(), Ordering::SeqCst);
    }

    /// Turns it forward.
    pub fn advance_ms(&self, milliseconds: u32) {
        self.0.fetch_add(i64::from(milliseconds) * 1_000_000, Ordering::SeqCst);
    }
}

#[deny(clippy::missing_trait_methods)]
impl Clock for Manual {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanoseconds(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_shows_what_was_set() {
        let clock = Manual::at(Timestamp::from_nanoseconds(7));
        let same = clock.clone();
        clock.advance_ms(2);
        assert_eq!(same.now(), Timestamp::from_nanoseconds(2_000_007));
        clock.set(Timestamp::default());
        assert_eq!(same.now(), Timestamp::default());
    }
}
