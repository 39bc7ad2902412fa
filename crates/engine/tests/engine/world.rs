//! A worker in a world: the embedded home in a new directory, faulty ports over it, a clock that
//! the test sets, and what can be seen from outside.

use std::collections::BTreeMap;
use std::sync::Arc;

use ordain_embedded::Home;
use ordain_engine::{Ports, Settings, Watchdog, Worker};
use ordain_model::{
    AggregateKey, Command, Commit, Document, Fingerprint, Fingerprinted, Json, Limits, Outcome,
    Registry, ReplyAddress, RequestId, Rules, Timestamp,
};
use ordain_ports::{Clock, Content, Delivered, Input, NoSpans, Position, Published, Reply, Spans};
use ordain_testkit::clock::Manual;
use ordain_testkit::faulty::{self, Control};
use ordain_testkit::{until, within};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::asked::Asked;
use crate::probe::Probe;

/// The time that the clock of a new world shows.
pub(crate) const START: Timestamp = Timestamp::from_nanoseconds(1_800_000_000_000_000_000);

/// Everything around a worker.
pub(crate) struct World {
    pub(crate) home: Home,
    pub(crate) commits: Arc<faulty::Commits>,
    pub(crate) outcomes: Arc<Asked>,
    pub(crate) events: Arc<faulty::EventLog>,
    pub(crate) replies: Arc<faulty::ReplySender>,
    pub(crate) clock: Manual,
    pub(crate) settings: Settings,
    pub(crate) registry: Arc<Registry>,
    directory: Option<tempfile::TempDir>,
}

/// A worker at work.
pub(crate) struct Working {
    pub(crate) control: Control,
    leave: CancellationToken,
    task: JoinHandle<Result<(), ordain_ports::Error>>,
}

impl Working {
    /// Makes the worker leave, and waits until it has.
    pub(crate) async fn drain(self) {
        self.leave();
        self.left().await;
    }

    /// Makes the worker leave, and does not wait.
    pub(crate) fn leave(&self) {
        self.leave.cancel();
    }

    /// Waits until the worker has left.
    pub(crate) async fn left(self) {
        within("the worker to leave", self.task).await.unwrap().unwrap();
    }

    /// Waits until the worker has ended by itself, and gives why.
    pub(crate) async fn error(self) -> ordain_ports::Error {
        within("the worker to end", self.task).await.unwrap().unwrap_err()
    }

    /// Ends the worker as a crash does.
    pub(crate) async fn crash(self) {
        self.task.abort();
        drop(within("the worker to be gone", self.task).await);
    }
}

/// What a test wants done.
#[derive(Clone)]
pub(crate) struct Wanted {
    pub(crate) command: Command,
}

/// The command `name` to the probe `id` under `request`.
pub(crate) fn wanted(id: &str, request: &str, name: &str, data: &str) -> Wanted {
    let aggregate = AggregateKey::new("default", "probe", id).unwrap();
    let document = Document::parse(data.as_bytes(), &Limits::default()).unwrap();
    let body = document.canonical();
    let registry = registry();
    let handler = registry.get("probe").unwrap();
    let schema = handler.definition().command(name).map(|command| command.schema.hash());
    let fingerprint = Fingerprint::of(&Fingerprinted {
        aggregate: &aggregate,
        command: name,
        expected_sequence: None,
        deadline: None,
        body: body.as_bytes(),
    });
    let unknown = || ordain_model::Schema::compile("{}").unwrap().hash();
    Wanted {
        command: Command {
            aggregate,
            request: request.parse().unwrap(),
            name: name.parse().unwrap(),
            schema: schema.unwrap_or_else(unknown),
            data: Json::try_from(data.to_owned()).unwrap(),
            fingerprint,
            expected_sequence: None,
            deadline: None,
            reply_to: ReplyAddress { channel: "test".into(), nonce: 7 },
            time: START,
            trace: None,
        },
    }
}

