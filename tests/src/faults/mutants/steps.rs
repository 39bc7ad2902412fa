//! What the fleet of a mutant goes through beside the load of the clients.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use mongodb::bson::{Document, doc};
use mongodb::options::ReadConcern;
use ordain_checker::history::{Line, Operation, StateRead, Way};
use ordain_model::{AggregateKey, Command, Fingerprint, Json, ReplyAddress, Timestamp};
use ordain_ports::partition_of;
use tokio::time::sleep;

use super::super::clients::reads::found;
use super::super::run::options;
use super::super::{Memory, Run, Strike};
use super::short_lives::amid_short_lives;
use crate::{Client, OwnServices, Role, works};

/// So many commands a step sends.
const COMMANDS: u32 = 60;
/// So many are sent that some of them are in an insert that fails, though few do.
const NEVER_ASKED_FOR: u32 = 200;
/// To so many partitions the log of requests is raised.
const PARTITIONS_MORE: u32 = 16;
/// So many answers are waited for until clients count as having got on.
pub(super) const ANSWERS: u64 = 300;
/// Clients of these steps have numbers of their own.
const NUMBER: u32 = 1_000;
/// How far off the deadlines are.
const DEADLINE: Duration = Duration::from_millis(1_500);
/// What was told of a command that had been accepted.
pub(super) const FORGOTTEN: &str = "unknown-though-accepted";

/// A partition's saved progress was lower than before.
pub(super) const WENT_BACK: &str = "progress-went-back";

/// A command became true long after its deadline.
pub(super) const STORED_LATE: &str = "stored-late";
/// How long Kafka stands still: the driver looks for late events once a second, and nobody is to
/// give up meanwhile, for whoever comes after him publishes again.
const STOPPED_FOR: Duration = Duration::from_millis(1_500);
/// So long after the first of them was sent MongoDB is killed.
const KILLED_AFTER: Duration = Duration::from_millis(150);
/// MongoDB's secondaries are stopped so long after the first of them was sent; twice so long the
/// second time.
const CUT_OFF_AFTER: Duration = Duration::from_millis(60);
/// So often at most, until the primary alone has taken some of them.
const CUTS_OFF_MAX: u32 = 10;
/// So long it may then take some.
const CUT_OFF_FOR: Duration = Duration::from_millis(600);
/// So far the clocks of two processes may be apart.
const CLOCK_ERROR: Duration = Duration::from_secs(1);

/// What a fleet goes through.
#[derive(Debug)]
pub(super) enum Step {
    /// Its clients get on.
    GoesOn,
    /// A process is struck at a crash point that it has passed so often.
    Strike(Strike, (&'static str, Role), u32),
    /// Commands are accepted that nobody ever asks for again.
    NeverAskedFor,
    /// Accepted commands are asked for at once.
    AskedForAtOnce,
    /// One request id is used at two accounts at the same time.
    SameIdElsewhere,
    /// Commands that have succeeded are sent again when their deadline is over.
    AfterTheDeadline,
    /// Another tenant's commands, to aggregates of the same names and under the same ids.
    OtherTenant,
    /// A view is killed between its marks and its rows, whichever of them come first, while
    /// aggregates are left alone.
    KilledView,
    /// A view is paused while it writes rows, beside another one, while aggregates are left alone.
    PausedView,
    /// A worker is paused in its work while others go on; nobody's progress may go back.
    PausedWorker,
    /// Kafka stands still for a while.
    KafkaStopped,
    /// MongoDB is killed and started again.
    MongoKilled,
    /// MongoDB is away until the deadlines of what it was just being sent are over.
    MongoAwayPastDeadlines,
    /// MongoDB's primary is cut off from the others with what it was just being sent, and another
    /// one is elected once the deadlines of that are over.
    MongoRollsBack,
    /// More partitions, with commands in them before any worker has seen them.
    MorePartitions,
}

impl Step {
    /// Of which server it needs one that nobody else uses.
    pub(super) const fn hits(&self) -> Option<&'static str> {
        match self {
            Self::KafkaStopped => Some("kafka"),
            Self::MongoKilled | Self::MongoAwayPastDeadlines | Self::MongoRollsBack => {
                Some("mongodb")
            }
            _ => None,
        }
    }

    /// Whether that MongoDB has to have three members.
    pub(super) const fn cuts_mongodb_off(&self) -> bool {
        matches!(self, Self::MongoRollsBack)
    }

    /// Takes it. Gives what was seen that must not be.
    pub(super) async fn take(
        &self,
        run: &mut Run,
        own: Option<&OwnServices>,
    ) -> Option<&'static str> {
        match self {
            Self::KafkaStopped => {
                let own = own?;
                assert!(own.signal("kafka", "-STOP"), "Kafka is to stop");
                sleep(STOPPED_FOR).await;
                assert!(own.signal("kafka", "-CONT"), "Kafka is to go on");
                run.gets_on(ANSWERS).await;
            }
            Self::MongoKilled => {
                if let Some(own) = own {
                    own.kill("mongodb").await;
                    own.start_again("mongodb").await;
                }
                run.gets_on(ANSWERS).await;
            }
            Self::MongoAwayPastDeadlines => return away_past_deadlines(run, own?).await,
            Self::MongoRollsBack => rolls_back(run, own?).await,
            Self::GoesOn => drop(run.gets_on(ANSWERS).await),
            Self::KilledView => {
                let at = ("C11", Role::View);
                amid_short_lives(run, async |run| run.strike(Strike::Kill, at, 30).await).await;
            }
            Self::PausedView => paused_view(run).await,
            Self::PausedWorker => return paused_worker(run).await,
            Self::Strike(strike, at, passed) => run.strike(*strike, *at, *passed).await,
            Self::NeverAskedFor => never_asked_for(run).await,
            Self::AskedForAtOnce => return asked_for_at_once(run).await,
            Self::SameIdElsewhere => same_id_elsewhere(run).await,
            Self::AfterTheDeadline => after_the_deadline(run).await,
            Self::OtherTenant => append(run, "other", |n| format!("a{}", n % 10)).await,
            Self::MorePartitions => {
                signal(run, Role::Worker, "-STOP");
                let ensured = run.fleet.ensure(Some(PARTITIONS_MORE)).await;
                assert!(ensured.is_ok(), "{ensured:?}");
                append(run, "default", |n| format!("new-{n}")).await;
                signal(run, Role::Worker, "-CONT");
                works(&run.server.processes(Role::Worker), PARTITIONS_MORE).await;
                run.gets_on(ANSWERS).await;
                // Progress goes past whatever was left out.
                append(run, "default", newer).await;
            }
        }
        None
    }
}

