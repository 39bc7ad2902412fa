//! A lane as long as it is held: every wait for a port ends when the lane is lost.

use ordain_ports::{Action, Error, Lane, Published};
use tracing::{error, warn};

use crate::backoff::Backoff;

/// The lane belongs to another member now, or to nobody: forget everything and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lost;

/// A lane as long as it is held.
pub(super) struct Held {
    pub(super) lane: Box<dyn Lane<Published>>,
    view: &'static str,
    retry_ms_max: u64,
}

impl Held {
    pub(super) fn new(
        lane: Box<dyn Lane<Published>>,
        view: &'static str,
        retry_ms_max: u64,
    ) -> Self {
        Self { lane, view, retry_ms_max }
    }

    pub(super) fn backoff(&self) -> Backoff {
        Backoff::new(self.retry_ms_max)
    }

    /// Calls a port until it answers, however often that takes.
    pub(super) async fn tried<T, F>(
        &self,
        what: &'static str,
        mut call: impl FnMut() -> F,
    ) -> Result<T, Lost>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut backoff = self.backoff();
        loop {
            match call().await {
                Ok(answer) => return Ok(answer),
                Err(failed) => self.after(what, &failed, &mut backoff).await?,
            }
        }
    }

    /// What follows a failed call: the end, or a pause before the next one.
    pub(super) async fn after(
        &self,
        what: &'static str,
        failed: &Error,
        backoff: &mut Backoff,
    ) -> Result<(), Lost> {
        let (view, partition) = (self.view, self.lane.partition());
        match failed.action() {
            Action::Stop => return Err(Lost),
            Action::TryAgain => warn!(view, partition, what, %failed, "view_port_retried"),
            Action::GiveUp | Action::CallPerson => {
                error!(view, partition, what, %failed, "view_port_broken");
            }
        }
        self.pause(backoff).await
    }

    /// A pause, if the lane is still held behind it.
    pub(super) async fn pause(&self, backoff: &mut Backoff) -> Result<(), Lost> {
        backoff.pause().await;
        if self.lane.is_revoked() { Err(Lost) } else { Ok(()) }
    }
}
