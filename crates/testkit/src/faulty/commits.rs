//! A commit store that loses, delays and refuses inserts as told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ordain_model::{AggregateKey, Commit, RequestId, Stored};
use ordain_ports::{Action, Commits as Port, Error, Inserted, Load, Stop};

use super::plan::{Plan, lock, planned};
use crate::Gate;

/// What happens to an insert.
#[derive(Debug, Clone)]
pub enum Insert {
    /// Nothing is sent; the store says that it takes nothing at the moment.
    Unavailable,
    /// Nothing is sent and nothing ever will be; the result is unknown.
    Lost,
    /// The first `stored` are stored, none behind; the first `reported` are said to be stored, the
    /// rest is unknown.
    Prefix {
        /// How many are stored.
        stored: usize,
        /// How many of these the sender learns about.
        reported: usize,
    },
    /// All are sent; the result is unknown.
    AnswerLost,
    /// Nothing is stored yet; the result is unknown; it is stored when the test calls
    /// [`Commits::land`].
    Late,
    /// So many are stored and reported; the next one can never be stored.
    NotStorable(usize),
    /// So many are stored and reported; the next one is called a repeat of a commit that is rolled
    /// back before anyone can read it.
    RepeatRolledBack(usize),
    /// The same with a conflict.
    ConflictRolledBack(usize),
    /// The insert stops at this gate before it is sent.
    PausedBefore(Gate),
    /// The insert stops at this gate once the store has answered.
    PausedAfter(Gate),
}

/// What happens to a load, or a reading of a history or of all aggregates.
#[derive(Debug, Clone)]
pub enum Read {
    /// Nothing is read.
    Unavailable,
    /// The read stops at this gate before it is sent.
    PausedBefore(Gate),
    /// The read stops at this gate once the store has answered.
    PausedAfter(Gate),
}

/// A call that went through to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// So many aggregates were loaded, with so many bytes of states and events.
    Load {
        /// How many aggregates.
        aggregates: usize,
        /// Bytes of their states and of the events in their tails.
        bytes: usize,
    },
    /// So many commits were to be inserted.
    Insert(usize),
}

/// Wraps a commit store.
pub struct Commits {
    inner: Arc<dyn Port>,
    inserts: Plan<Insert>,
    reads: Plan<Read>,
    late: Mutex<VecDeque<Vec<Arc<Commit>>>>,
    sent: Mutex<Vec<Vec<Arc<Commit>>>>,
    calls: Mutex<Vec<Call>>,
}

