//! `cargo xtask services`: a real Kafka, MongoDB and Redis for the tests and for development,
//! started on free ports of this machine, their data in a scratch directory.
//!
//! Where there is a container engine, those that all share run in containers instead.
//!
//! They outlive the command that starts them. What runs is written down under `target/services`:
//! the addresses for whoever needs the services, and the processes for whoever stops them. One set
//! of them is shared by all; who wants to do harm to a server has a set of his own.

mod cache;
mod engine;
mod kafka;
mod mongodb;
mod ports;
mod process;
mod records;
mod redis;
mod server;
mod set;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use self::engine::{Containers, Engine, How};
use self::records::{Record, Records, listening};
use self::server::Server;
use self::set::Set;

/// How long a server may take until it answers. Generous, because machines are busy.
const ANSWER_MAX: Duration = Duration::from_secs(180);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
const DOWN_FIRST: &str = "`cargo xtask services down` stops them";

/// What to do with the services.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Task {
    /// Start what does not run, and wait until all of them answer.
    Up {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        how: How,
    },
    /// Stop what `up` started, and remove its data; without a set, all sets.
    Down {
        /// Only a set of one's own.
        #[arg(long)]
        set: Option<Set>,
    },
    /// End servers of one's own as a crash does. What they wrote stays for the next `up`.
    Kill(Which),
    /// Say what runs and where; fails when not all of them answer.
    Status {
        /// Of a set of one's own.
        #[arg(long)]
        set: Option<Set>,
        /// Say it in JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Which servers.
#[derive(Debug, Clone, Args)]
pub(crate) struct Which {
    /// Those of a set of one's own, which nobody else uses: lower-case letters, digits and `-`.
    #[arg(long)]
    set: Option<Set>,
    /// Only these.
    #[arg(value_parser = ["kafka", "mongodb", "redis"])]
    servers: Vec<String>,
}

impl Which {
    fn servers(&self) -> Vec<&'static dyn Server> {
        let is_meant = |server: &&&dyn Server| {
            self.servers.is_empty() || self.servers.iter().any(|name| name == server.name())
        };
        SERVERS.iter().filter(is_meant).copied().collect()
    }
}

/// Does it.
pub(crate) fn run(task: Task) -> anyhow::Result<()> {
    match task {
        Task::Up { which, how } => {
            up(&which.set.clone().unwrap_or_default(), &which.servers(), how)
        }
        Task::Down { set: Some(set) } => down(&set),
        Task::Down { set: None } => down_all(),
        Task::Kill(which) => kill(&which),
        Task::Status { set, json } => status(&set.unwrap_or_default(), json),
    }
}

/// The directory of Kafka's jars.
pub(crate) fn kafka_jars() -> anyhow::Result<PathBuf> {
    kafka::Kafka.prepare()
}

const SERVERS: [&dyn Server; 3] = [&kafka::Kafka, &mongodb::MongoDb, &redis::Redis];

/// Whether any server runs that `up` started.
fn is_any_up() -> anyhow::Result<bool> {
    let set = Set::default();
    let runs = records::read(&set)?.iter().any(|record| record.process.is_alive());
    Ok(runs || Containers::read(&set)?.is_some())
}

/// Does something with the servers up, and stops them if none was up before.
pub(crate) fn during(task: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let up = |how| up(&Set::default(), &SERVERS, how);
    between(up, task, (is_any_up()?, down_all))
}

/// Does something between starting servers and stopping them, unless some were up before. They are
/// processes, set up for tests: what containers run is set up for people.
fn between(
    up: impl FnOnce(How) -> anyhow::Result<()>,
    task: impl FnOnce() -> anyhow::Result<()>,
    (were_up, down): (bool, impl FnOnce() -> anyhow::Result<()>),
) -> anyhow::Result<()> {
    let done = up(How { native: true, engine: false }).and_then(|()| task());
    let stopped = if were_up { Ok(()) } else { down() };
    // What the task says matters more than what stopping says.
    done.and(stopped)
}

/// The addresses of the servers that all share, which are up, by name.
pub(crate) fn addresses() -> anyhow::Result<serde_json::Value> {
    let set = Set::default();
    let listening = match Containers::read(&set)? {
        Some(containers) => containers.servers,
        None => listening(&records::read(&set)?),
    };
    Ok(records::addresses(&listening, SERVERS))
}

