//! A commit: the one stored document that makes a decision true.

use serde::{Deserialize, Serialize};

use crate::{
    AggregateKey, Code, Fingerprint, Json, Name, Receipt, RequestId, Timestamp, TraceContext,
};

/// The one stored document that makes a decision true. Never changed once stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    /// Whose commit it is.
    pub aggregate: AggregateKey,
    /// The request that it answers; unique within the aggregate.
    pub request: RequestId,
    /// The command's name.
    pub command: Name,
    /// The fingerprint of the command that was decided.
    pub fingerprint: Fingerprint,
    /// Counts the aggregate's commits, refusals included: 1, 2, 3 …
    pub revision: u64,
    /// The aggregate's sequence once this commit is in: the number of all its events so far.
    pub sequence: u64,
    /// What became of the command.
    pub outcome: Outcome,
    /// What happened, when it was accepted.
    pub events: Vec<Event>,
    /// When it was decided; grows strictly along the aggregate's commits and events.
    pub time: Timestamp,
    /// The record that was decided.
    pub source: Source,
    /// The trace of the command that was decided, for whatever comes of its events. Whoever writes
    /// a commit by its serde form keeps this beside it: the form is older.
    #[serde(skip)]
    pub trace: Option<TraceContext>,
}

impl Commit {
    /// The aggregate's sequence before this commit.
    #[must_use]
    pub fn sequence_before(&self) -> u64 {
        self.sequence.saturating_sub(self.events.len() as u64)
    }

    /// The time of the last thing in it: what the aggregate's next time must be larger than.
    #[must_use]
    pub fn last_time(&self) -> Timestamp {
        self.events.last().map_or(self.time, |event| event.time)
    }

    /// Names the aggregate and its sequence, for views to be asked whether they have reached it.
    #[must_use]
    pub fn receipt(&self) -> Receipt {
        Receipt { aggregate: self.aggregate.clone(), sequence: self.sequence }
    }
}

/// Something that happened to an aggregate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Counts the aggregate's events: 1, 2, 3 …
    pub sequence: u64,
    /// What happened, in the past tense.
    pub name: Name,
    /// The version of the event's schema.
    pub version: u32,
    /// The event's data: JSON text, written once, given out byte for byte.
    pub data: Json,
    /// When; grows strictly along the aggregate's commits and events.
    pub time: Timestamp,
}

/// What became of a command, stored for good.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// The rules accepted it.
    Success,
    /// A rule refused it.
    Fail(Code),
    /// Its deadline passed before it was taken up.
    Expired,
    /// It could not be processed at all.
    Rejected(Code),
}

impl Outcome {
    /// The outcome's name in answers, logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::Fail(_) => "FAIL",
            Self::Expired => "EXPIRED",
            Self::Rejected(_) => "REJECTED",
        }
    }

    /// Why, where a rule or the worker refused.
    #[must_use]
    pub const fn code(&self) -> Option<&Code> {
        match self {
            Self::Fail(code) | Self::Rejected(code) => Some(code),
            Self::Success | Self::Expired => None,
        }
    }
}

/// The record in the log of requests that was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Source {
    /// Partition of the log of requests.
    pub partition: u32,
    /// Offset in the partition.
    pub offset: u64,
    /// The nonce that the record carried: whoever produced it knows by it that the commit is of
    /// its own record, and not of an earlier one under the same request id.
    pub nonce: u64,
}
