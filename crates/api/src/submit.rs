//! Submitting: takes a command from a caller to its outcome. No HTTP in here.
//!
//! A command is checked, its flight entered among those that wait, and only then produced. The
//! flight ends with the reply, with what a look-up finds, or with the news that the command is
//! certainly not in the log; callers wait for it, each with a limit of its own, and may leave.

mod broken;
mod check;
mod earlier;
mod flight;
mod identity;
mod limits;
mod look_up;
mod measures;
mod owners;
mod places;
mod refusal;
#[cfg(test)]
mod tests;
mod traced;
mod waiter;
mod waiting;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fail::fail_point;
use ordain_model::{
    AggregateKey, Command, Commit, Fingerprint, Handler, Name, Registry, ReplyAddress, RequestId,
    Timestamp, TraceContext,
};
use ordain_ports::{
    Clock, CommandLog, Delivered, Error, Heartbeats, Outcomes, Replies, ReplySink, Spans,
};
use tokio::task::AbortHandle;
use tokio::time::Instant;

pub use check::Invalid;
pub use identity::{created_id, new_request_id};
pub use limits::SubmitLimits;
pub use refusal::Refusal;

use check::{Checked, check, is_of};
use earlier::Earlier;
use flight::{Flight, Known, Settled};
use look_up::LookUp;
use measures::Measures;
pub(crate) use owners::{Member, Owners, Partition};
use owners::{Patience, Refused};
use places::Places;
use traced::Traced;
use waiter::{Seen, Waiter};
use waiting::{Boarded, Waiting};

/// What a submitter works with.
#[derive(Clone)]
pub struct SubmitPorts {
    /// The aggregate types that are accepted.
    pub registry: Arc<Registry>,
    /// Where commands go.
    pub log: Arc<dyn CommandLog>,
    /// Where outcomes are looked up.
    pub outcomes: Arc<dyn Outcomes>,
    /// Where replies come from.
    pub replies: Arc<dyn Replies>,
    /// Who owns which partition.
    pub heartbeats: Arc<dyn Heartbeats>,
    /// Stamps what is accepted.
    pub clock: Arc<dyn Clock>,
    /// Where it tells, of commands that belong to a trace, how they were answered.
    pub spans: Arc<dyn Spans>,
}

/// Takes commands to their outcomes; one for the whole process.
pub struct Submitter {
    ports: SubmitPorts,
    limits: SubmitLimits,
    waiting: Arc<Waiting>,
    channel: Arc<str>,
    nonce: AtomicU64,
    places: Places,
    owners: Owners,
    draining: AtomicBool,
    measures: Measures,
    look_up: AbortHandle,
    earlier: Earlier,
}

/// A command as a caller submits it.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Whom it is about.
    pub aggregate: AggregateKey,
    /// The caller's name for it.
    pub request: RequestId,
    /// What is to be done.
    pub command: Name,
    /// The body as it was sent.
    pub body: Bytes,
    /// Refuse it when the aggregate has another sequence.
    pub expected_sequence: Option<u64>,
    /// Do not take it up after this time. One that has passed is sent all the same: the command
    /// may have succeeded before, and a retry of it must get that success.
    pub deadline: Option<Timestamp>,
    /// Whether it may have been sent before: not under a request id that was just made for it.
    pub may_be_repeat: bool,
    /// The trace that it belongs to, as the caller says.
    pub trace: Option<TraceContext>,
}

/// What a caller waits for, and how long at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// For the outcome.
    Outcome(Duration),
    /// Only until the command is durable.
    Durable(Duration),
}

/// What a caller is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Answered {
    /// The outcome, whatever it is.
    Decided {
        /// What was decided.
        commit: Arc<Commit>,
        /// It was decided from another record than the one this request produced.
        replayed: bool,
    },
    /// The command is durable, and will get an outcome.
    Accepted,
    /// The request id names another command of this aggregate. Nothing was changed.
    KeyReused,
    /// The wait is over. To be asked again with the same request id.
    TimedOut {
        /// Whether the command is known to be durable; otherwise nobody knows.
        accepted: bool,
        /// When to ask again.
        retry_after: Duration,
    },
    /// This attempt was certainly not accepted.
    NotAccepted {
        /// Why.
        why: Refusal,
        /// When to try again.
        retry_after: Duration,
    },
    /// The command can never be accepted as it is.
    Invalid(Invalid),
}

impl Answered {
    fn is_looked_up(&self) -> bool {
        matches!(self, Self::NotAccepted { why, .. } if why.is_looked_up())
    }
}

