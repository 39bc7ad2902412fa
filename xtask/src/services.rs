//! `cargo xtask services`: a real Kafka, MongoDB and Redis for the tests and for development,
//! started on free ports of this machine, their data in a scratch directory.
//!
//! They outlive the command that starts them. What runs is written down under `target/services`:
//! the addresses for whoever needs the services, and the processes for whoever stops them.

mod cache;
mod kafka;
mod mongodb;
mod ports;
mod process;
mod records;
mod redis;
mod server;

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;

use self::records::{Record, Records};
use self::server::Server;

/// How long a server may take until it answers. Generous, because machines are busy.
const ANSWER_MAX: Duration = Duration::from_secs(180);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// What to do with the services.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Task {
    /// Start what does not run, and wait until all of them answer.
    Up,
    /// Stop what `up` started, and remove its data.
    Down,
    /// Say what runs and where; fails when not all of them answer.
    Status {
        /// Say it in JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Does it.
pub(crate) fn run(task: Task) -> anyhow::Result<()> {
    match task {
        Task::Up => up(),
        Task::Down => down(),
        Task::Status { json } => status(json),
    }
}

const SERVERS: [&dyn Server; 3] = [&kafka::Kafka, &mongodb::MongoDb, &redis::Redis];

/// Whether any server runs that `up` started.
fn is_any_up() -> anyhow::Result<bool> {
    Ok(records::read()?.iter().any(|record| record.process.is_alive()))
}

/// Does something with the servers up, and stops them if none was up before.
pub(crate) fn during(task: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let are_others = is_any_up()?;
    let done = up().and_then(|()| task());
    let stopped = if are_others { Ok(()) } else { down() };
    // What the task says matters more than what stopping says.
    done.and(stopped)
}

/// The addresses of the servers, which are up, by name.
pub(crate) fn addresses() -> anyhow::Result<serde_json::Value> {
    Ok(records::addresses(&records::read()?, SERVERS))
}

/// Starts what does not answer.
pub(crate) fn up() -> anyhow::Result<()> {
    let records = Records::lock()?;
    let known = records.read()?;
    let mut running = Vec::new();
    let mut started = Vec::new();
    for server in SERVERS {
        let record = known.iter().find(|record| record.name == server.name());
        match record {
            Some(record) if answers(server, record) => running.push(record.clone()),
            dead => {
                let record = start(server, dead)?;
                running.push(record.clone());
                // At once, so that `down` finds it whatever happens next.
                records.write(&merged(&known, &running))?;
                started.push((server, record));
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
fn start(server: &dyn Server, dead: Option<&Record>) -> anyhow::Result<Record> {
    let name = server.name();
    let programs = server.prepare().with_context(|| format!("{name} cannot be set up"))?;
    let directory = records::directory()?.join("run").join(name);
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

/// Stops what was started, and removes the data.
pub(crate) fn down() -> anyhow::Result<()> {
    let records = Records::lock()?;
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
    if known.is_empty() {
        eprintln!("services: none was up");
    }
    Ok(())
}

fn status(as_json: bool) -> anyhow::Result<()> {
    let known = records::read()?;
    let mut servers = Vec::new();
    let mut all = true;
    for server in SERVERS {
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
