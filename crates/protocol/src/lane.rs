//! What a lane holds: its batch, how far it is with it, and what it remembers of aggregates.

use crate::command::{Aggregate, Offset, Partition, Request, Revision, Sequence, Worker};
use crate::state::{Answer, Event};
use crate::store::{Commit, Insert};

/// One partition inside one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LaneName {
    /// The worker.
    pub worker: Worker,
    /// The partition.
    pub partition: Partition,
}

impl LaneName {
    /// The place of the lane among all lanes.
    pub fn index(self, partitions: usize) -> usize {
        usize::from(self.worker) * partitions + usize::from(self.partition)
    }
}

/// What a lane remembers of an aggregate: the last state known to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Known {
    /// The revision of its last commit.
    pub revision: Revision,
    /// The sequence of its last event.
    pub sequence: Sequence,
    /// The sequence up to which its events are known to be published.
    pub published: Sequence,
}

/// What a lane has found out about one record of its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Settled {
    /// The answer that the client gets.
    pub answer: Answer,
    /// The outcome was there before this batch.
    pub repeat: bool,
}

/// How far a lane is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// No batch.
    Idle,
    /// The insert is sent and not answered.
    Inserting(Insert),
    /// The insert failed or its result is unknown; the rest is to be decided anew.
    Failed(Failure),
    /// Every record of the batch has an outcome that is durable.
    Replying,
    /// Replied; these events are to be published, the first one next. None left: save progress.
    Publishing(Vec<Event>),
}

/// What a lane knows of its failed insert.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Failure {
    /// The commit that refused a document; none when the result is unknown.
    pub holder: Option<(Aggregate, Request)>,
    /// Only for a wrong variant: the numbered documents from the refused one on.
    pub numbered_rest: Vec<Commit>,
}

/// A lane.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lane {
    /// Per aggregate: what is remembered.
    pub known: Vec<Option<Known>>,
    /// The offset of the first record of the batch.
    pub from: Offset,
    /// Per record of the batch: what is found out about it. Empty without a batch.
    pub settled: Vec<Option<Settled>>,
    /// How far it is.
    pub phase: Phase,
}

impl Lane {
    /// A lane that has just been assigned: nothing it may have known before is trusted.
    pub fn cold(aggregates: usize) -> Self {
        Self { known: vec![None; aggregates], from: 0, settled: Vec::new(), phase: Phase::Idle }
    }

    /// Whether it remembers nothing.
    pub fn is_cold(&self) -> bool {
        self.known.iter().all(Option::is_none)
    }

    /// Whether it has neither a batch nor a memory.
    pub fn is_at_rest(&self) -> bool {
        self.phase == Phase::Idle && self.is_cold()
    }

    /// Forgets everything and gives back the insert that it had sent, which may still land.
    pub fn forget_all(&mut self) -> Option<Insert> {
        let aggregates = self.known.len();
        match std::mem::replace(self, Self::cold(aggregates)).phase {
            Phase::Inserting(insert) => Some(insert),
            Phase::Idle | Phase::Failed(_) | Phase::Replying | Phase::Publishing(_) => None,
        }
    }

    /// Is done with its batch, and goes on with what it remembers.
    pub fn end_batch(&mut self) {
        self.settled.clear();
        self.from = 0;
        self.phase = Phase::Idle;
    }

    /// Forgets one aggregate, which is read again before the next decision.
    pub fn forget(&mut self, aggregate: Aggregate) {
        self.known[usize::from(aggregate)] = None;
    }

    /// Takes over that `commit` is known to be stored.
    pub fn learn(&mut self, commit: &Commit) {
        let known = &mut self.known[usize::from(commit.aggregate)];
        let published = known.map_or(0, |known| known.published);
        let Commit { revision, sequence, .. } = *commit;
        *known = Some(Known { revision, sequence, published });
    }
}