impl Submitter {
    /// Opens the reply channel and begins to look outcomes up. Metrics go to the recorder that is
    /// installed now.
    ///
    /// # Errors
    /// The reply channel cannot be opened.
    pub async fn start(ports: SubmitPorts, limits: SubmitLimits) -> Result<Arc<Self>, Error> {
        let waiting = Arc::new(Waiting::default());
        let sink: Arc<dyn ReplySink> = Arc::clone(&waiting) as Arc<dyn ReplySink>;
        let channel = ports.replies.subscribe(sink).await?;
        let look_up = LookUp::new(Arc::clone(&waiting), Arc::clone(&ports.outcomes), &limits);
        Ok(Arc::new(Self {
            channel,
            nonce: AtomicU64::new(uuid::Uuid::new_v4().as_u64_pair().0),
            places: Places::new(&limits),
            owners: Owners::start(&ports, &limits),
            draining: AtomicBool::new(false),
            measures: Measures::new(),
            look_up: tokio::spawn(look_up.run()).abort_handle(),
            earlier: Earlier::start(&ports.outcomes, &limits),
            ports,
            limits,
            waiting,
        }))
    }

    /// The handler of an aggregate type that is accepted.
    #[must_use]
    pub fn handler(&self, aggregate_type: &str) -> Option<&Arc<dyn Handler>> {
        self.ports.registry.get(aggregate_type)
    }

    /// Takes a command to its outcome, as far as the wait allows. Dropped before it is done, the
    /// caller has left; the command goes its way.
    pub async fn submit(&self, mut request: Request, wait: Wait) -> Answered {
        let begun = Instant::now();
        let mut traced = Traced::begin(&self.ports, &mut request);
        let answered = match self.check(&request) {
            Ok(checked) => self.take(checked, (begun, wait), &request).await,
            Err(answered) => answered,
        };
        self.measures.answered(&answered, begun.elapsed(), self.places.taken());
        if let Some(traced) = &mut traced {
            traced.answered(&answered);
        }
        answered
    }

    /// Who owns which partition, as far as this process has seen.
    pub(crate) fn owners(&self) -> &Owners {
        &self.owners
    }

    /// Ends every wait now, as if its time were over.
    pub fn end_waits(&self) {
        self.waiting.over.cancel();
    }

    /// Takes nothing more, and waits until nothing is on its way any more; says whether that was
    /// reached within the limit.
    pub async fn drain(&self, limit: Duration) -> bool {
        self.draining.store(true, Ordering::Release);
        self.places.close(limit).await
    }

    fn check(&self, request: &Request) -> Result<Checked, Answered> {
        if self.draining.load(Ordering::Acquire) {
            return Err(self.not_accepted(Refusal::Draining, request));
        }
        broken::expired(request, self.ports.clock.as_ref())?;
        let unknown = || Answered::Invalid(Invalid::UnknownCommand);
        let handler = self.handler(request.aggregate.aggregate_type()).ok_or_else(unknown)?;
        check(handler.as_ref(), &self.limits, request).map_err(Answered::Invalid)
    }

    async fn take(
        &self,
        checked: Checked,
        (begun, wait): (Instant, Wait),
        request: &Request,
    ) -> Answered {
        let fingerprint = checked.fingerprint;
        let answered = match self.send(checked, request, wait) {
            Ok(waiter) => self.answer(waiter, (begun, wait), request).await,
            Err(refused) => refused,
        };
        if !request.may_be_repeat || !answered.is_looked_up() {
            return answered;
        }
        let by = begun + wait.limit();
        self.answered_earlier(request, fingerprint, by).await.unwrap_or(answered)
    }

    /// What is refused now may have been taken before and have its outcome. Where that is not found
    /// out soon, and before the caller waits no longer, the refusal stands, and is as true as
    /// without.
    async fn answered_earlier(
        &self,
        request: &Request,
        fingerprint: Fingerprint,
        by: Instant,
    ) -> Option<Answered> {
        let id = (request.aggregate.clone(), request.request.clone());
        let commit = tokio::select! {
            found = self.earlier.find(id, by) => found?,
            () = self.waiting.over.cancelled() => return None,
        };
        let is_same = commit.fingerprint == fingerprint;
        Some(if is_same {
            Answered::Decided { commit, replayed: true }
        } else {
            Answered::KeyReused
        })
    }

