//! What becomes of events whose records are gone from the log: they are taken from the commits.

use std::time::Duration;

use ordain_model::AggregateKey;
use ordain_ports::{Gone, Position, partition_of};
use tokio::time::Instant;
use tracing::{info, warn};

use super::batch::{Batch, Blocked};
use super::follower::Follower;
use super::held::Lost;

/// So many aggregates are looked at in one step; each may have a long history to be read.
const AGGREGATES_AT_ONCE: usize = 100;
/// How often a lane that goes through the commits says how far it is.
const TELL_EVERY: Duration = Duration::from_secs(10);

impl Follower {
    /// Folds, from the commits, what this lane's aggregates have and the view has not. What stood
    /// in the records that are gone was published, so its commits are there; which aggregates
    /// those were nobody knows any more, so all are gone through. Where commits are missing, what
    /// is found in one walk shares a place in the log, and of it one dead letter.
    pub(super) async fn recover(&mut self, gone: Gone) -> Result<Option<Blocked>, Lost> {
        let (view, partition) = (self.view.name(), self.held.lane.partition());
        let Gone { from, to, partitions } = gone;
        warn!(view, partition, from, to, "view_events_gone");
        let position = Position { partition, offset: from };
        let (mut before, mut seen, mut told) = (None, 0_usize, Instant::now());
        loop {
            let page = self.aggregates(before.as_ref()).await?;
            let Some((last, _)) = page.last() else { break };
            before = Some(last.clone());
            seen += page.len();
            let own = |key: &AggregateKey| partition_of(key, partitions) == partition;
            let page = page.into_iter().filter(|(aggregate, _)| own(aggregate));
            let now = self.ports.clock.now();
            let batch = Batch::of_gone(self.view.as_ref(), now, position, page);
            if let Some(blocked) = self.project(batch, 0).await? {
                return Ok(Some(blocked));
            }
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                info!(view, partition, seen, at = ?before, "view_recovers_from_commits");
            }
        }
        info!(view, partition, seen, "view_recovered_from_commits");
        self.done(to, 0).await?;
        self.save().await?;
        Ok(None)
    }

    /// The next aggregates before this one that have commits.
    async fn aggregates(
        &self,
        before: Option<&AggregateKey>,
    ) -> Result<Vec<(AggregateKey, u64)>, Lost> {
        if self.held.lane.is_revoked() {
            return Err(Lost);
        }
        let read = || self.ports.commits.aggregates(before, AGGREGATES_AT_ONCE);
        self.held.tried("reading aggregates", read).await
    }
}