/// Adds 1 to the probe `id` under `request`.
pub(crate) fn add(id: &str, request: &str) -> Wanted {
    wanted(id, request, "add", r#"{"by":1}"#)
}

impl Wanted {
    pub(crate) fn expecting(mut self, sequence: u64) -> Self {
        self.command.expected_sequence = Some(sequence);
        self
    }

    pub(crate) fn before(mut self, deadline: Timestamp) -> Self {
        self.command.deadline = Some(deadline);
        self
    }
}

fn registry() -> Registry {
    Registry::new([Arc::new(Rules::<Probe>::new().unwrap()) as Arc<dyn ordain_model::Handler>])
        .unwrap()
}

/// A lane that remembers no outcomes: repeats come to light where the store is asked.
pub(crate) fn forgetful() -> Settings {
    Settings { lane_outcomes_bytes_max: 0, ..Settings::default() }
}

/// The key of the probe `id`.
pub(crate) fn probe(id: &str) -> AggregateKey {
    AggregateKey::new("default", "probe", id).unwrap()
}

impl World {
    /// A world with one partition.
    pub(crate) async fn new() -> Self {
        Self::with(1, Settings::default())
    }

    pub(crate) fn with(partitions: u32, settings: Settings) -> Self {
        let embedded = ordain_embedded::Settings {
            partitions: Some(partitions),
            ..ordain_embedded::Settings::default()
        };
        Self::on(&embedded, settings)
    }

    /// A world with one partition, which moves at once from a lane that does not give it back.
    pub(crate) fn impatient() -> Self {
        let embedded = ordain_embedded::Settings {
            partitions: Some(1),
            revoke_ms_max: 20,
            ..ordain_embedded::Settings::default()
        };
        Self::on(&embedded, Settings::default())
    }

    fn on(embedded: &ordain_embedded::Settings, settings: Settings) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::open(directory.path(), embedded).unwrap();
        Self {
            commits: faulty::Commits::new(home.commits()),
            outcomes: Asked::new(home.outcomes()),
            events: faulty::EventLog::new(home.event_log()),
            replies: faulty::ReplySender::new(home.reply_sender()),
            clock: Manual::at(START),
            settings,
            registry: Arc::new(registry()),
            home,
            directory: Some(directory),
        }
    }

    /// The same directory, opened again with so many partitions.
    pub(crate) async fn reopen(mut self, partitions: u32) -> Self {
        let directory = self.directory.take().unwrap();
        let (settings, clock) = (self.settings.clone(), self.clock.clone());
        self.home.close().await;
        drop(self);
        let embedded = ordain_embedded::Settings {
            partitions: Some(partitions),
            ..ordain_embedded::Settings::default()
        };
        let home = Home::open(directory.path(), &embedded).unwrap();
        Self {
            commits: faulty::Commits::new(home.commits()),
            outcomes: Asked::new(home.outcomes()),
            events: faulty::EventLog::new(home.event_log()),
            replies: faulty::ReplySender::new(home.reply_sender()),
            clock,
            settings,
            registry: Arc::new(registry()),
            home,
            directory: Some(directory),
        }
    }

    fn ports(&self) -> Ports {
        Ports {
            log: self.home.command_log(),
            commits: Arc::clone(&self.commits) as _,
            outcomes: Arc::clone(&self.outcomes) as _,
            snapshots: self.home.snapshots(),
            replies: Arc::clone(&self.replies) as _,
            events: Arc::clone(&self.events) as _,
            dead_letters: self.home.dead_letters(),
            crash_marks: self.home.crash_marks(),
            announcements: self.home.announcements(),
            heartbeats: self.home.heartbeats(),
            spans: Arc::new(NoSpans),
            clock: Arc::new(self.clock.clone()),
        }
    }

    /// Starts a worker.
    pub(crate) fn work(&self) -> Working {
        self.work_with(self.ports())
    }

    /// Starts a worker over the home itself, without faults: a rival.
    pub(crate) fn work_without_faults(&self) -> Working {
        let mut ports = self.ports();
        ports.commits = self.home.commits();
        ports.events = self.home.event_log();
        self.work_with(ports)
    }

    /// Starts a worker that reads this clock.
    pub(crate) fn work_by(&self, clock: Arc<dyn Clock>) -> Working {
        self.work_with(Ports { clock, ..self.ports() })
    }

    /// Starts a worker that tells there what it does for commands that belong to a trace.
    pub(crate) fn work_telling(&self, spans: Arc<dyn Spans>) -> Working {
        self.work_with(Ports { spans, ..self.ports() })
    }

    fn work_with(&self, ports: Ports) -> Working {
        let watchdog = Watchdog::start(self.settings.decide_ms_max, |_| ()).unwrap();
        let registry = Arc::clone(&self.registry);
        let worker = Worker::new(ports, registry, self.settings.clone(), watchdog);
        let (feed, control) = faulty::Feed::wrap(self.home.join_requests());
        let leave = CancellationToken::new();
        let told = leave.clone();
        let task = tokio::spawn(async move { worker.run(feed, told).await });
        Working { control, leave, task }
    }

    /// Appends commands, in this order, and waits until they are durable.
    pub(crate) async fn append(&self, wanted: &[Wanted]) -> Vec<Position> {
        let log = self.home.command_log();
        let deliveries: Vec<_> =
            wanted.iter().map(|wanted| log.append(wanted.command.clone()).unwrap()).collect();
        let mut positions = Vec::new();
        for delivery in deliveries {
            match within("a delivery", delivery).await {
                Delivered::At(position) => positions.push(position),
                other => panic!("not delivered: {other:?}"),
            }
        }
        positions
    }

    /// The outcome of a request, once there is one.
    pub(crate) async fn outcome(&self, id: &str, request: &str) -> Arc<Commit> {
        until(&format!("the outcome of {request}"), || self.find(id, request)).await
    }

    pub(crate) async fn find(&self, id: &str, request: &str) -> Option<Arc<Commit>> {
        let request: RequestId = request.parse().unwrap();
        self.home.outcomes().find(&[(probe(id), request)]).await.unwrap().remove(0)
    }

    /// Waits until everything in the log is done.
    pub(crate) async fn settled(&self) {
        self.settled_where(|_| true).await;
    }

    /// Waits until everything in these partitions of the log is done.
    pub(crate) async fn settled_where(&self, is_meant: impl Fn(usize) -> bool) {
        let log = self.home.command_log();
        let ends = log.ends().await.unwrap();
        until("all progress", || async {
            let progress = log.progress().await.unwrap();
            let is_done = |(end, saved): (&u64, &Option<u64>)| saved.unwrap_or(0) >= *end;
            let mut meant = ends.iter().zip(&progress).enumerate().filter(|(at, _)| is_meant(*at));
            meant.all(|(_, partition)| is_done(partition)).then_some(())
        })
        .await;
    }

    /// All commits of a probe.
    pub(crate) async fn history(&self, id: &str) -> Vec<Arc<Commit>> {
        let load = ordain_ports::Load { aggregate: probe(id), fold_version: u32::MAX };
        self.home.commits().load(&[load]).await.unwrap().remove(0).tail
    }

    /// All that was published so far, as a follower reads it.
    pub(crate) async fn published(&self) -> Vec<Published> {
        let group = format!("test-{}", uuid());
        let mut feed = self.home.join_events(&group);
        let mut all = Vec::new();
        for _ in 0..self.home.event_partitions() {
            let lane = within("a lane", feed.lane()).await.unwrap().unwrap();
            let quiet = std::time::Duration::from_millis(200);
            while let Ok(input) = tokio::time::timeout(quiet, lane.next(1_000, 1 << 20)).await {
                let Input::Records(records) = input.unwrap() else {
                    break;
                };
                for record in records {
                    let Content::Whole(event) = record.content else { panic!("damaged") };
                    all.push(event);
                }
            }
        }
        all
    }

    /// The replies that were sent.
    pub(crate) fn replied(&self) -> Vec<Reply> {
        self.replies.asked()
    }

    /// Everything that must hold of these probes, whatever went wrong on the way.
    pub(crate) async fn check(&self, ids: &[&str]) {
        self.settled().await;
        let published = self.published().await;
        for id in ids {
            let commits = self.history(id).await;
            check_line(&commits);
            let events: Vec<_> = commits.iter().flat_map(|commit| &commit.events).collect();
            let mut first = BTreeMap::new();
            let mut reached = 0;
            for seen in published.iter().filter(|seen| seen.aggregate == probe(id)) {
                let sequence = seen.event.sequence;
                assert!(sequence <= reached + 1, "{id}: {sequence} overtook {}", reached + 1);
                reached = reached.max(sequence);
                first.entry(sequence).or_insert_with(|| seen.event.clone());
            }
            assert_eq!(first.values().collect::<Vec<_>>(), events, "{id}: events as committed");
        }
    }
}

fn uuid() -> u128 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    u128::from(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Revisions and sequences without gap, times that grow, request ids that are unique.
fn check_line(commits: &[Arc<Commit>]) {
    let mut sequence = 0;
    let mut time = Timestamp::from_nanoseconds(i64::MIN);
    let mut requests = std::collections::HashSet::new();
    for (revision, commit) in (1..).zip(commits) {
        assert_eq!(commit.revision, revision, "revisions without gap");
        assert!(requests.insert(commit.request.clone()), "{} decided twice", commit.request);
        assert!(commit.time > time, "times grow");
        for event in &commit.events {
            sequence += 1;
            assert_eq!(event.sequence, sequence, "sequences without gap");
            assert!(event.time >= commit.time && event.time > time, "times grow");
            time = event.time;
        }
        time = time.max(commit.time);
        assert_eq!(commit.sequence, sequence, "the sequence counts the events");
        let is_success = commit.outcome == Outcome::Success;
        assert!(is_success || commit.events.is_empty(), "only success has events");
    }
}