impl Commits {
    /// Wraps this store; until something is planned, all goes through.
    #[must_use]
    pub fn new(inner: Arc<dyn Port>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            inserts: Plan::new(),
            reads: Plan::new(),
            late: Mutex::default(),
            sent: Mutex::default(),
            calls: Mutex::default(),
        })
    }

    /// The next insert that nothing else is planned for meets this.
    pub fn plan(&self, fault: Insert) {
        self.inserts.add(None, fault);
    }

    /// The next insert that carries this request meets this.
    pub fn plan_for(&self, request: &RequestId, fault: Insert) {
        self.inserts.add(Some(request.clone()), fault);
    }

    /// The next load, history or page of aggregates meets this.
    pub fn plan_read(&self, fault: Read) {
        self.reads.add(None, fault);
    }

    /// Whether all that was planned has happened.
    #[must_use]
    pub fn is_plan_done(&self) -> bool {
        self.inserts.is_done() && self.reads.is_done()
    }

    /// Stores the oldest insert that is late, as the network delivers it at last; says what became
    /// of it, which its sender never learns. `None`: nothing is late.
    pub async fn land(&self) -> Option<Inserted> {
        let commits = lock(&self.late).pop_front()?;
        Some(self.inner.insert(&commits).await)
    }

    /// The inserts that were asked for, in order, whatever became of them.
    #[must_use]
    pub fn asked(&self) -> Vec<Vec<Arc<Commit>>> {
        lock(&self.sent).clone()
    }

    /// The loads and inserts that were asked for, in order. Forgets them.
    #[must_use]
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut *lock(&self.calls))
    }

    /// Stores so many, then says why the next one was not; a real stop among them comes first.
    async fn stop_after(&self, commits: &[Arc<Commit>], at: usize, stop: Stop) -> Inserted {
        let inserted = self.inner.insert(prefix(commits, at)).await;
        if inserted.stop.is_some() || inserted.stored == commits.len() {
            return inserted;
        }
        Inserted::until(inserted.stored, stop)
    }

    async fn insert_faulty(&self, commits: &[Arc<Commit>], fault: Insert) -> Inserted {
        let unknown = || Stop::Unknown(planned(Action::TryAgain));
        match fault {
            Insert::Unavailable => Inserted::until(0, Stop::Unavailable(planned(Action::TryAgain))),
            Insert::Lost => Inserted::until(0, unknown()),
            Insert::Prefix { stored, reported } => {
                let inserted = self.inner.insert(prefix(commits, stored)).await;
                Inserted::until(inserted.stored.min(reported), unknown())
            }
            Insert::AnswerLost => {
                // Its result is what the sender must not learn.
                drop(self.inner.insert(commits).await);
                Inserted::until(0, unknown())
            }
            Insert::Late => {
                lock(&self.late).push_back(commits.to_vec());
                Inserted::until(0, unknown())
            }
            Insert::NotStorable(at) => {
                let stop = Stop::NotStorable("planned by the test".to_owned());
                self.stop_after(commits, at, stop).await
            }
            Insert::RepeatRolledBack(at) => self.stop_after(commits, at, Stop::Repeat).await,
            Insert::ConflictRolledBack(at) => self.stop_after(commits, at, Stop::Conflict).await,
            Insert::PausedBefore(gate) => {
                gate.pass().await;
                self.inner.insert(commits).await
            }
            Insert::PausedAfter(gate) => {
                let inserted = self.inner.insert(commits).await;
                gate.pass().await;
                inserted
            }
        }
    }

    /// Does what is planned for this read, and says at which gate it stops once it is answered.
    async fn before_read(&self) -> Result<Option<Gate>, Error> {
        match self.reads.take(&[]) {
            None => Ok(None),
            Some(Read::Unavailable) => Err(planned(Action::TryAgain)),
            Some(Read::PausedAfter(gate)) => Ok(Some(gate)),
            Some(Read::PausedBefore(gate)) => {
                gate.pass().await;
                Ok(None)
            }
        }
    }
}

fn bytes(stored: &Stored) -> usize {
    let state = stored.snapshot.as_ref().map_or(0, |snapshot| snapshot.state.as_str().len());
    let events = stored.tail.iter().flat_map(|commit| &commit.events);
    state + events.map(|event| event.data.as_str().len()).sum::<usize>()
}

fn prefix(commits: &[Arc<Commit>], length: usize) -> &[Arc<Commit>] {
    commits.get(..length).unwrap_or(commits)
}

async fn pass(gate: Option<Gate>) {
    if let Some(gate) = gate {
        gate.pass().await;
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Port for Commits {
    async fn insert(&self, commits: &[Arc<Commit>]) -> Inserted {
        lock(&self.sent).push(commits.to_vec());
        lock(&self.calls).push(Call::Insert(commits.len()));
        match self.inserts.take(commits) {
            Some(fault) => self.insert_faulty(commits, fault).await,
            None => self.inner.insert(commits).await,
        }
    }

    async fn load(&self, aggregates: &[Load]) -> Result<Vec<Stored>, Error> {
        let gate = self.before_read().await?;
        let stored = self.inner.load(aggregates).await;
        if let Ok(stored) = &stored {
            let (aggregates, bytes) = (stored.len(), stored.iter().map(bytes).sum());
            lock(&self.calls).push(Call::Load { aggregates, bytes });
        }
        pass(gate).await;
        stored
    }

    async fn history(
        &self,
        aggregate: &AggregateKey,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Commit>>, Error> {
        let gate = self.before_read().await?;
        let commits = self.inner.history(aggregate, after, limit).await;
        pass(gate).await;
        commits
    }

    async fn aggregates(
        &self,
        before: Option<&AggregateKey>,
        limit: usize,
    ) -> Result<Vec<(AggregateKey, u64)>, Error> {
        let gate = self.before_read().await?;
        let aggregates = self.inner.aggregates(before, limit).await;
        pass(gate).await;
        aggregates
    }
}
