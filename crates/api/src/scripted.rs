//! Ports that do what a test says, for the tests of this crate.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ordain_model::{
    AggregateKey, Command, Commit, Outcome, ReplyAddress, RequestId, Source, Timestamp,
};
use ordain_ports::{
    Action, Announced, Answer, Clock, CommandLog, Delivered, Delivery, DeliveryPromise, Error,
    Heartbeat, Heartbeats, LaneBeat, NoSpans, NotAccepted, Outcomes, Position, Replies, Reply,
    ReplySink,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::{Answered, Request, SubmitLimits, SubmitPorts, Submitter, Wait};

/// A submitter and its ports.
pub(crate) struct Scripted {
    pub(crate) log: Arc<Log>,
    pub(crate) outcomes: Arc<Stored>,
    pub(crate) replies: Arc<Channel>,
    pub(crate) beats: Arc<Beats>,
    pub(crate) submitter: Arc<Submitter>,
}

impl Scripted {
    pub(crate) async fn start() -> Self {
        Self::start_with(SubmitLimits::default()).await
    }

    pub(crate) async fn start_with(limits: SubmitLimits) -> Self {
        let (log, outcomes) = (Arc::new(Log::default()), Arc::new(Stored::default()));
        let (replies, beats) = (Arc::new(Channel::default()), Arc::new(Beats::default()));
        let ports = SubmitPorts {
            outcomes: Arc::clone(&outcomes) as Arc<dyn Outcomes>,
            replies: Arc::clone(&replies) as Arc<dyn Replies>,
            ..ports(&log, &beats)
        };
        let submitter = Submitter::start(ports, limits).await.unwrap();
        Self { log, outcomes, replies, beats, submitter }
    }

    /// Submits a command from a caller of its own.
    pub(crate) fn submit(&self, request: Request, wait: Wait) -> JoinHandle<Answered> {
        let submitter = self.submitter.clone();
        tokio::spawn(async move { submitter.submit(request, wait).await })
    }

    /// The worker decides the command and its reply arrives.
    pub(crate) fn decide(&self, command: &Command) -> Arc<Commit> {
        let commit = self.outcomes.store(command);
        self.replies.answer(command, Answer::Commit(Arc::clone(&commit)));
        commit
    }
}

/// Ports on this log and these heartbeats, without anything in the others.
pub(crate) fn ports(log: &Arc<Log>, beats: &Arc<Beats>) -> SubmitPorts {
    SubmitPorts {
        registry: Arc::new(ordain_domain::registry().unwrap()),
        log: Arc::clone(log) as Arc<dyn CommandLog>,
        outcomes: Arc::<Stored>::default(),
        replies: Arc::<Channel>::default(),
        heartbeats: Arc::clone(beats) as Arc<dyn Heartbeats>,
        clock: Arc::new(StoppedClock),
        spans: Arc::new(NoSpans),
    }
}

/// A deposit to the account `a`.
pub(crate) fn deposit(request: &str, amount: u64) -> Request {
    Request {
        aggregate: AggregateKey::new("default", "account", "a").unwrap(),
        request: request.parse().unwrap(),
        command: "deposit".parse().unwrap(),
        body: format!("{{\"amount\":{amount}}}").into(),
        expected_sequence: None,
        deadline: None,
        may_be_repeat: true,
        trace: None,
    }
}

/// The success of a command.
pub(crate) fn success(command: &Command) -> Commit {
    Commit {
        aggregate: command.aggregate.clone(),
        request: command.request.clone(),
        command: command.name.clone(),
        fingerprint: command.fingerprint,
        revision: 1,
        sequence: 1,
        outcome: Outcome::Success,
        events: Vec::new(),
        time: Timestamp::default(),
        source: Source { partition: 0, offset: 0, nonce: command.reply_to.nonce },
        trace: command.trace,
    }
}

/// A log that keeps what is appended, and delivers when the test says so.
pub(crate) struct Log {
    appended: watch::Sender<Vec<Command>>,
    promises: Mutex<HashMap<usize, DeliveryPromise>>,
    refuse: Mutex<Option<NotAccepted>>,
    meanwhile: Mutex<Option<Meanwhile>>,
    /// What `ends` gives.
    pub(crate) ends: watch::Sender<Vec<u64>>,
    /// What `progress` gives.
    pub(crate) progress: watch::Sender<Vec<Option<u64>>>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            appended: watch::Sender::default(),
            promises: Mutex::default(),
            refuse: Mutex::default(),
            meanwhile: Mutex::default(),
            ends: watch::Sender::new(vec![0, 0]),
            progress: watch::Sender::new(vec![None, None]),
        }
    }
}

