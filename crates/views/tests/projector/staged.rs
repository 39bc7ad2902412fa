//! A view store whose calls stop and fail as told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ordain_model::AggregateKey;
use ordain_ports::{Action, Error, Mark, Row, RowList, RowRange, RowWrite, ViewStore};
use ordain_testkit::Gate;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Rows,
    Write,
    Marks,
    SetMarks,
}

/// Where a projector stops, as one does that is paused there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stops {
    /// Before its first such call is sent.
    Before(Call),
    /// Once its first such call is done.
    After(Call),
}

/// What happens to a call.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    /// It stops at this gate before it is sent.
    PausedBefore(Gate),
    /// It stops at this gate once it is done.
    PausedAfter(Gate),
    /// Nothing is sent.
    Fails(Action),
    /// It is done; the answer is lost.
    AnswerLost,
}

pub(crate) struct Staged {
    inner: Arc<dyn ViewStore>,
    plan: Mutex<VecDeque<(Call, Fate)>>,
    always: Mutex<Option<(Call, Action)>>,
    rows_read: Mutex<Vec<String>>,
}

impl Staged {
    pub(crate) fn new(inner: Arc<dyn ViewStore>) -> Arc<Self> {
        let (plan, always, rows_read) = (Mutex::default(), Mutex::default(), Mutex::default());
        Arc::new(Self { inner, plan, always, rows_read })
    }

    /// The next such call meets this.
    pub(crate) fn plan(&self, call: Call, fate: Fate) {
        self.plan.lock().unwrap().push_back((call, fate));
    }

    /// The projector is to stop there. The gate says when it has, and lets it go on.
    pub(crate) fn stop(&self, at: Stops) -> Gate {
        let gate = Gate::shut();
        match at {
            Stops::Before(call) => self.plan(call, Fate::PausedBefore(gate.clone())),
            Stops::After(call) => self.plan(call, Fate::PausedAfter(gate.clone())),
        }
        gate
    }

    /// Every such call fails from now on.
    pub(crate) fn always(&self, call: Call, action: Action) {
        *self.always.lock().unwrap() = Some((call, action));
    }

    /// The keys of the rows that were read, in order.
    pub(crate) fn rows_read(&self) -> Vec<String> {
        self.rows_read.lock().unwrap().clone()
    }

    pub(crate) fn is_plan_done(&self) -> bool {
        self.plan.lock().unwrap().is_empty()
    }

    async fn meet(&self, call: Call) -> Result<After, Error> {
        if let Some((_, action)) =
            self.always.lock().unwrap().filter(|(planned, _)| *planned == call)
        {
            return Err(Error::new(action, "planned"));
        }
        let fate = {
            let mut plan = self.plan.lock().unwrap();
            let at = plan.iter().position(|(planned, _)| *planned == call);
            at.and_then(|at| plan.remove(at))
        };
        match fate {
            None => Ok(After::Answer),
            Some((_, Fate::PausedBefore(gate))) => {
                gate.pass().await;
                Ok(After::Answer)
            }
            Some((_, Fate::PausedAfter(gate))) => Ok(After::Pause(gate)),
            Some((_, Fate::Fails(action))) => Err(Error::new(action, "planned")),
            Some((_, Fate::AnswerLost)) => Ok(After::Lose),
        }
    }
}

/// What happens to a call that was done.
enum After {
    Answer,
    Pause(Gate),
    Lose,
}

impl After {
    async fn answered<T>(self, answer: T) -> Result<T, Error> {
        match self {
            Self::Answer => Ok(answer),
            Self::Pause(gate) => {
                gate.pass().await;
                Ok(answer)
            }
            Self::Lose => Err(Error::new(Action::TryAgain, "the answer was lost")),
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ViewStore for Staged {
    async fn rows(&self, view: &str, keys: &[String]) -> Result<Vec<Option<Row>>, Error> {
        self.rows_read.lock().unwrap().extend_from_slice(keys);
        let after = self.meet(Call::Rows).await?;
        after.answered(self.inner.rows(view, keys).await?).await
    }

    async fn write(&self, view: &str, writes: Vec<RowWrite>) -> Result<Vec<bool>, Error> {
        let after = self.meet(Call::Write).await?;
        after.answered(self.inner.write(view, writes).await?).await
    }

    async fn marks(&self, view: &str, of: &[AggregateKey]) -> Result<Vec<Option<u64>>, Error> {
        let after = self.meet(Call::Marks).await?;
        after.answered(self.inner.marks(view, of).await?).await
    }

    async fn set_marks(&self, view: &str, marks: Vec<Mark>) -> Result<Vec<bool>, Error> {
        let after = self.meet(Call::SetMarks).await?;
        after.answered(self.inner.set_marks(view, marks).await?).await
    }

    async fn list(&self, view: &str, range: &RowRange) -> Result<RowList, Error> {
        self.inner.list(view, range).await
    }
}