    /// Attaches to the same command in flight, or produces it.
    fn send(&self, checked: Checked, request: &Request, wait: Wait) -> Result<Waiter, Answered> {
        match self.board(request, &checked, wait)? {
            Boarded::Attached(flight) => Ok(self.waiter(flight)),
            Boarded::New(flight) => self.produce(flight, checked, request),
        }
    }

    fn board(&self, request: &Request, checked: &Checked, wait: Wait) -> Result<Boarded, Answered> {
        let id = (request.aggregate.clone(), request.request.clone());
        let first = Duration::from_millis(self.limits.look_up_first_ms);
        self.waiting.board(&id, &checked.fingerprint, || {
            let place = self.places.take(&request.aggregate);
            let place = place.map_err(|why| self.not_accepted(why, request))?;
            let sent = self.owners.admit(request, self.patience(request, wait));
            let sent = sent.map_err(|Refused { why, retry_after }| Answered::NotAccepted {
                why,
                retry_after,
            })?;
            let nonce = self.nonce.fetch_add(1, Ordering::Relaxed);
            let flight = Flight::new(id.clone(), checked.fingerprint, nonce, (place, sent));
            Ok(flight.looked_up_after(first))
        })
    }

    fn produce(
        &self,
        flight: Arc<Flight>,
        checked: Checked,
        request: &Request,
    ) -> Result<Waiter, Answered> {
        let reply_to = ReplyAddress { channel: Arc::clone(&self.channel), nonce: flight.nonce };
        let command: Command = checked.into_command(request, reply_to, self.ports.clock.now());
        let waiter = self.waiter(flight).producing();
        fail_point!("C0");
        match self.ports.log.append(command) {
            Ok(delivery) => {
                fail_point!("C1");
                let waiting = Arc::clone(&self.waiting);
                // A flight that is settled and left is gone, and nobody wants to know.
                let flight = Arc::downgrade(waiter.flight());
                delivery.then(move |delivered| {
                    if let Some(flight) = flight.upgrade() {
                        waiting.delivered(&flight, delivered);
                    }
                });
                Ok(waiter)
            }
            Err(why) => {
                self.waiting.delivered(waiter.flight(), Delivered::Not(why.clone()));
                Err(self.not_accepted(why.into(), request))
            }
        }
    }

    /// How long the command may wait for its turn. A deadline that has passed says nothing here:
    /// the command may have succeeded before.
    fn patience(&self, request: &Request, wait: Wait) -> Patience {
        let now = self.ports.clock.now();
        let deadline = request.deadline.filter(|deadline| *deadline > now);
        let left = deadline.map(|at| Duration::from_millis(at.milliseconds_since(now)));
        match wait {
            Wait::Outcome(limit) => Patience::Caller(left.map_or(limit, |left| left.min(limit))),
            Wait::Durable(_) => Patience::Nobody(left),
        }
    }

    fn waiter(&self, flight: Arc<Flight>) -> Waiter {
        Waiter::new(flight, Arc::clone(&self.waiting))
    }

    async fn answer(
        &self,
        waiter: Waiter,
        (begun, wait): (Instant, Wait),
        request: &Request,
    ) -> Answered {
        let last = Duration::from_millis(self.limits.last_look_up_ms_max);
        match waiter.wait(begun, wait, last).await {
            Some(Seen::Settled(Settled::Outcome(commit))) => {
                if is_of(&commit, &waiter.flight().fingerprint) {
                    let replayed = !waiter.has_produced(&commit);
                    Answered::Decided { commit, replayed }
                } else {
                    Answered::KeyReused
                }
            }
            Some(Seen::Settled(Settled::NotAccepted(why))) => {
                self.not_accepted(why.into(), request)
            }
            Some(Seen::Durable) => Answered::Accepted,
            None => Answered::TimedOut {
                accepted: waiter.flight().delivery() == Known::Durable,
                retry_after: self.retry_after(request),
            },
        }
    }

    fn not_accepted(&self, why: Refusal, request: &Request) -> Answered {
        Answered::NotAccepted { why, retry_after: self.retry_after(request) }
    }

    /// When to try again: once what stands before it is done, as far as that is known.
    fn retry_after(&self, request: &Request) -> Duration {
        let known = self.owners.retry_after(&request.aggregate);
        known.unwrap_or_else(|| self.measures.retry_after())
    }
}

impl Drop for Submitter {
    fn drop(&mut self) {
        self.look_up.abort();
    }
}

impl fmt::Debug for Submitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitter").field("channel", &self.channel).finish_non_exhaustive()
    }
}
