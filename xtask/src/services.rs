//! `cargo xtask services`: a real Kafka, MongoDB and Redis for the tests and for development,
//! started on free ports of this machine, their data in a scratch directory.
//!
//! They outlive the command that starts them. What runs is written down under `target/services`:
//! the addresses for whoever needs the services, and the processes for whoever stops them. One set
//! of them is shared by all; who wants to do harm to a server has a set of his own.

mod cache;
mod kafka;
mod mongodb;
mod ports;
mod process;
mod records;
mod redis;
mod server;
mod set;

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::json;

use self::records::{Record, Records};
use self::server::Server;
use self::set::Set;

/// How long a server may take until it answers. Generous, because machines are busy.
const ANSWER_MAX: Duration = Duration::from_secs(180);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// What to do with the services.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Task {
    /// Start what does not run, and wait until all of them answer.
    Up(Which),
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
        Task::Up(which) => up(&which.set.clone().unwrap_or_default(), &which.servers()),
        Task::Down { set: Some(set) } => down(&set),
        Task::Down { set: None } => down_all(),
        Task::Kill(which) => kill(&which),
        Task::Status { set, json } => status(&set.unwrap_or_default(), json),
    }
}

const SERVERS: [&dyn Server; 3] = [&kafka::Kafka, &mongodb::MongoDb, &redis::Redis];

/// Whether any server runs that `up` started.
fn is_any_up() -> anyhow::Result<bool> {
    Ok(records::read(&Set::default())?.iter().any(|record| record.process.is_alive()))
}

/// Does something with the servers up, and stops them if none was up before.
pub(crate) fn during(task: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let are_others = is_any_up()?;
    let done = up(&Set::default(), &SERVERS).and_then(|()| task());
    let stopped = if are_others { Ok(()) } else { down_all() };
    // What the task says matters more than what stopping says.
    done.and(stopped)
}

/// The addresses of the servers that all share, which are up, by name.
pub(crate) fn addresses() -> anyhow::Result<serde_json::Value> {
    Ok(records::addresses(&records::read(&Set::default())?, SERVERS))
}

/// Starts what does not answer.
fn up(set: &Set, servers: &[&dyn Server]) -> anyhow::Result<()> {
    let records = Records::lock(set)?;
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
        wait_until_it_answers(*server, record)?;
    }
    records.write_addresses(&running, SERVERS)?;
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
    record.process.is_alive() && server.answers(record).is_ok()
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

fn wait_until_it_answers(server: &dyn Server, record: &Record) -> anyhow::Result<()> {
    let began = Instant::now();
    let name = server.name();
    loop {
        let why = match server.answers(record) {
            Ok(()) => break,
            Err(why) => why,
        };
        let hint = || {
            format!(
                "{name} does not answer; its log ends so:\n{}\n\
                 `cargo xtask services down` removes it all, then `up` begins anew",
                process::last_lines(&record.log)
            )
        };
        if !record.process.is_alive() {
            anyhow::bail!("{} (the process has ended)", hint());
        }
        if began.elapsed() > ANSWER_MAX {
            return Err(why.context(hint()));
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
    eprintln!("services: {name} answers at {}", server.address(&record.ports));
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
    if known.is_empty() {
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

fn status(set: &Set, as_json: bool) -> anyhow::Result<()> {
    let known = records::read(set)?;
    let is_known = |server: &&dyn Server| known.iter().any(|record| record.name == server.name());
    let mut servers = Vec::new();
    let mut all = true;
    for server in SERVERS.into_iter().filter(|server| set.is_shared() || is_known(server)) {
        let record = known.iter().find(|record| record.name == server.name());
        let is_up = record.is_some_and(|record| answers(server, record));
        all &= is_up;
        let address = record.map(|record| server.address(&record.ports));
        if as_json {
            servers.push(json!({
                "name": server.name(),
                "answers": is_up,
                "address": address,
                "process": record.map(|record| record.process.id),
                "log": record.map(|record| &record.log),
            }));
            continue;
        }
        let address = address.as_deref().unwrap_or("not started");
        let state = if is_up { "up" } else { "down" };
        println!("{:<8} {state:<5} {address}", server.name());
    }
    if as_json {
        let addresses = all.then(|| records::addresses(&known, SERVERS));
        println!("{}", json!({ "up": all, "addresses": addresses, "servers": servers }));
    }
    anyhow::ensure!(all, "not all services answer; run: cargo xtask services up");
    Ok(())
}
