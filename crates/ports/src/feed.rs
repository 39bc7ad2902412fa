//! A feed: a member's share of a topic. A lane: one partition of it.

use async_trait::async_trait;
use ordain_model::{AggregateKey, RequestId, Timestamp};

use crate::{Error, Position};

/// A member's share of a topic. Members of one group share its partitions.
///
/// # Contract
/// 1. At any time every partition has at most one lane that is not revoked; while there are
///    members, every partition gets one, within a bounded time.
/// 2. A lane begins at the saved progress of its partition; from offset 0 when none was saved,
///    never from the end.
/// 3. A lane gives its records in the order of their offsets, without gap among those that the
///    log still has; where some were deleted before the lane gave them, it says so before it goes
///    on, and a lane of events says it at its begin also when none is left behind them. What it
///    said to be gone it may give nevertheless. An event is durable; a command may
///    become so later, see contract 4 of [`CommandLog`](crate::CommandLog).
/// 4. When a member joins or leaves, lanes move: the old one reads `Revoked` and may still save
///    progress until it is dropped or the bound for revoking has passed; the new one is not given
///    out before that. Past the bound the old lane is fenced.
/// 5. Saving through a fenced lane fails with [`Action::Stop`](crate::Action::Stop) and changes
///    nothing.
/// 6. Saved progress is durable, survives a restart and never goes back.
/// 7. When the partition count was raised, the new partitions get lanes and are read from 0.
/// 8. Dropping a feed without `leave` is a crash: its lanes are fenced and move.
#[async_trait]
pub trait Feed<R>: Send {
    /// The next lane that this member was given; `None` once it has left. Safe to cancel.
    async fn lane(&mut self) -> Result<Option<Box<dyn Lane<R>>>, Error>;

    /// Leaves the group: all lanes of this member read `Revoked` next, and move once dropped.
    fn leave(&mut self);
}

/// One partition, inside a member. Dropping a lane gives it back. It is read by one task and may be
/// saved through by another at the same time, so every method takes `&self`.
#[async_trait]
pub trait Lane<R>: Send + Sync {
    /// Which partition.
    fn partition(&self) -> u32;

    /// The progress that was saved when the lane was given out.
    fn progress(&self) -> Option<u64>;

    /// The next records, as many as have arrived up to the limit and at least one, or that some
    /// are gone, or that the lane was revoked. Safe to cancel: nothing is lost. One call at a time.
    async fn next(&self, records_max: usize, bytes_max: usize) -> Result<Input<R>, Error>;

    /// Saves that everything below this offset is done.
    async fn save(&self, progress: u64) -> Result<(), Error>;

    /// Whether the lane has been revoked or fenced, without waiting.
    fn is_revoked(&self) -> bool;
}

/// What comes out of a lane. A closed set: nothing else ever happens to a lane.
#[derive(Debug)]
pub enum Input<R> {
    /// Records, in the order of their offsets.
    Records(Vec<Record<R>>),
    /// The records that were to come next were deleted before the lane gave them.
    Gone(Gone),
    /// The partition goes to another member, or this one is leaving.
    Revoked,
}

/// Records that were deleted before a lane gave them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone {
    /// The offset of the first.
    pub from: u64,
    /// One above the offset of the last.
    pub to: u64,
    /// How many partitions the log has, which tells whose records stood in this one: see
    /// [`partition_of`](crate::partition_of).
    pub partitions: u32,
}

/// A record of a log.
#[derive(Debug, Clone, PartialEq)]
pub struct Record<R> {
    /// Where it stands.
    pub position: Position,
    /// When it was appended, on the appender's clock.
    pub time: Timestamp,
    /// How many bytes it is in the log.
    pub bytes: usize,
    /// What it says.
    pub content: Content<R>,
}

/// What a record says, as far as it can be read.
#[derive(Debug, Clone, PartialEq)]
pub enum Content<R> {
    /// All of it.
    Whole(R),
    /// Not all of it.
    Damaged(Damaged),
}

/// A record that cannot be read as what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// For whom it was and under which request id, when that much can be read.
    pub named: Option<(AggregateKey, RequestId)>,
    /// What is wrong with it; for operators.
    pub why: String,
    /// The record's bytes, for the dead letter.
    pub bytes: Vec<u8>,
}
