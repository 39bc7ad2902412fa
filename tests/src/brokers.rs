//! Three brokers of Kafka for one run, each a controller, too: all that is acknowledged is on two.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use ordain_testkit::free_port;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::own_services::send_signal;
use crate::until;

/// So many there are.
pub const BROKERS: usize = 3;
const CLUSTER: &str = "MkU3OEVBNTcwNTJENDM2Qk";
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Of all brokers alike. Who is silent is given up as soon as a machine with much to do allows.
const SETTINGS: &str = "process.roles=broker,controller
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
auto.create.topics.enable=false
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
message.max.bytes=4194304
replica.fetch.max.bytes=4194304
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
replica.lag.time.max.ms=4000
controller.quorum.fetch.timeout.ms=2000
controller.quorum.election.timeout.ms=1000
log.cleaner.dedupe.buffer.size=16777216
";

/// The brokers. They end with it.
#[derive(Debug)]
pub struct Brokers {
    brokers: Vec<Broker>,
    directory: TempDir,
    jars: PathBuf,
}

#[derive(Debug)]
struct Broker {
    port: u16,
    process: Child,
}

#[expect(clippy::expect_used, reason = "a test whose servers do not start has failed")]
impl Brokers {
    /// Starts them out of the jars in this directory.
    ///
    /// # Panics
    /// When they do not come up.
    pub async fn start(jars: &Path) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let ports: Vec<[u16; 2]> = (0..BROKERS).map(|_| [free_port(), free_port()]).collect();
        let voters: Vec<String> = ports
            .iter()
            .zip(1..)
            .map(|([_, port], node)| format!("{node}@127.0.0.1:{port}"))
            .collect();
        let mut brokers = Vec::new();
        for ([port, controller], node) in ports.into_iter().zip(1..) {
            let file = settings(directory.path(), node);
            let data = directory.path().join(format!("data-{node}"));
            let (data, voters) = (data.display(), voters.join(","));
            let text = format!(
                "{SETTINGS}node.id={node}\ncontroller.quorum.voters={voters}\nlog.dirs={data}\n\
                 listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
                 advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n"
            );
            std::fs::write(&file, text).expect("a file for its settings");
            let mut format = java(jars);
            format.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c"]).arg(&file);
            assert!(format.status().await.expect("java").success(), "broker {node} is formatted");
            brokers.push(Broker { port, process: run(jars, &file) });
        }
        let brokers = Self { brokers, directory, jars: jars.to_owned() };
        brokers.are_level().await;
        brokers
    }

    /// Where clients find them.
    #[must_use]
    pub fn addresses(&self) -> String {
        let address = |broker: &Broker| format!("127.0.0.1:{}", broker.port);
        self.brokers.iter().map(address).collect::<Vec<_>>().join(",")
    }

    /// Asks one to leave (`-TERM`), or ends it as a crash does (`-KILL`), and starts it again after
    /// this time. Waits until it has all that the others have.
    ///
    /// # Panics
    /// When it does not end, or does not come back.
    pub async fn restart(&mut self, number: usize, (signal, away): (&str, Duration)) {
        let broker = &mut self.brokers[number];
        let process = broker.process.id().expect("a broker that runs");
        assert!(send_signal(signal, i64::from(process)), "broker {number} gets {signal}");
        let ended = tokio::time::timeout(crate::WAIT_MAX, broker.process.wait()).await;
        ended.expect("a broker that ends").expect("a broker that ends");
        tokio::time::sleep(away).await;
        broker.process = run(&self.jars, &settings(self.directory.path(), number + 1));
        self.are_level().await;
    }

    /// Waits until all are there, and each has all that any has.
    async fn are_level(&self) {
        until("three brokers that are level", || async {
            let addresses = self.addresses();
            tokio::task::spawn_blocking(move || is_level(&addresses)).await.ok()?
        })
        .await;
    }
}

fn is_level(addresses: &str) -> Option<()> {
    let mut config = ClientConfig::new();
    let consumer: BaseConsumer = config.set("bootstrap.servers", addresses).create().ok()?;
    let metadata = consumer.fetch_metadata(None, ANSWER_MAX).ok()?;
    let mut partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
    let is_whole = partitions.all(|partition| partition.isr().len() == BROKERS);
    (metadata.brokers().len() == BROKERS && is_whole).then_some(())
}

fn settings(directory: &Path, node: usize) -> PathBuf {
    directory.join(format!("{node}.properties"))
}

fn java(jars: &Path) -> Command {
    let mut command = Command::new("java");
    command.arg("-cp").arg(jars.join("jars/*"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.kill_on_drop(true);
    command
}

#[expect(clippy::expect_used, reason = "a test whose servers do not start has failed")]
fn run(jars: &Path, settings: &Path) -> Child {
    let mut command = java(jars);
    command.args(["-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "kafka.Kafka"]).arg(settings);
    command.spawn().expect("a broker")
}
