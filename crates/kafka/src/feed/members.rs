//! The members that a process has, for whoever waits until all have left their groups.

use std::sync::Arc;

use tokio::sync::watch;

/// Counts members. Clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Members(Arc<watch::Sender<usize>>);

/// One member, until it is dropped.
pub(crate) struct Counted(Members);

impl Members {
    /// One more.
    pub(crate) fn one(&self) -> Counted {
        self.0.send_modify(|members| *members += 1);
        Counted(self.clone())
    }

    /// Waits until there is none.
    pub(crate) async fn gone(&self) {
        // The sender lives in this very counter, so waiting cannot fail.
        drop(self.0.subscribe().wait_for(|members| *members == 0).await);
    }
}

impl Default for Members {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.send_modify(|members| *members -= 1);
    }
}
