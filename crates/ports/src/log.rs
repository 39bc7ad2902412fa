//! The two logs: commands in, events out. Partitioned by aggregate, durable on acknowledgement.

use std::sync::Arc;

use async_trait::async_trait;
use ordain_model::{AggregateKey, Command, Commit, Event, RequestId, Timestamp, TraceContext};
use thiserror::Error;

use crate::{Delivery, Error};

/// Where a record stands in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The partition.
    pub partition: u32,
    /// The offset in the partition, from 0.
    pub offset: u64,
}

/// The log `requests`, as the API sees it.
///
/// # Contract
/// 1. An acknowledged command is durable: it is read by the lane of its partition exactly once
///    between two saved progresses, also after a restart.
/// 2. All commands of one aggregate appended through one process, each after the acknowledgement
///    of the one before, stand in one partition in that order, as long as the partition count
///    stays. After it was raised, an aggregate may be in another partition.
/// 3. A refused or `NotDelivered` command is certainly not in the log and never will be.
/// 4. A record that a lane reads is durable, or becomes so with or before whatever is written
///    through the ports after it was read: where the record is lost, all of that is. So a reader
///    may decide on it at once, and tells nobody of what rests on it before something that it
///    wrote then is durable. What is durable already (the outcome of a repeat) it may tell.
/// 5. `ends` is at or above the end that any command acknowledged before the call has made, and
///    `progress` at or above what any member had saved before the call.
#[async_trait]
pub trait CommandLog: Send + Sync {
    /// Enqueues a command. Does not wait; the delivery tells what became of it.
    ///
    /// # Errors
    /// It was not enqueued and never will be in the log: full, no space, or shutting down.
    fn append(&self, command: Command) -> Result<Delivery, NotAccepted>;

    /// The end of every partition: one above the highest offset there is; 0 when empty.
    async fn ends(&self) -> Result<Vec<u64>, Error>;

    /// The saved progress of the workers' group in every partition: the offset below which all is
    /// done; `None` where nothing was ever saved.
    async fn progress(&self) -> Result<Vec<Option<u64>>, Error>;

    /// Deletes records that lie below the saved progress and are older than `before`.
    async fn prune(&self, before: Timestamp) -> Result<(), Error>;
}

/// A command that is certainly not in the log.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotAccepted {
    /// More is waiting to be written than may wait.
    #[error("the log takes no more at the moment")]
    Full,
    /// The disk or the topic has no room.
    #[error("the log has no space left")]
    NoSpace,
    /// The process is going down.
    #[error("the log is closed")]
    Closed,
}

/// What became of an enqueued command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivered {
    /// It is durable, here.
    At(Position),
    /// It is certainly not in the log and never will be.
    Not(NotAccepted),
    /// Nobody knows.
    Unknown,
}

/// The log `finalevents`, as the worker sees it.
///
/// # Contract
/// 1. Once `publish` returns `Ok`, all events of the commits are durable in the log.
/// 2. Events of one aggregate stand in one partition, in the order given within one call and over
///    successive calls, also when a call between them failed.
/// 3. After an error a prefix of each aggregate's events may stand in the log. Publishing events
///    again is always allowed, also behind later ones of their aggregate (1, 2, 1, 3): a follower
///    keeps the last sequence and drops what is at or below it. What may never stand in the log
///    is an event whose predecessor stands nowhere before it.
/// 4. A feed gives every event with its aggregate, request id, time and trace, byte for byte.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Appends the events of these commits, in this order, and waits until all are acknowledged.
    /// Commits of one aggregate stand in the order of their revisions, except that a call may
    /// repeat earlier ones and go on from there. Commits without events are passed over.
    async fn publish(&self, commits: &[Arc<Commit>]) -> Result<(), Error>;
}

/// An event as followers read it.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// To whom it happened.
    pub aggregate: AggregateKey,
    /// The request that made it happen.
    pub request: RequestId,
    /// What happened.
    pub event: Event,
    /// The trace of the command that made it happen.
    pub trace: Option<TraceContext>,
}
