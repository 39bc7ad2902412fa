//! The two homes that the same scenarios run on: a directory, and a fleet on real services.

use std::collections::BTreeMap;
use std::path::Path;

use ordain_testkit::{Services, services};
use tempfile::TempDir;
use tokio::process::Command;

use crate::server::{Member, start_on_directory, started};
use crate::{
    Client, FinalEvents, Process, Role, Server, ServerOptions, Stores, broken_binary,
    read_events_of_fleet, read_final_events, until,
};

/// A directory of its own.
#[derive(Debug)]
pub struct Directory(TempDir);

impl Directory {
    /// A new one.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn new() -> Self {
        Self(directory())
    }

    /// Starts a server on it and waits until it works.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn serve(&self, options: &ServerOptions) -> Server {
        started(self.try_serve(options).await)
    }

    /// The same; what the server wrote, when it does not start.
    ///
    /// # Errors
    /// All that it wrote to standard error.
    pub async fn try_serve(&self, options: &ServerOptions) -> Result<Server, String> {
        Server::try_start(self.0.path(), options).await
    }

    /// Starts the server again where it has ended.
    ///
    /// # Errors
    /// All that it wrote to standard error, when it does not start.
    pub async fn complete(
        &self,
        server: &mut Server,
        options: &ServerOptions,
    ) -> Result<(), String> {
        server.complete(async |_, _| start_on_directory(self.0.path(), options).await).await
    }

    /// Where the server has ended, starts it once more and ends it in order: the next run hands
    /// commands over before these are durable, which one that follows on a crash does not.
    ///
    /// # Errors
    /// All that it wrote to standard error, when it does not start.
    ///
    /// # Panics
    /// When it does not end in order.
    pub async fn end_in_order(
        &self,
        server: &mut Server,
        options: &ServerOptions,
    ) -> Result<(), String> {
        self.complete(server, options).await?;
        let status = server.terminate_one(Role::Worker).await;
        assert!(status.success(), "{}", server.log());
        Ok(())
    }

    /// All that a follower of its events reads, once nobody serves it: at least so many events of
    /// each aggregate.
    ///
    /// # Panics
    /// When they are not there, or not in order.
    pub async fn final_events(&self, least: &BTreeMap<String, usize>) -> FinalEvents {
        read_final_events(self.0.path(), least).await
    }

    /// Its logs and stores, while nobody serves it.
    ///
    /// # Panics
    /// When somebody does.
    pub async fn stores(&self) -> Stores {
        std::future::ready(Stores::of_directory(self.0.path())).await
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Default for Directory {
    fn default() -> Self {
        Self::new()
    }
}

/// A fleet with a prefix of its own.
#[derive(Debug)]
pub struct Fleet {
    directory: TempDir,
    prefix: String,
    services: Services,
    replication: u32,
}

/// How many partitions a new fleet's log of requests has.
const PARTITIONS: u32 = 4;
/// How many its log of events has.
const EVENT_PARTITIONS: &str = "4";

impl Fleet {
    /// A new one, on the services that all tests share.
    ///
    /// # Panics
    /// When they are not up.
    #[must_use]
    pub fn new() -> Self {
        Self::on(&services())
    }

    /// A new one, on these services.
    ///
    /// # Panics
    /// When its configuration cannot be written.
    #[must_use]
    pub fn on(services: &Services) -> Self {
        let prefix = format!("test-{}", uuid::Uuid::new_v4());
        let fleet =
            Self { directory: directory(), prefix, services: services.clone(), replication: 1 };
        fleet.configure(&fleet.file(), services);
        fleet
    }

    /// The same, each record kept by so many brokers.
    #[must_use]
    pub fn replicated(self, replication: u32) -> Self {
        Self { replication, ..self }
    }

    /// Lets the processes that are started in this place, the first of a role or another, find
    /// servers where these are.
    ///
    /// # Panics
    /// When its configuration cannot be written.
    pub fn redirect(&self, (role, number): (Role, usize), services: &Services) {
        self.configure(&self.place(&role.to_string(), number), services);
    }

    fn place(&self, role: &str, number: usize) -> std::path::PathBuf {
        self.directory.path().join(format!("{role}-{number}.toml"))
    }

    fn configure(&self, file: &Path, services: &Services) {
        let configuration = format!(
            "prefix = {:?}\nlisten = \"127.0.0.1:0\"\nmetrics = \"127.0.0.1:0\"\n\
             [log]\nfilter = \"warn,ordain=info\"\n[kafka]\nbootstrap_servers = {:?}\n\
             [mongo]\nurl = {:?}\n[redis]\nurl = {:?}\n",
            self.prefix, services.kafka, services.mongodb, services.redis
        );
        let written = std::fs::write(file, configuration);
        assert!(written.is_ok(), "{written:?}");
    }

    /// Its configuration file.
    #[must_use]
    pub fn file(&self) -> std::path::PathBuf {
        self.directory.path().join("fleet.toml")
    }

    /// Its prefix, and the services that it stands on.
    #[must_use]
    pub fn stands_on(&self) -> (&str, &Services) {
        (&self.prefix, &self.services)
    }

    /// Starts a process of each role, more where these options say so, and waits until they work.
    ///
    /// # Panics
    /// When one does not start.
    pub async fn serve(&self, options: &ServerOptions) -> Server {
        started(self.try_serve(options).await)
    }

    /// The same; what a process wrote, when one does not start.
    ///
    /// # Errors
    /// All that it wrote to standard error.
    pub async fn try_serve(&self, options: &ServerOptions) -> Result<Server, String> {
        let partitions = self.ensure(options.partitions).await?;
        let workers = self.members(Role::Worker, 1 + options.more_workers, options).await?;
        let views = self.members(Role::View, 1 + options.more_views, options).await?;
        let mut behind = self.members(Role::Api, 1 + options.more_apis, options).await?;
        let front = behind.remove(0);
        behind.extend(workers.into_iter().chain(views));
        let server = Server::of(front, behind);
        works(&server.processes(Role::Worker), partitions).await;
        Ok(server)
    }

    async fn members(
        &self,
        role: Role,
        count: usize,
        options: &ServerOptions,
    ) -> Result<Vec<Member>, String> {
        let mut members = Vec::new();
        for number in 0..count {
            let process = self.start_at((&role.to_string(), number), options).await?;
            members.push(Member::new(Some(role), number, process));
        }
        Ok(members)
    }

    /// Starts others in the places of those of its processes that have ended.
    ///
    /// # Errors
    /// All that one wrote to standard error, when it does not start.
    pub async fn complete(
        &self,
        server: &mut Server,
        options: &ServerOptions,
    ) -> Result<(), String> {
        let start = async |role: Option<Role>, number| {
            let role = role.map_or_else(|| "node".to_owned(), |role| role.to_string());
            self.start_at((&role, number), options).await
        };
        server.complete(start).await
    }

    /// Does nothing: a fleet's processes keep no notes of how they ended.
    ///
    /// # Errors
    /// Never.
    pub async fn end_in_order(&self, _: &mut Server, _: &ServerOptions) -> Result<(), String> {
        Ok(())
    }

    /// All that a follower of its events reads: at least so many events of each aggregate.
    ///
    /// # Panics
    /// When they are not there, or not in order.
    pub async fn final_events(&self, least: &BTreeMap<String, usize>) -> FinalEvents {
        let settings = ordain_kafka::Settings {
            bootstrap_servers: self.services.kafka.clone(),
            prefix: self.prefix.clone(),
            ..ordain_kafka::Settings::default()
        };
        read_events_of_fleet(&settings, least).await
    }

    /// Its logs and stores.
    ///
    /// # Panics
    /// When they cannot be set up.
    pub async fn stores(&self) -> Stores {
        let ensured = self.ensure(None).await;
        assert!(ensured.is_ok(), "{ensured:?}");
        Stores::of_fleet(&self.prefix, &self.services).await
    }

    /// Starts one process of a role.
    ///
    /// # Errors
    /// All that it wrote to standard error.
    pub async fn start(&self, role: &str, options: &ServerOptions) -> Result<Process, String> {
        self.start_at((role, 0), options).await
    }

    async fn start_at(
        &self,
        (role, number): (&str, usize),
        options: &ServerOptions,
    ) -> Result<Process, String> {
        let place = self.place(role, number);
        let file = if place.exists() { place } else { self.file() };
        let mut command = options.command();
        command.args([role, "--json", "--config"]).arg(file);
        Process::start(command).await
    }

    /// Sets up what the fleet stands on, with so many partitions of the log of requests or as many
    /// as it has. Gives how many it has.
    ///
    /// # Errors
    /// All that the command wrote to standard error.
    pub async fn ensure(&self, partitions: Option<u32>) -> Result<u32, String> {
        let has = self.has();
        let wanted = partitions.or(has).unwrap_or(PARTITIONS);
        let mut command = Command::new(broken_binary());
        let replication = self.replication.to_string();
        command.args(["topics", "ensure", "--replication", &replication, "--partitions"]);
        command.arg(wanted.to_string());
        command.args(["--event-partitions", EVENT_PARTITIONS, "--config"]).arg(self.file());
        let output = command.output().await.map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        // Those that are there stay.
        let has = has.map_or(wanted, |has| has.max(wanted));
        std::fs::write(self.known(), has.to_string()).map_err(|error| error.to_string())?;
        Ok(has)
    }

    /// How many partitions its log of requests has.
    #[must_use]
    pub fn partitions(&self) -> u32 {
        self.has().unwrap_or(PARTITIONS)
    }

    /// The same, if it was set up already.
    fn has(&self) -> Option<u32> {
        std::fs::read_to_string(self.known()).ok()?.parse().ok()
    }

    /// The file that says so.
    fn known(&self) -> std::path::PathBuf {
        self.directory.path().join("partitions")
    }

    /// Gives the log of requests so many partitions more. Gives how many it has.
    ///
    /// # Errors
    /// All that the command wrote to standard error.
    pub async fn raise(&self, by: u32) -> Result<u32, String> {
        self.ensure(Some(self.partitions() + by)).await
    }
}

impl Default for Fleet {
    fn default() -> Self {
        Self::new()
    }
}

/// Waits until these workers have lanes for all partitions between them.
///
/// # Panics
/// When they do not get them in time.
pub async fn works(workers: &[&Process], partitions: u32) {
    let what = format!("{partitions} lanes");
    until(&what, || async {
        let mut lanes = 0.0;
        for worker in workers {
            let told = Client::new(&worker.metrics).get("/metrics").await.ok()?;
            let gauge =
                told.body.lines().find_map(|line| line.strip_prefix("ordain_engine_lanes "));
            lanes += gauge.and_then(|value| value.trim().parse::<f64>().ok()).unwrap_or_default();
        }
        (lanes >= f64::from(partitions)).then_some(())
    })
    .await;
}

fn directory() -> TempDir {
    #[expect(clippy::expect_used, reason = "a test without a directory has failed")]
    tempfile::tempdir().expect("a directory")
}