/// Starts what does not answer.
fn up(set: &Set, servers: &[&dyn Server], how: How) -> anyhow::Result<()> {
    let records = Records::lock(set)?;
    let containers = Containers::read(set)?;
    let runs = records.read()?.iter().any(|record| record.process.is_alive());
    ensure!(!(how.native && containers.is_some()), "they run in containers; {DOWN_FIRST}");
    ensure!(!(how.engine && runs), "they run as processes; {DOWN_FIRST}");
    let engine = match &containers {
        Some(_) => None,
        None => how.engine((runs, set), Engine::find)?,
    };
    match containers.or(engine.map(Containers::of)) {
        Some(containers) => up_in_containers((set, &records), servers, containers),
        None => up_as_processes((set, &records), servers),
    }
}

fn up_in_containers(
    (set, records): (&Set, &Records),
    servers: &[&dyn Server],
    mut containers: Containers,
) -> anyhow::Result<()> {
    containers.up(set, servers)?;
    for server in servers {
        let port = containers.port(*server).context("it was just started")?;
        let hint = || format!("{} does not answer, though its container runs", server.name());
        wait_until_it_answers((*server, &[port]), (|| true, hint))?;
    }
    records.write_addresses(&containers.servers, SERVERS)?;
    eprintln!("services: up in containers; `cargo xtask services down` stops them");
    Ok(())
}

fn up_as_processes(
    (set, records): (&Set, &Records),
    servers: &[&dyn Server],
) -> anyhow::Result<()> {
    let known = records.read()?;
    let mut running = Vec::new();
    let mut started = Vec::new();
    for server in servers {
        let record = known.iter().find(|record| record.name == server.name());
        match record {
            Some(record) if answers(*server, record) => running.push(record.clone()),
            dead => {
                let record = start(set, *server, dead)?;
                running.push(record.clone());
                // At once, so that `down` finds it whatever happens next.
                records.write(&merged(&known, &running))?;
                started.push((*server, record));
            }
        }
    }
    for (server, record) in &started {
        let hint = || {
            format!(
                "{} does not answer; its log ends so:\n{}\n\
                 `cargo xtask services down` removes it all, then `up` begins anew",
                record.name,
                process::last_lines(&record.log)
            )
        };
        wait_until_it_answers((*server, &record.ports), (|| record.process.is_alive(), hint))?;
    }
    records.write_addresses(&listening(&running), SERVERS)?;
    if started.is_empty() {
        eprintln!("services: already up");
    } else {
        eprintln!("services: up; `cargo xtask services down` stops them");
    }
    Ok(())
}

/// What is known of all servers: of the later ones still what was written down before.
fn merged(known: &[Record], running: &[Record]) -> Vec<Record> {
    let is_new = |record: &&Record| running.iter().all(|new| new.name != record.name);
    running.iter().chain(known.iter().filter(is_new)).cloned().collect()
}

fn answers(server: &dyn Server, record: &Record) -> bool {
    record.process.is_alive() && server.answers(record.ports[0]).is_ok()
}

/// Starts a server: one that has died, where it was and with what it had, if that can be.
fn start(set: &Set, server: &dyn Server, dead: Option<&Record>) -> anyhow::Result<Record> {
    let name = server.name();
    let programs = server.prepare().with_context(|| format!("{name} cannot be set up"))?;
    let directory = set.directory()?.join("run").join(name);
    let again = dead.filter(|record| directory.exists() && record.ports.iter().all(ports::is_free));
    let ports = match again {
        Some(record) => record.ports.clone(),
        None => ports::free(server.ports())?,
    };
    if let Some(record) = dead {
        eprintln!("services: {name} does not answer; starting it again");
        record.process.stop(name)?;
    }
    if again.is_none() && directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    fs::create_dir_all(&directory)?;
    let mut command = server.command(&programs, &directory, &ports)?;
    let log = directory.join("server.log");
    let process = process::Process::start(&mut command, &directory, &log)
        .with_context(|| format!("{name} cannot be started"))?;
    Ok(Record { name: name.to_owned(), ports, process, log })
}