fn signal(run: &Run, role: Role, signal: &str) {
    run.server.processes(role).iter().for_each(|process| process.signal(signal));
}

async fn paused_view(run: &mut Run) {
    let second = run.fleet.start("view", &options(&run.failpoints, None)).await;
    #[expect(clippy::expect_used, reason = "a test whose view does not start has failed")]
    let second = second.expect("a second view");
    let at = ("Z4", Role::View);
    amid_short_lives(run, async |run| run.strike(Strike::Pause, at, 30).await).await;
    assert_eq!(second.terminate().await.code(), Some(0), "it leaves in order");
}

async fn paused_worker(run: &mut Run) -> Option<&'static str> {
    let stores = run.fleet.stores().await;
    let went_back = async {
        let mut last = Vec::new();
        loop {
            // Whoever cannot answer just now is asked again.
            let Ok(progress) = stores.log.progress().await else { continue };
            if last.iter().zip(&progress).any(|(last, now)| last > now) {
                return;
            }
            last = progress;
        }
    };
    let struck = async {
        run.strike(Strike::Pause, ("Z1", Role::Worker), 40).await;
        run.gets_on(ANSWERS).await;
    };
    tokio::pin!(went_back, struck);
    let seen = tokio::select! {
        () = &mut went_back => Some(WENT_BACK),
        () = &mut struck => None,
    };
    if seen.is_some() {
        struck.await;
    }
    seen
}

pub(super) fn operation((kind, id): (&str, &str), command: &str, request: String) -> Operation {
    let data = match command {
        "deposit" => r#"{"amount":1}"#,
        "create" => r#"{"cleaners":["ann"],"tasks":[]}"#,
        _ => "{}",
    };
    Operation {
        tenant: None,
        kind: kind.to_owned(),
        id: id.to_owned(),
        request,
        command: command.to_owned(),
        data: data.to_owned(),
        expected_sequence: None,
        deadline: None,
    }
}

/// Sends it once, and writes down what came back; gives the status.
pub(super) async fn send(
    memory: &Memory,
    api: &Client,
    operation: &Operation,
    more: &[(&str, &str)],
) -> Option<u16> {
    let Operation { kind, id, command, data, request, .. } = operation;
    let call = memory.call(NUMBER, (Way::Send, 1), operation);
    let headers: Vec<_> =
        [("idempotency-key", request.as_str())].iter().chain(more).copied().collect();
    let told = api.send_with(&format!("/v1/{kind}/{id}/{command}"), &headers, data).await.ok();
    memory.answer(call, told.as_ref());
    told.map(|told| told.status)
}

