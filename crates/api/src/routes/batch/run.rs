//! The run of a batch: reads commands, keeps those of one aggregate in order, answers each as it
//! finishes, and reads no faster than its answers are taken.

use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use ordain_model::{AggregateKey, TraceContext};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::routes::answers;
use crate::writer::ObjectWriter;
use crate::{Answered, Api, Problem, Request, Wait};

use super::item::Item;
use super::lines::Source;

/// The run of one batch.
pub(super) struct Run {
    api: Arc<Api>,
    source: Source,
    answers: mpsc::Sender<Bytes>,
    wait: Duration,
    /// The trace that all of it belongs to.
    trace: Option<TraceContext>,
    /// The aggregates with a command on its way, and what comes after it.
    chains: HashMap<AggregateKey, VecDeque<(u64, Request)>>,
    /// The aggregates of which it is not known what became of a command.
    given_up: HashSet<AggregateKey>,
    running: JoinSet<Finished>,
    /// Commands that were read and are not answered.
    open: usize,
}

/// A command that was answered.
struct Finished {
    index: u64,
    aggregate: AggregateKey,
    /// There is no outcome, and there may be one later.
    is_unknown: bool,
    line: Bytes,
}

/// The client has gone.
struct Gone;

impl Run {
    pub(super) fn new(
        api: Arc<Api>,
        source: Source,
        (answers, wait, trace): (mpsc::Sender<Bytes>, Duration, Option<TraceContext>),
    ) -> Self {
        Self {
            api,
            source,
            answers,
            wait,
            trace,
            chains: HashMap::new(),
            given_up: HashSet::new(),
            running: JoinSet::new(),
            open: 0,
        }
    }

    /// Runs until all is answered or the client has gone. What is on its way then goes its way.
    pub(super) async fn run(mut self) {
        let mut next_index = 0;
        let mut is_over = false;
        while !is_over || self.open > 0 {
            let may_read = !is_over && self.open < self.api.settings().batch_in_flight_max;
            let step = tokio::select! {
                () = self.answers.closed() => Err(Gone),
                Some(finished) = self.running.join_next() => match finished {
                    Ok(finished) => self.finished(finished).await,
                    // Only a runtime that goes down cancels a task.
                    Err(_) => Err(Gone),
                },
                read = self.source.next(), if may_read => match read {
                    Some(item) => {
                        let index = next_index;
                        next_index += 1;
                        self.open += 1;
                        self.begin(index, item).await
                    }
                    None => {
                        is_over = true;
                        Ok(())
                    }
                },
            };
            if step.is_err() {
                return;
            }
        }
    }

    async fn begin(&mut self, index: u64, item: Result<Item, Problem>) -> Result<(), Gone> {
        let request = item.and_then(|item| item.into_request(&self.api));
        match request.map(|request| Request { trace: self.trace, ..request }) {
            Ok(request) if self.is_given_up(&request.aggregate) => {
                self.answer(not_sent(index, &request)).await
            }
            Ok(request) => {
                if let Some(chain) = self.chains.get_mut(&request.aggregate) {
                    chain.push_back((index, request));
                } else {
                    self.chains.insert(request.aggregate.clone(), VecDeque::new());
                    self.send(index, request);
                }
                Ok(())
            }
            Err(problem) => self.answer(line(index, Err(&problem))).await,
        }
    }

    fn send(&mut self, index: u64, request: Request) {
        let (api, wait) = (Arc::clone(&self.api), Wait::Outcome(self.wait));
        self.running.spawn(async move {
            let aggregate = request.aggregate.clone();
            let submitted = api.submitter.submit(request.clone(), wait);
            let answered = AssertUnwindSafe(submitted).catch_unwind().await;
            let is_unknown = match &answered {
                Ok(Answered::Decided { .. } | Answered::KeyReused | Answered::Invalid(_)) => false,
                Ok(
                    Answered::Accepted | Answered::TimedOut { .. } | Answered::NotAccepted { .. },
                )
                | Err(_) => true,
            };
            let said = match answered {
                Ok(answered) => answers::told(&api, &request, answered).said,
                Err(_) => Err(Problem::internal("panic while submitting")),
            };
            let said = said.as_ref().map(|(status, text)| (status.as_u16(), text.as_slice()));
            Finished { index, aggregate, is_unknown, line: line(index, said) }
        });
    }

    async fn finished(&mut self, finished: Finished) -> Result<(), Gone> {
        tracing::trace!(index = finished.index, unknown = finished.is_unknown, "batch_answered");
        self.answer(finished.line).await?;
        if !finished.is_unknown {
            match self.chains.get_mut(&finished.aggregate).and_then(VecDeque::pop_front) {
                Some((index, request)) => self.send(index, request),
                None => drop(self.chains.remove(&finished.aggregate)),
            }
            return Ok(());
        }
        let rest = self.chains.remove(&finished.aggregate).unwrap_or_default();
        self.given_up.insert(finished.aggregate);
        for (index, request) in rest {
            self.answer(not_sent(index, &request)).await?;
        }
        Ok(())
    }

    /// Beyond the limit nothing is remembered, so all that follows counts as given up.
    fn is_given_up(&self, aggregate: &AggregateKey) -> bool {
        self.given_up.contains(aggregate)
            || self.given_up.len() >= self.api.settings().batch_commands_max
    }

    async fn answer(&mut self, line: Bytes) -> Result<(), Gone> {
        self.answers.send(line).await.map_err(|_| Gone)?;
        self.open -= 1;
        Ok(())
    }
}

fn not_sent(index: u64, request: &Request) -> Bytes {
    line(index, Err(&Problem::predecessor_unknown().about(request.request.clone())))
}

/// A line of the answer.
fn line(index: u64, said: Result<(u16, &[u8]), &Problem>) -> Bytes {
    let object = ObjectWriter::new().number("index", index);
    let mut line = match said {
        Ok((status, result)) => object.number("status", u64::from(status)).json("result", result),
        Err(problem) => object
            .number("status", u64::from(problem.status().as_u16()))
            .json("problem", &problem.to_json()),
    }
    .finish();
    line.push(b'\n');
    line.into()
}