impl Log {
    /// Waits until so many commands were appended, and gives the last of them.
    pub(crate) async fn appended(&self, count: usize) -> Command {
        let mut appended = self.appended.subscribe();
        let appended = appended.wait_for(|commands| commands.len() >= count);
        let within = std::time::Duration::from_secs(600);
        let commands = tokio::time::timeout(within, appended).await;
        commands.expect("a command is appended").unwrap()[count - 1].clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.appended.borrow().len()
    }

    /// Says what became of a command, counted from 1.
    pub(crate) fn deliver(&self, which: usize, delivered: Delivered) {
        self.promises.lock().unwrap().remove(&which).unwrap().fulfil(delivered);
    }

    /// Does this during every later `append` and `progress`, before it returns.
    pub(crate) fn meanwhile(&self, happens: impl FnMut(Option<&Command>) + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Some(Box::new(happens));
    }

    fn happen(&self, command: Option<&Command>) {
        if let Some(happens) = self.meanwhile.lock().unwrap().as_mut() {
            happens(command);
        }
    }

    /// Refuses what comes from now on, or takes it again.
    pub(crate) fn refuse(&self, why: Option<NotAccepted>) {
        *self.refuse.lock().unwrap() = why;
    }
}

/// What happens while a call of the log is on its way; told the command that it appends.
type Meanwhile = Box<dyn FnMut(Option<&Command>) + Send>;

/// A place in the log.
pub(crate) const HERE: Delivered = Delivered::At(Position { partition: 0, offset: 0 });

#[async_trait]
impl CommandLog for Log {
    fn append(&self, command: Command) -> Result<Delivery, NotAccepted> {
        if let Some(why) = self.refuse.lock().unwrap().clone() {
            return Err(why);
        }
        self.happen(Some(&command));
        let (promise, delivery) = Delivery::new();
        self.appended.send_modify(|commands| {
            commands.push(command);
            self.promises.lock().unwrap().insert(commands.len(), promise);
        });
        Ok(delivery)
    }

    async fn ends(&self) -> Result<Vec<u64>, Error> {
        Ok(self.ends.borrow().clone())
    }

    async fn progress(&self) -> Result<Vec<Option<u64>>, Error> {
        self.happen(None);
        Ok(self.progress.borrow().clone())
    }

    async fn prune(&self, _: Timestamp) -> Result<(), Error> {
        Ok(())
    }
}

/// Outcomes that the test stores.
#[derive(Default)]
pub(crate) struct Stored {
    commits: Mutex<HashMap<(AggregateKey, RequestId), Arc<Commit>>>,
    queries: Mutex<Vec<usize>>,
    fails: AtomicBool,
    hangs: AtomicBool,
}

impl Stored {
    /// Stores the success of a command.
    pub(crate) fn store(&self, command: &Command) -> Arc<Commit> {
        let id = (command.aggregate.clone(), command.request.clone());
        let commit = Arc::new(success(command));
        Arc::clone(self.commits.lock().unwrap().entry(id).or_insert(commit))
    }

    /// How many ids each query so far asked for.
    pub(crate) fn queries(&self) -> Vec<usize> {
        self.queries.lock().unwrap().clone()
    }

    /// From now on queries are never answered.
    pub(crate) fn hang(&self) {
        self.hangs.store(true, Ordering::SeqCst);
    }