async fn never_asked_for(run: &mut Run) {
    let api = run.server.client();
    for number in 0..NEVER_ASKED_FOR {
        let name = format!("never-{number}");
        let opened = operation(("account", &name), "open", name.clone());
        send(&run.memory, &api, &opened, &[("prefer", "respond-async")]).await;
    }
}

async fn asked_for_at_once(run: &mut Run) -> Option<&'static str> {
    let api = run.server.client();
    let mut seen = None;
    for number in 0..COMMANDS {
        let name = format!("at-once-{number}");
        let opened = operation(("account", &name), "open", name.clone());
        let status = send(&run.memory, &api, &opened, &[("prefer", "respond-async")]).await;
        let asked = Operation { command: String::new(), data: String::new(), ..opened.clone() };
        let call = run.memory.call(NUMBER, (Way::LookUp, 1), &asked);
        let path = format!("/v1/account/{}/requests/{}?wait=0", opened.id, opened.request);
        let told = api.get(&path).await.ok();
        run.memory.answer(call, told.as_ref());
        if status == Some(202) && told.is_some_and(|told| told.status == 404) {
            seen = Some(FORGOTTEN);
        }
    }
    seen
}

async fn same_id_elsewhere(run: &mut Run) {
    let api = run.server.client();
    for number in 0..COMMANDS {
        let both = [0, 1, 2, 3].map(|account| {
            operation(("account", &format!("a{account}")), "deposit", format!("same-{number}"))
        });
        join_all(both.iter().map(|one| send(&run.memory, &api, one, &[]))).await;
    }
}

/// Deposits that are not to be taken up later than this, and how a header says that.
fn timely(name: &str, by: SystemTime, count: u32) -> (Vec<Operation>, String) {
    let since = by.duration_since(UNIX_EPOCH).unwrap_or_default();
    let nanoseconds = i64::try_from(since.as_nanos()).unwrap_or(i64::MAX);
    let deadline = Timestamp::from_nanoseconds(nanoseconds).to_string();
    let timely = |number| Operation {
        deadline: Some(nanoseconds),
        ..operation(
            ("account", &format!("a{}", number % 10)),
            "deposit",
            format!("{name}-{number}"),
        )
    };
    ((0..count).map(timely).collect(), deadline)
}

/// Sends commands that have still time while MongoDB is killed, and starts it again when they have
/// none any more. Its log of operations says when it took each.
async fn away_past_deadlines(run: &mut Run, own: &OwnServices) -> Option<&'static str> {
    let api = run.server.client();
    let by = SystemTime::now() + DEADLINE;
    let (timely, deadline) = timely("timely", by, COMMANDS);
    let headers = [("ordain-deadline", deadline.as_str()), ("prefer", "respond-async")];
    let sent = join_all(timely.iter().map(|one| send(&run.memory, &api, one, &headers)));
    let killed = async {
        sleep(KILLED_AFTER).await;
        own.kill("mongodb").await;
    };
    tokio::join!(sent, killed);
    sleep(2 * DEADLINE).await;
    own.start_again("mongodb").await;
    run.gets_on(ANSWERS).await;
    let latest = mongodb::bson::DateTime::from_system_time(by + CLOCK_ERROR);
    let late = doc! {
        "op": "i", "o._id": { "$regex": "/timely-" }, "o.outcome": "SUCCESS",
        "wall": { "$gt": latest },
    };
    #[expect(clippy::expect_used, reason = "a test that cannot read its server has failed")]
    let found = {
        let client = mongodb::Client::with_uri_str(&own.services().mongodb).await;
        let log = client.expect("a server").database("local").collection::<Document>("oplog.rs");
        log.find_one(late).await.expect("the log of operations")
    };
    found.map(|_| STORED_LATE)
}

/// Sends commands that have still time and stops the secondaries, until the primary alone has some
/// of them; reads the states that it has then, and lets the others elect one of them when there is
/// no time any more.
async fn rolls_back(run: &mut Run, own: &OwnServices) {
    let api = run.server.client();
    let mut is_cut_off = false;
    for attempt in 1..=CUTS_OFF_MAX {
        let by = SystemTime::now() + DEADLINE;
        let (timely, deadline) = timely(&format!("timely{attempt}"), by, COMMANDS);
        let headers = [("ordain-deadline", deadline.as_str()), ("prefer", "respond-async")];
        let sent = join_all(timely.iter().map(|one| send(&run.memory, &api, one, &headers)));
        let cut_off = async {
            sleep(attempt * CUT_OFF_AFTER).await;
            own.signal_secondaries("-STOP");
            sleep(CUT_OFF_FOR).await;
        };
        tokio::join!(sent, cut_off);
        is_cut_off = may_vanish(own, &format!("/timely{attempt}-")).await;
        if is_cut_off {
            break;
        }
        own.signal_secondaries("-CONT");
        run.gets_on(ANSWERS).await;
    }
    assert!(is_cut_off, "the primary alone had nothing, {CUTS_OFF_MAX} times");
    let mut states = 0;
    for account in 0..10 {
        states += u32::from(read_state(run, &api, &format!("a{account}")).await);
    }
    assert!(states > 0, "no state could be read");
    own.kill("mongodb").await;
    sleep(DEADLINE).await;
    // What the primary had sent to them, and they have not taken, is gone with their connections.
    own.start_secondaries_again().await;
    run.gets_on(ANSWERS).await;
}

