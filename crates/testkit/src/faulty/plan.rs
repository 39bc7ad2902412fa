//! A plan: which fault the next call meets.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ordain_model::{Commit, RequestId};
use ordain_ports::{Action, Error};

/// Faults in the order in which calls meet them, each once. A fault may wait for the call that
/// carries a certain request.
#[derive(Debug)]
pub(crate) struct Plan<F>(Mutex<VecDeque<(Option<RequestId>, F)>>);

impl<F> Plan<F> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(VecDeque::new()))
    }

    pub(crate) fn add(&self, only_with: Option<RequestId>, fault: F) {
        lock(&self.0).push_back((only_with, fault));
    }

    /// The fault that a call with these commits meets, if any.
    pub(crate) fn take(&self, commits: &[std::sync::Arc<Commit>]) -> Option<F> {
        let mut faults = lock(&self.0);
        let carried = |request: &RequestId| commits.iter().any(|c| c.request == *request);
        let at = faults.iter().position(|(only, _)| only.as_ref().is_none_or(carried))?;
        faults.remove(at).map(|(_, fault)| fault)
    }

    pub(crate) fn is_done(&self) -> bool {
        lock(&self.0).is_empty()
    }
}

/// A test that panicked while it held the lock must not hide its own message behind another.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The error that a planned fault gives.
pub(crate) fn planned(action: Action) -> Error {
    Error::new(action, "planned by the test")
}