    /// Whether queries fail from now on.
    pub(crate) fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }
}

#[async_trait]
impl Outcomes for Stored {
    async fn find(
        &self,
        ids: &[(AggregateKey, RequestId)],
    ) -> Result<Vec<Option<Arc<Commit>>>, Error> {
        self.queries.lock().unwrap().push(ids.len());
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.fails.load(Ordering::SeqCst) {
            return Err(Error::new(Action::TryAgain, "as the test says"));
        }
        let commits = self.commits.lock().unwrap();
        Ok(ids.iter().map(|id| commits.get(id).cloned()).collect())
    }
}

/// A reply channel that carries what the test sends.
#[derive(Default)]
pub(crate) struct Channel(Mutex<Option<Arc<dyn ReplySink>>>);

impl Channel {
    /// A reply to this sending arrives.
    pub(crate) fn answer(&self, command: &Command, answer: Answer) {
        let (aggregate, request) = (command.aggregate.clone(), command.request.clone());
        let to: ReplyAddress = command.reply_to.clone();
        self.sink().reply(Reply { to, aggregate, request, answer });
    }

    /// Replies may have been lost.
    pub(crate) fn lost(&self) {
        self.sink().lost();
    }

    fn sink(&self) -> Arc<dyn ReplySink> {
        self.0.lock().unwrap().clone().unwrap()
    }
}

#[async_trait]
impl Replies for Channel {
    async fn subscribe(&self, sink: Arc<dyn ReplySink>) -> Result<Arc<str>, Error> {
        *self.0.lock().unwrap() = Some(sink);
        Ok("test".into())
    }
}

/// The first heartbeat of a worker that has so many partitions, from 0 on, and can handle 100
/// records a second in each.
pub(crate) fn worker(member: &str, partitions: u32) -> Heartbeat {
    let lane = |partition| LaneBeat {
        partition,
        progress: None,
        capacity_per_second: Some(100.0),
        handled_per_second: 0.0,
        oldest_wait_ms: 0,
        stopped: None,
    };
    Heartbeat {
        member: member.to_owned(),
        beat: 1,
        role: "worker".to_owned(),
        version: "1.2.3".to_owned(),
        started: Timestamp::from_nanoseconds(1_777_777_700_000_000_000),
        lanes: (0..partitions).map(lane).collect(),
        announced: Announced::all_of(&ordain_domain::registry().unwrap()).collect(),
        last_error: None,
    }
}

/// Heartbeats that cannot be read until the test says what they are.
#[derive(Default)]
pub(crate) struct Beats(Mutex<Option<Vec<Heartbeat>>>);

impl Beats {
    /// What is read from now on; nothing can be, with `None`.
    pub(crate) fn set(&self, beats: Option<Vec<Heartbeat>>) {
        *self.0.lock().unwrap() = beats;
    }

    /// What is read now.
    pub(crate) fn get(&self) -> Vec<Heartbeat> {
        self.0.lock().unwrap().clone().unwrap()
    }

    /// Every member beats once more.
    pub(crate) fn go_on(&self) {
        let mut beats = self.0.lock().unwrap();
        beats.iter_mut().flatten().for_each(|heartbeat| heartbeat.beat += 1);
    }
}

#[async_trait]
impl Heartbeats for Beats {
    async fn beat(&self, _: Heartbeat) -> Result<(), Error> {
        Err(Error::new(Action::TryAgain, "as the test says"))
    }

    async fn leave(&self, _: &str) -> Result<(), Error> {
        Err(Error::new(Action::TryAgain, "as the test says"))
    }

    async fn beats(&self) -> Result<Vec<Heartbeat>, Error> {
        let beats = self.0.lock().unwrap().clone();
        beats.ok_or_else(|| Error::new(Action::TryAgain, "as the test says"))
    }
}

/// A clock that shows the same time for ever.
pub(crate) struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanoseconds(1_777_777_777_000_000_000)
    }
}
