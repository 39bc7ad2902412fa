//! How long answers take while one thing fails, and nothing else does: measured by a probe that
//! sends at fixed times, so that a stall counts for all who would have come meanwhile.

mod probe;

use std::fmt::Write as _;
use std::time::Duration;

use ordain_tests::faults::SERVERS;
use ordain_tests::{Fleet, OwnServices, Role, Server, ServerOptions, works};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use self::probe::{Probe, Sent};
use crate::figures::Waits;
use crate::hands::{is_primary_at, step_down};
use crate::report;

const PARTITIONS: u32 = 8;
/// How long the probe goes on before each fault, and behind its beginning at least.
const AROUND: Duration = Duration::from_secs(10);
/// How long Redis is away.
const REDIS_AWAY: Duration = Duration::from_secs(30);
/// For so many seconds a primary that has stepped down is none again.
const LONG: i32 = 30;
/// So much more the slowest of a hundred may wait because Redis is away.
const REDIS_COSTS_MAX: f64 = 300.0;
/// This share of the throughput is kept while workers come and go.
const KEPT_MIN: f64 = 0.2;
/// How long workers come and go, how often, and how many clients press meanwhile.
const STORM: Duration = Duration::from_secs(60);
const STORM_EVERY: Duration = Duration::from_secs(5);
const CLIENTS: usize = 64;

const AGAIN: &str = "Again: `cargo xtask faults --only measured`.";
const TABLE: &str = "\n\n\
    Commands were sent at fixed times, 100 a second to 64 accounts through two APIs, each again \
    under its id until it was answered. Waits are from the planned time to the outcome, in \
    milliseconds, of those that were due from the fault until it was over, and for 10 s at least. \
    Silence is the longest time without any outcome. TIMEOUT counts the calls that were so \
    answered. MongoDB has three members, of which another is elected after 4 s of silence (10 s by \
    default); Kafka is one broker.\n\n\
    | what fails | commands | median | p99 | longest | silence | TIMEOUT |\n\
    |---|---|---|---|---|---|---|\n";

/// The fleet that is measured. Its settings are those that there are by default.
struct Measured {
    servers: OwnServices,
    fleet: Fleet,
    server: Server,
    probe: Probe,
    /// The table, and what is to be said below it.
    text: String,
    notes: String,
}

/// Measures all of it. Gives a report, and whether nothing was lost and the limits are kept.
pub(crate) async fn measure() -> (String, bool) {
    let mut measured = Measured::begin().await;
    let quiet = measured.during("nothing", async |_| {}).await;
    let calm = measured.probe.press(CLIENTS, sleep(STORM)).await;
    measured.without_a_worker().await;
    let redis = measured
        .during("Redis is killed and away for 30 s", async |this| {
            this.servers.kill("redis").await;
            sleep(REDIS_AWAY).await;
            this.servers.start_again("redis").await;
        })
        .await;
    let costs = measured.describe_redis(&quiet, &redis);
    measured.elections().await;
    measured
        .during("the only broker is killed and started again at once", async |this| {
            this.servers.kill("kafka").await;
            this.servers.start_again("kafka").await;
        })
        .await;
    let keeps = measured.storm(calm).await;
    let is_whole = measured.probe.is_whole().await;
    let found = if is_whole { "Every" } else { "**Not every**" };
    let _ = writeln!(measured.notes, "\n{found} account has what its commands were answered.");
    let leave = measured.server.terminate().await.success();
    if !leave {
        measured.notes += "\n**Not all processes left in order.**\n";
    }
    (measured.text + &measured.notes, costs && keeps && is_whole && leave)
}

impl Measured {
    async fn begin() -> Self {
        let servers = OwnServices::of(&SERVERS).await.with_secondaries().await;
        let fleet = Fleet::on(servers.services());
        let server = fleet.serve(&options()).await;
        let probe = Probe::open(&server).await;
        let machine = report::machine(&report::commit());
        let text = format!("# What faults cost\n\n{machine} {AGAIN}{TABLE}");
        Self { servers, fleet, server, probe, text, notes: String::new() }
    }

    /// Does something while the probe sends, and writes down what that cost those who were due
    /// from then on.
    async fn during(&mut self, name: &str, fault: impl AsyncFnOnce(&mut Self)) -> Vec<Sent> {
        eprintln!("measuring: {name}");
        let sending = self.probe.begin();
        sleep(AROUND).await;
        let begun = Instant::now();
        fault(self).await;
        let until = Instant::now().max(begun + AROUND);
        sleep_until(until).await;
        let all = sending.end().await;
        let silence = silence(&all, (begun, until));
        let due = all.into_iter().filter(|sent| (begun..until).contains(&sent.planned));
        let due: Vec<Sent> = due.collect();
        self.row(name, &due, silence);
        due
    }

    fn row(&mut self, name: &str, due: &[Sent], silence: Duration) {
        let waits = waits(due);
        let timeouts: u32 = due.iter().map(|sent| sent.timeouts).sum();
        let _ = writeln!(
            self.text,
            "| {name} | {} | {:.1} | {:.0} | {:.0} | {} | {timeouts} |",
            due.len(),
            waits.milliseconds(0.5),
            waits.milliseconds(0.99),
            waits.milliseconds(1.0),
            silence.as_millis(),
        );
    }

