//! An event log that fails in the middle of what it is given.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ordain_model::{AggregateKey, Commit, RequestId};
use ordain_ports::{Action, Error, EventLog as Port};

use super::plan::{Plan, lock, planned};
use crate::Gate;

/// What happens to a publication.
#[derive(Debug, Clone)]
pub enum Publish {
    /// The first so many events, counted over all commits of the call, are published, then it
    /// fails. It may end between two events of one commit.
    Prefix(usize),
    /// All are published; the answer is lost.
    AnswerLost,
    /// The publication stops at this gate before it is sent.
    PausedBefore(Gate),
    /// The publication stops at this gate once all is acknowledged.
    PausedAfter(Gate),
}

/// Wraps an event log.
pub struct EventLog {
    inner: Arc<dyn Port>,
    plan: Plan<Publish>,
    asked: Mutex<Vec<(AggregateKey, u64)>>,
}

impl EventLog {
    /// Wraps this log; until something is planned, all goes through.
    #[must_use]
    pub fn new(inner: Arc<dyn Port>) -> Arc<Self> {
        Arc::new(Self { inner, plan: Plan::new(), asked: Mutex::default() })
    }

    /// The next publication that nothing else is planned for meets this.
    pub fn plan(&self, fault: Publish) {
        self.plan.add(None, fault);
    }

    /// The next publication of a commit of this request meets this.
    pub fn plan_for(&self, request: &RequestId, fault: Publish) {
        self.plan.add(Some(request.clone()), fault);
    }

    /// Whether all that was planned has happened.
    #[must_use]
    pub fn is_plan_done(&self) -> bool {
        self.plan.is_done()
    }

    /// The events that were to be published, in order, whatever became of them.
    #[must_use]
    pub fn asked(&self) -> Vec<(AggregateKey, u64)> {
        lock(&self.asked).clone()
    }

    fn note(&self, commits: &[Arc<Commit>]) {
        let mut asked = lock(&self.asked);
        for commit in commits {
            let sequences = commit.events.iter().map(|event| event.sequence);
            asked.extend(sequences.map(|sequence| (commit.aggregate.clone(), sequence)));
        }
    }
}

/// The commits, cut behind so many events.
fn cut(commits: &[Arc<Commit>], mut events: usize) -> Vec<Arc<Commit>> {
    let mut kept = Vec::new();
    for commit in commits {
        if events == 0 {
            break;
        }
        let mut commit = Commit::clone(commit);
        let missing = commit.events.len().saturating_sub(events);
        commit.events.truncate(events);
        commit.sequence = commit.sequence.saturating_sub(missing as u64);
        events -= commit.events.len();
        kept.push(Arc::new(commit));
    }
    kept
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Port for EventLog {
    async fn publish(&self, commits: &[Arc<Commit>]) -> Result<(), Error> {
        self.note(commits);
        match self.plan.take(commits) {
            None => self.inner.publish(commits).await,
            Some(Publish::Prefix(events)) => {
                self.inner.publish(&cut(commits, events)).await?;
                Err(planned(Action::TryAgain))
            }
            Some(Publish::AnswerLost) => {
                self.inner.publish(commits).await?;
                Err(planned(Action::TryAgain))
            }
            Some(Publish::PausedBefore(gate)) => {
                gate.pass().await;
                self.inner.publish(commits).await
            }
            Some(Publish::PausedAfter(gate)) => {
                let published = self.inner.publish(commits).await;
                gate.pass().await;
                published
            }
        }
    }
}
