//! What became of a command, for whoever asks later: its outcome, that it is not decided, or that
//! it is not known here, which is only said once it is certain.

use std::sync::Arc;
use std::time::Duration;

use fail::fail_point;
use ordain_model::{AggregateKey, Commit, RequestId};
use ordain_ports::{CommandLog, Error, Outcomes};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::SubmitLimits;
use crate::submit::Owners;

/// What is known of a command.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Found {
    /// What became of it.
    Outcome(Arc<Commit>),
    /// It may have been accepted; the workers have not come as far as the log went.
    Pending(Behind),
    /// Nothing was accepted under this id until the question was asked.
    Unknown,
}

/// How far the workers are behind the end that the log had when the question was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Behind {
    /// Records that are not done.
    pub(crate) records: u64,
    /// Milliseconds for which the oldest of them has waited, as far as that is known, and at least
    /// those for which the question has.
    pub(crate) ms: u64,
}

/// Asks for outcomes.
pub(crate) struct Questions<'a> {
    /// Where commands stand.
    pub(crate) log: &'a dyn CommandLog,
    /// Where outcomes are stored.
    pub(crate) outcomes: &'a dyn Outcomes,
    /// How long records have waited.
    pub(crate) owners: &'a Owners,
    /// How often to look.
    pub(crate) limits: &'a SubmitLimits,
    /// Ends every wait.
    pub(crate) over: &'a CancellationToken,
}

impl Questions<'_> {
    /// What became of the command, waiting so long at most for it to be known.
    ///
    /// # Errors
    /// Log or store cannot be read at the moment.
    pub(crate) async fn ask(
        &self,
        id: (AggregateKey, RequestId),
        wait: Duration,
    ) -> Result<Found, Error> {
        let begun = Instant::now();
        let id = [id];
        if let Some(commit) = self.find(&id).await? {
            return Ok(Found::Outcome(commit));
        }
        // Whatever was accepted before the question lies below these.
        let ends = self.log.ends().await?;
        let mut pause = Duration::from_millis(self.limits.outcome_poll_ms_first.max(1));
        loop {
            let progress = self.log.progress().await?;
            // Only a look that begins after the workers have passed the ends proves anything.
            if let Some(commit) = self.find(&id).await? {
                return Ok(Found::Outcome(commit));
            }
            if have_passed(&ends, &progress) {
                return Ok(Found::Unknown);
            }
            let left = wait.saturating_sub(begun.elapsed());
            if left.is_zero() || self.over.is_cancelled() {
                let behind = begun.elapsed().max(self.owners.table().oldest());
                let ms = u64::try_from(behind.as_millis()).unwrap_or(u64::MAX);
                return Ok(Found::Pending(Behind { records: missing(&ends, &progress), ms }));
            }
            tokio::select! {
                () = sleep(pause.min(left)) => {}
                () = self.over.cancelled() => {}
            }
            pause = (pause * 2).min(Duration::from_millis(self.limits.outcome_poll_ms_max.max(1)));
        }
    }

    async fn find(&self, id: &[(AggregateKey, RequestId)]) -> Result<Option<Arc<Commit>>, Error> {
        Ok(self.outcomes.find(id).await?.pop().flatten())
    }
}

/// Whether every partition is empty or done up to its end. Every one: after the partition count
/// was raised, the command may stand in any of them.
fn have_passed(ends: &[u64], progress: &[Option<u64>]) -> bool {
    fail_point!("broken-unknown-before-progress", |_| true);
    missing(ends, progress) == 0
}

/// How many records below the ends are not known to be done.
fn missing(ends: &[u64], progress: &[Option<u64>]) -> u64 {
    let done = progress.iter().copied().chain(std::iter::repeat(None));
    ends.iter().zip(done).map(|(end, done)| end.saturating_sub(done.unwrap_or(0))).sum()
}

#[cfg(test)]
mod tests;