    /// One worker of three goes, in two ways.
    async fn without_a_worker(&mut self) {
        let killed = async |this: &mut Self| this.server.kill_one(Role::Worker).await;
        let due = self.during("a worker is killed, and not replaced", killed).await;
        self.describe_partitions("killed", &due);
        self.complete().await;
        let left = async |this: &mut Self| {
            assert!(this.server.terminate_one(Role::Worker).await.success(), "it leaves in order");
        };
        let due = self.during("a worker is asked to leave, and not replaced", left).await;
        self.describe_partitions("asked to leave", &due);
        self.complete().await;
    }

    /// MongoDB's primary goes, in two ways.
    async fn elections(&mut self) {
        self.during(
            "MongoDB's primary steps down, and another of three is elected",
            async |this| {
                step_down(&this.servers.services().mongodb, LONG).await;
            },
        )
        .await;
        is_primary_at(self.servers.ports("mongodb")[0]).await;
        self.during("MongoDB's primary is killed, and another of three is elected", async |this| {
            this.servers.kill("mongodb").await;
        })
        .await;
        self.servers.start_again("mongodb").await;
    }

    /// Says what Redis being away costs, and whether that is as little as it has to be.
    fn describe_redis(&mut self, quiet: &[Sent], away: &[Sent]) -> bool {
        let more = p99(away) - p99(quiet);
        let timeouts: u32 = away.iter().map(|sent| sent.timeouts).sum();
        let _ = writeln!(
            self.notes,
            "\nWhile Redis was away the 99th percentile was {more:.0} ms more (at most \
             {REDIS_COSTS_MAX:.0}), with {timeouts} TIMEOUT (none may be).",
        );
        more <= REDIS_COSTS_MAX && timeouts == 0
    }

    /// The longest wait of each partition: those of the worker that went stand out.
    fn describe_partitions(&mut self, how: &str, due: &[Sent]) {
        let longest = |partition| {
            let of = due.iter().filter(|sent| sent.partition(PARTITIONS) == partition);
            of.map(|sent| sent.wait().as_millis()).max().unwrap_or_default()
        };
        let longest: Vec<_> = (0..PARTITIONS).map(|nth| longest(nth).to_string()).collect();
        let _ = writeln!(
            self.notes,
            "\nThe longest wait in each of the {PARTITIONS} partitions when one worker of three was \
             {how}: {} ms.",
            longest.join(", ")
        );
    }

    /// Says how many outcomes there are while workers come and go, and whether they are as many as
    /// they have to be.
    async fn storm(&mut self, calm: f64) -> bool {
        eprintln!("measuring: a worker leaves and another joins every 5 s");
        let probe = self.probe.clone();
        let blown = async {
            let mut times = interval(STORM_EVERY);
            times.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for _ in 0..STORM.as_secs() / STORM_EVERY.as_secs() {
                times.tick().await;
                let status = self.server.terminate_one(Role::Worker).await;
                assert!(status.success(), "it leaves in order");
                self.start_missing().await;
            }
            times.tick().await;
        };
        let stormy = probe.press(CLIENTS, blown).await;
        let kept = stormy / calm.max(1.0);
        let _ = writeln!(
            self.notes,
            "\n{CLIENTS} clients got {stormy:.0} outcomes a second while a worker left and another \
             joined every 5 s, {calm:.0} while nothing happened: {:.0} % were kept (at least {:.0}).",
            kept * 100.0,
            KEPT_MIN * 100.0,
        );
        kept >= KEPT_MIN
    }

    /// Starts others where some have ended, and waits until all work.
    async fn complete(&mut self) {
        self.start_missing().await;
        works(&self.server.processes(Role::Worker), PARTITIONS).await;
    }

    #[expect(clippy::expect_used, reason = "a fleet that does not start cannot be measured")]
    async fn start_missing(&mut self) {
        self.fleet.complete(&mut self.server, &options()).await.expect("one in its place");
    }
}

fn options() -> ServerOptions {
    ServerOptions {
        partitions: Some(PARTITIONS),
        more_apis: 1,
        more_workers: 2,
        ..ServerOptions::default()
    }
}

fn waits(sent: &[Sent]) -> Waits {
    let nanoseconds = |sent: &Sent| u64::try_from(sent.wait().as_nanos()).unwrap_or(u64::MAX);
    Waits::of(sent.iter().map(nanoseconds).collect())
}

fn p99(sent: &[Sent]) -> f64 {
    waits(sent).milliseconds(0.99)
}

/// The longest time without any outcome, of that which touches the time from one to the other.
fn silence(sent: &[Sent], (from, to): (Instant, Instant)) -> Duration {
    let mut outcomes: Vec<Instant> = sent.iter().map(|sent| sent.answered).collect();
    outcomes.sort_unstable();
    let touching = outcomes.windows(2).filter(|two| two[1] >= from && two[0] <= to);
    touching.map(|two| two[1] - two[0]).max().unwrap_or_default()
}
