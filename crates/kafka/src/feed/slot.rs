//! A partition that a member has: where its records come from, and the lane that reads it.

use std::sync::Arc;
use std::time::Instant;

use rdkafka::consumer::base_consumer::PartitionQueue;

use super::handover::Handover;
use super::lane::Hold;
use super::thread::{Run, next_lane};
use crate::record::Recorded;

/// A partition that a member has.
pub(crate) struct Slot<R> {
    /// Its records. What is not taken from it makes the driver fetch no more.
    pub(crate) queue: PartitionQueue<Handover>,
    /// The progress that is saved.
    pub(crate) saved: Option<u64>,
    /// The offset that the lane expects next.
    pub(crate) next: u64,
    pub(crate) lane: Seat<R>,
    /// When its lane is to be told where the partition begins, as long as it was not.
    pub(crate) ask_begin: Option<Instant>,
}

/// Who reads a partition.
pub(crate) enum Seat<R> {
    /// This lane.
    Taken(Arc<Hold<R>>),
    /// Nobody; what was read of it is to be read again by the next, not before this time.
    Free(Instant),
    /// Nobody yet: the driver is going back to the saved progress.
    Seeking,
}

impl<R: Recorded> Slot<R> {
    pub(crate) fn new(queue: PartitionQueue<Handover>, saved: Option<u64>, lane: Seat<R>) -> Self {
        Self { queue, saved, next: saved.unwrap_or(0), lane, ask_begin: None }
    }

    /// Gives a lane of it out, which begins at what is saved. Where others have what is gone from
    /// the log, the lane is told where the partition begins; a worker could do nothing about it,
    /// and has no question put before its own.
    pub(crate) fn give(&mut self, partition: u32, run: &Run<R>) {
        self.next = self.saved.unwrap_or(0);
        let hold = Arc::new(Hold::new(next_lane(), (partition, run.partitions), self.saved));
        self.lane = Seat::Taken(Arc::clone(&hold));
        self.ask_begin = (!R::IS_SOLE).then(Instant::now);
        run.desk.offer(&hold);
    }
}

impl<R> Slot<R> {
    /// The lane, if there is one.
    pub(crate) fn hold(&self) -> Option<&Arc<Hold<R>>> {
        match &self.lane {
            Seat::Taken(hold) => Some(hold),
            Seat::Free(_) | Seat::Seeking => None,
        }
    }

    /// The lane of this number, if it still counts.
    pub(crate) fn counting(&self, lane: u64) -> bool {
        self.hold().is_some_and(|hold| hold.id == lane && !hold.is_fenced())
    }

    /// Whether nobody is left who may save.
    pub(crate) fn is_let_go(&self) -> bool {
        match &self.lane {
            Seat::Taken(hold) => hold.is_fenced(),
            Seat::Free(_) => true,
            // The driver must not be told twice about one partition at a time.
            Seat::Seeking => false,
        }
    }
}
