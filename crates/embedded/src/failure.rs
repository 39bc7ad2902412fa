//! A write or sync that failed: nothing is known of what is on the disk, so the process must stop.

use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use tokio::sync::watch;

/// Why a home can no longer be written to. The process has to end: only opening the directory
/// again shows what is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(Arc<str>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// Runs this; a panic of it is a failure like any other, and said in words.
pub(crate) fn contained<E: fmt::Display>(
    run: impl FnOnce() -> Result<(), E>,
) -> Result<(), String> {
    match panic::catch_unwind(AssertUnwindSafe(run)) {
        Ok(ended) => ended.map_err(|error| error.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(format!("a panic: {}", text.unwrap_or_default()))
        }
    }
}

/// Remembers the first failure and tells who waits for one.
#[derive(Debug)]
pub(crate) struct Failures(watch::Sender<Option<Failure>>);

impl Failures {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// It has failed; only the first time counts.
    pub(crate) fn report(&self, why: &str) {
        self.0.send_if_modified(|failure| {
            if failure.is_some() {
                return false;
            }
            tracing::error!(why, "home_failed");
            *failure = Some(Failure(why.into()));
            true
        });
    }

    pub(crate) fn now(&self) -> Option<Failure> {
        self.0.borrow().clone()
    }

    /// Waits for the first failure.
    pub(crate) async fn first(&self) -> Failure {
        let mut failures = self.0.subscribe();
        loop {
            if let Some(failure) = failures.borrow_and_update().clone() {
                return failure;
            }
            // The sender lives as long as `self`, so this only ever ends by a change.
            if failures.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