/// Whether the primary has successes of requests of this name that no majority has.
#[expect(clippy::expect_used, reason = "a test that cannot read its server has failed")]
async fn may_vanish(own: &OwnServices, name: &str) -> bool {
    let client = mongodb::Client::with_uri_str(&own.services().mongodb).await.expect("a server");
    let names = client.list_database_names().await.expect("databases");
    for database in names.iter().filter(|name| name.starts_with("test-")) {
        let commits = client.database(database).collection::<Document>("commits");
        let successes = doc! { "_id": { "$regex": name }, "outcome": "SUCCESS" };
        let has = async |concern: ReadConcern| {
            let found = commits.find(successes.clone()).read_concern(concern).await;
            found.expect("commits").count().await
        };
        if has(ReadConcern::local()).await > has(ReadConcern::majority()).await {
            return true;
        }
    }
    false
}

/// Reads an account's state, if it can be read, and writes it down; says whether it could.
async fn read_state(run: &Run, api: &Client, account: &str) -> bool {
    let called = run.memory.now();
    let Ok(told) = api.get(&format!("/v1/account/{account}")).await else { return false };
    let read = StateRead {
        called,
        at: run.memory.now(),
        session: NUMBER,
        aggregate: format!("default/account/{account}"),
        revision: 0,
        sequence: 0,
        state: String::new(),
    };
    let read = found(&told, read).filter(|_| told.status == 200);
    read.inspect(|read| run.memory.write(&Line::StateRead(read.clone()))).is_some()
}

/// Names of new accounts, in every partition in turn.
#[expect(clippy::expect_used, reason = "these names are keys")]
fn newer(number: u32) -> String {
    let is_in_turn = |name: &String| {
        let key = AggregateKey::new("default", "account", name).expect("a key");
        partition_of(&key, PARTITIONS_MORE) == number % PARTITIONS_MORE
    };
    let mut names = (0_u32..).map(|nth| format!("newer-{number}-{nth}"));
    names.find(is_in_turn).unwrap_or_default()
}

async fn after_the_deadline(run: &mut Run) {
    let api = run.server.client();
    let (timely, deadline) = timely("timely", SystemTime::now() + DEADLINE, 8);
    let headers = [("ordain-deadline", deadline.as_str())];
    join_all(timely.iter().map(|one| send(&run.memory, &api, one, &headers))).await;
    sleep(2 * DEADLINE).await;
    join_all(timely.iter().map(|one| send(&run.memory, &api, one, &headers))).await;
}

/// Appends commands to the log past the APIs: as one of another fleet's tenant would, or one that
/// knows of more partitions than the workers do.
#[expect(clippy::expect_used, reason = "a test that cannot write to its log has failed")]
async fn append(run: &mut Run, tenant: &str, name: impl Fn(u32) -> String) {
    let stores = run.fleet.stores().await;
    let registry = ordain_domain::registry().expect("the example types");
    let account = registry.get("account").expect("accounts");
    let schema = account.definition().command("open").expect("it can be opened").schema.hash();
    for number in 0..COMMANDS {
        let name = name(number);
        let command = Command {
            aggregate: AggregateKey::new(tenant, "account", &name).expect("a key"),
            request: format!("open-{name}").parse().expect("an id"),
            name: "open".parse().expect("a name"),
            schema,
            data: Json::try_from("{}".to_owned()).expect("JSON"),
            fingerprint: Fingerprint::of_unreadable(name.as_bytes()),
            expected_sequence: None,
            deadline: None,
            reply_to: ReplyAddress { channel: "nobody".into(), nonce: u64::from(number) },
            time: Timestamp::default(),
            trace: None,
        };
        let delivered = stores.log.append(command).expect("room in the log").await;
        assert!(matches!(delivered, ordain_ports::Delivered::At(_)), "{delivered:?}");
    }
    stores.close().await;
}
