//! A partition that a member has: where its records come from, and the lane that reads it.

use std::sync::Arc;
use std::time::Instant;

use rdkafka::consumer::base_consumer::PartitionQueue;

use super::clerk::Stand;
use super::handover::Handover;
use super::lane::Hold;

/// A partition that a member has.
pub(crate) struct Slot<R> {
    /// Its records. What is not taken from it makes the driver fetch no more.
    pub(crate) queue: PartitionQueue<Handover>,
    /// Where it stood when it came, with the progress that is saved by now.
    pub(crate) stand: Stand,
    /// The offset that the lane expects next.
    pub(crate) next: u64,
    pub(crate) lane: Seat<R>,
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