/// Waits for an answer as long as it may come.
fn wait_until_it_answers(
    (server, ports): (&dyn Server, &[u16]),
    (is_alive, hint): (impl Fn() -> bool, impl Fn() -> String),
) -> anyhow::Result<()> {
    let began = Instant::now();
    while let Err(why) = server.answers(ports[0]) {
        ensure!(is_alive(), "{} (the process has ended)", hint());
        if began.elapsed() > ANSWER_MAX {
            return Err(why.context(hint()));
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
    eprintln!("services: {} answers at {}", server.name(), server.address(ports));
    Ok(())
}

/// Stops all that was started, in every set.
fn down_all() -> anyhow::Result<()> {
    let shared = down(&Set::default());
    let others = set::all()?.iter().map(down).fold(Ok(()), Result::and);
    shared.and(others)
}

/// Stops what was started, and removes the data.
fn down(set: &Set) -> anyhow::Result<()> {
    let records = Records::lock(set)?;
    let known = records.read()?;
    records.forget_addresses()?;
    let containers = Containers::read(set)?;
    if let Some(containers) = &containers {
        containers.down(set)?;
    }
    // All are told first, and then waited for.
    for record in &known {
        record.process.ask_to_end();
    }
    for record in &known {
        record.process.stop(&record.name)?;
        eprintln!("services: {} is down", record.name);
    }
    records.forget()?;
    set.forget()?;
    if known.is_empty() && containers.is_none() {
        eprintln!("services: none was up");
    }
    Ok(())
}

fn kill(which: &Which) -> anyhow::Result<()> {
    let set = which.set.as_ref().context("servers that others use are not killed; name a set")?;
    let records = Records::lock(set)?;
    let known = records.read()?;
    for server in which.servers() {
        let record = known.iter().find(|record| record.name == server.name());
        let record = record.with_context(|| format!("{} was not started", server.name()))?;
        record.process.kill(&record.name)?;
        eprintln!("services: {} is killed", record.name);
    }
    Ok(())
}

/// A server of a set, as far as it is known.
struct Known {
    server: &'static dyn Server,
    ports: Option<Vec<u16>>,
    /// As a process of this machine.
    record: Option<Record>,
}

impl Known {
    /// All servers of a set; all that there are, of the one that all share.
    fn all(set: &Set) -> anyhow::Result<Vec<Self>> {
        let records = records::read(set)?;
        let listening = match Containers::read(set)? {
            Some(containers) => containers.servers,
            None => listening(&records),
        };
        let known = |server: &'static dyn Server| {
            let ports = listening.iter().find(|(name, _)| name == server.name());
            let record = records.iter().find(|record| record.name == server.name());
            Self { server, ports: ports.map(|(_, ports)| ports.clone()), record: record.cloned() }
        };
        let is_of_set = |known: &Self| set.is_shared() || known.ports.is_some();
        Ok(SERVERS.into_iter().map(known).filter(is_of_set).collect())
    }

    fn answers(&self) -> bool {
        let is_alive = self.record.as_ref().is_none_or(|record| record.process.is_alive());
        let port = self.ports.as_ref().and_then(|ports| ports.first());
        is_alive && port.is_some_and(|port| self.server.answers(*port).is_ok())
    }

    fn address(&self) -> Option<String> {
        self.ports.as_ref().map(|ports| self.server.address(ports))
    }
}

fn status(set: &Set, as_json: bool) -> anyhow::Result<()> {
    let known = Known::all(set)?;
    let mut servers = Vec::new();
    let mut all = true;
    for one in &known {
        let (name, is_up, address) = (one.server.name(), one.answers(), one.address());
        all &= is_up;
        if as_json {
            servers.push(json!({
                "name": name,
                "answers": is_up,
                "address": address,
                "ports": one.ports,
                "process": one.record.as_ref().map(|record| record.process.id),
                "log": one.record.as_ref().map(|record| &record.log),
            }));
            continue;
        }
        let state = if is_up { "up" } else { "down" };
        println!("{name:<8} {state:<5} {}", address.as_deref().unwrap_or("not started"));
    }
    if as_json {
        let address = |one: &Known| Some((one.server.name().to_owned(), one.address()?.into()));
        let addresses = all.then(|| Value::Object(known.iter().filter_map(address).collect()));
        println!("{}", json!({ "up": all, "addresses": addresses, "servers": servers }));
    }
    ensure!(all, "not all services answer; run: cargo xtask services up");
    Ok(())
}
