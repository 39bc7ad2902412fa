//! The finisher of a lane: publishes the events of settled batches in order, keeps dead letters
//! and snapshots, then saves the progress. There is no other order.

use std::sync::Arc;

use ordain_model::{AggregateKey, Commit, Snapshot};
use ordain_ports::{DeadLetter, Lane as _};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::Ports;
use crate::lane::{LaneEnd, persist};
use crate::measured::Measured;
use crate::traced;

/// A settled batch, or several, to be finished.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// Commits whose events are to be published, per aggregate in the order of revisions.
    pub(crate) commits: Vec<Arc<Commit>>,
    /// Dead letters to be kept.
    pub(crate) letters: Vec<DeadLetter>,
    /// Snapshots to be stored. Their events are published before.
    pub(crate) snapshots: Vec<Snapshot>,
    /// Everything below this offset is settled.
    pub(crate) progress: u64,
}

impl Settled {
    fn merge(&mut self, next: Self) {
        self.commits.extend(next.commits);
        self.letters.extend(next.letters);
        self.snapshots.extend(next.snapshots);
        self.progress = self.progress.max(next.progress);
    }
}

/// That a snapshot is stored: of which aggregate, as of which revision.
pub(crate) type SnapshotStored = (AggregateKey, u64);

/// Finishes the batches of one lane, in order.
pub(crate) struct Finisher {
    pub(crate) ports: Ports,
    pub(crate) lane: Arc<Measured>,
    pub(crate) retry_ms_max: u64,
    pub(crate) settled: mpsc::Receiver<Settled>,
    pub(crate) snapshots_stored: mpsc::Sender<SnapshotStored>,
}

impl Finisher {
    /// Works until the lane has handed over its last batch, or the right to finish is lost.
    pub(crate) async fn run(mut self) -> Result<(), LaneEnd> {
        let mut saved = self.lane.progress();
        while let Some(mut settled) = self.settled.recv().await {
            while let Ok(next) = self.settled.try_recv() {
                settled.merge(next);
            }
            self.finish(settled, &mut saved).await?;
        }
        Ok(())
    }

    async fn finish(&self, settled: Settled, saved: &mut Option<u64>) -> Result<(), LaneEnd> {
        if saves_progress_first() {
            self.save_progress(settled.progress, saved).await?;
        }
        fail::fail_point!("C7");
        fail::fail_point!("Z2");
        self.publish_in_parts(&settled).await?;
        self.publish(&settled).await?;
        fail::fail_point!("C9");
        let (progress, snapshots) = tokio::join!(
            self.save_progress(settled.progress, saved),
            self.save_snapshots(settled.snapshots)
        );
        progress?;
        fail::fail_point!("C10");
        snapshots
    }

    /// In builds with crash points: stands between two events of one command, with the first
    /// published and the second not, as a log may leave them that takes one event at a time.
    async fn publish_in_parts(&self, settled: &Settled) -> Result<(), LaneEnd> {
        let several = |commit: &Arc<Commit>| commit.events.len() > 1;
        let Some(at) = settled.commits.iter().position(several) else { return Ok(()) };
        if !fail::has_failpoints() {
            return Ok(());
        }
        let mut first: Vec<Arc<Commit>> = settled.commits.iter().take(at + 1).cloned().collect();
        if let Some(last) = first.last_mut() {
            Arc::make_mut(last).events.truncate(1);
        }
        let publish = || self.ports.events.publish(&first);
        persist(&self.lane, self.retry_ms_max, "publish", publish).await?;
        fail::fail_point!("C8");
        Ok(())
    }

    async fn publish(&self, settled: &Settled) -> Result<(), LaneEnd> {
        let (ports, max) = (&self.ports, self.retry_ms_max);
        let publish = async {
            if settled.commits.is_empty() {
                return Ok(());
            }
            let begun = traced::publishing(&settled.commits, ports);
            persist(&self.lane, max, "publish", || ports.events.publish(&settled.commits)).await?;
            if let Some(begun) = begun {
                traced::published(&settled.commits, ports, begun);
            }
            Ok(())
        };
        let letters = async {
            if settled.letters.is_empty() {
                return Ok(());
            }
            metrics::counter!("ordain_engine_dead_letters").increment(settled.letters.len() as u64);
            let put = || ports.dead_letters.put(settled.letters.clone());
            persist(&self.lane, max, "put dead letters", put).await
        };
        let (published, put) = tokio::join!(publish, letters);
        published.and(put)
    }

    async fn save_progress(&self, progress: u64, saved: &mut Option<u64>) -> Result<(), LaneEnd> {
        if saved.unwrap_or(0) >= progress {
            return Ok(());
        }
        let save = || self.lane.save(progress);
        persist(&self.lane, self.retry_ms_max, "save progress", save).await?;
        *saved = Some(progress);
        Ok(())
    }

    async fn save_snapshots(&self, snapshots: Vec<Snapshot>) -> Result<(), LaneEnd> {
        if snapshots.is_empty() {
            return Ok(());
        }
        let stored: Vec<SnapshotStored> =
            snapshots.iter().map(|s| (s.aggregate.clone(), s.revision)).collect();
        let published: Vec<(AggregateKey, u64)> =
            snapshots.iter().map(|s| (s.aggregate.clone(), s.sequence)).collect();
        let (port, max) = (&self.ports.snapshots, self.retry_ms_max);
        let mark = || port.save_published(published.clone());
        persist(&self.lane, max, "save published", mark).await?;
        let save = || port.save(snapshots.clone());
        persist(&self.lane, max, "save snapshots", save).await?;
        for snapshot in stored {
            // Waiting for room could be for ever, for the lane may wait for this finisher.
            if let Err(TrySendError::Full((key, _))) = self.snapshots_stored.try_send(snapshot) {
                let why = format!("no room for the news that the snapshot of {key} is stored");
                return Err(LaneEnd::Alarm(why));
            }
            // The lane may have ended; then nobody waits for the news.
        }
        Ok(())
    }
}

/// The wrong variant saves the progress before the events are published.
fn saves_progress_first() -> bool {
    fail::fail_point!("broken-progress-before-publishing", |_| true);
    false
}
