//! The server that is measured: a release build, as it is shipped.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

use super::{Where, answer};
use crate::{run, services};

/// How much of everything a server is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) partitions: u32,
    /// Of a fleet; all but one are processes of their own.
    pub(super) workers: u32,
}

impl Default for Shape {
    /// As many partitions as `ordain dev` has.
    fn default() -> Self {
        Self { partitions: 4, workers: 1 }
    }
}

/// Where what is measured keeps its data, so that it can be started again.
pub(super) struct Home {
    shape: Shape,
    place: Place,
}

enum Place {
    Directory(TempDir),
    /// The settings of a fleet that nobody else uses.
    Fleet(Vec<(&'static str, String)>),
}

/// A running server.
pub(super) struct Server {
    /// The process that serves clients is the first.
    processes: Vec<Process>,
    address: String,
}

/// A process, which does not outlive whoever watches over it.
pub(super) struct Process(pub(super) Child);

/// How long the workers of a fleet may take until each of them has partitions.
const SHARED_OUT_WITHIN: Duration = Duration::from_secs(60);

/// The release build.
pub(super) fn ordain() -> Command {
    Command::new(run::root().join("target/release/ordain"))
}

impl Home {
    /// A new directory, or a new fleet on the services that are up.
    pub(super) fn new(place: Where, shape: Shape) -> anyhow::Result<Self> {
        let place = match place {
            Where::Embedded => Place::Directory(tempfile::tempdir_in(run::root().join("target"))?),
            Where::Fleet => Place::Fleet(fleet(shape.partitions)?),
        };
        Ok(Self { shape, place })
    }

    /// `ordain dev`, or all roles of the fleet in one process and more workers beside it.
    pub(super) fn start(&self) -> anyhow::Result<Server> {
        self.start_by(ordain())
    }

    /// The same, with a trace of its syncs in this file.
    pub(super) fn start_traced(&self, trace: &Path) -> anyhow::Result<Server> {
        let mut command = Command::new("strace");
        // So that the process that was started is the server, and the tracer another.
        command.args(["-D", "-f", "--seccomp-bpf", "-ttt", "-e", "signal=none"]);
        command.args(["-e", "trace=fsync,fdatasync", "-o"]).arg(trace).arg(ordain().get_program());
        self.start_by(command)
    }

    /// Starts what runs `ordain` with the arguments that follow.
    fn start_by(&self, mut command: Command) -> anyhow::Result<Server> {
        let Shape { partitions, workers } = self.shape;
        match &self.place {
            Place::Directory(directory) => {
                command.arg("dev").arg("--data").arg(directory.path().join("data"));
                command.arg("--partitions").arg(partitions.to_string());
            }
            Place::Fleet(settings) => {
                command.arg("node").envs(settings.iter().cloned());
            }
        }
        let (first, ready) = Process::start(command.args(["--listen", "127.0.0.1:0"]))?;
        let address = ready.get("address").and_then(Value::as_str);
        let address = address.and_then(|url| url.strip_prefix("http://"));
        let address = address.context("the server did not say its address")?.to_owned();
        let mut processes = vec![first];
        if let Place::Fleet(settings) = &self.place {
            for _ in 1..workers {
                let mut worker = ordain();
                worker.arg("worker").envs(settings.iter().cloned());
                processes.push(Process::start(&mut worker)?.0);
            }
            let admin = ready.get("metrics").and_then(Value::as_str);
            await_owners(admin.context("the server did not say where operators ask")?, workers)?;
        }
        Ok(Server { processes, address })
    }
}

/// Waits until so many workers have partitions. A broker that has just begun may refuse to say what
/// progress is saved, and then there is no status.
fn await_owners(admin: &str, workers: u32) -> anyhow::Result<()> {
    let until = Instant::now() + SHARED_OUT_WITHIN;
    loop {
        let status = status(admin);
        let owners = status.as_ref().map_or(0, owners);
        if owners == workers as usize {
            return Ok(());
        }
        if Instant::now() >= until {
            bail!("{owners} of {workers} workers have partitions: {}", status?);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn status(admin: &str) -> anyhow::Result<Value> {
    answer(ordain().args(["status", "--json", "--admin", admin]), "ordain status")
}

/// How many workers have partitions.
fn owners(status: &Value) -> usize {
    let partitions = status.get("partitions").and_then(Value::as_array);
    let owners = partitions.into_iter().flatten().filter_map(|it| it.get("owner")?.as_str());
    owners.collect::<BTreeSet<_>>().len()
}

/// The settings of a new fleet.
fn fleet(partitions: u32) -> anyhow::Result<Vec<(&'static str, String)>> {
    let addresses = services::addresses()?;
    let address = |name: &str| {
        let address = addresses.get(name).and_then(Value::as_str);
        address.map(str::to_owned).with_context(|| format!("{name} is not up"))
    };
    let settings = vec![
        ("ORDAIN_PREFIX", format!("bench-{}", uuid::Uuid::new_v4().simple())),
        ("ORDAIN_KAFKA__BOOTSTRAP_SERVERS", address("kafka")?),
        ("ORDAIN_MONGO__URL", address("mongodb")?),
        ("ORDAIN_REDIS__URL", address("redis")?),
    ];
    let partitions = partitions.to_string();
    let mut ensure = ordain();
    ensure.args(["topics", "ensure", "--partitions", &partitions, "--replication", "1"]);
    ensure.args(["--event-partitions", &partitions]).envs(settings.iter().cloned());
    run::run(ensure.stdout(Stdio::null()), "ordain topics ensure")?;
    Ok(settings)
}

impl Server {
    /// Where it serves clients, `host:port`.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The generator of load against it.
    pub(super) fn bench(&self) -> Command {
        let mut bench = ordain();
        bench.args(["bench", "--json", "--name", "bench"]);
        bench.arg("--server").arg(format!("http://{}", self.address));
        bench
    }

    /// How much of its memory is in RAM now, in MiB: `VmRSS` of `proc(5)`, of all its processes.
    pub(super) fn resident_mib(&self) -> anyhow::Result<f64> {
        self.processes.iter().map(Process::resident_mib).sum()
    }

    /// Asks it to end, and waits until it has.
    pub(super) fn stop(&mut self) -> anyhow::Result<()> {
        self.processes.iter_mut().try_for_each(Process::stop)
    }
}

impl Process {
    /// Starts it, and reads the line of JSON with which it says that it is ready.
    fn start(command: &mut Command) -> anyhow::Result<(Self, Value)> {
        let mut child = command
            .args(["--json", "--metrics", "127.0.0.1:0"])
            .env("ORDAIN_LOG__FILTER", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .context("the server cannot be started")?;
        let stdout = child.stdout.take();
        let process = Self(child);
        let mut line = String::new();
        BufReader::new(stdout.context("the server says nothing")?).read_line(&mut line)?;
        let ready = serde_json::from_str(&line).context("the server did not say that it serves")?;
        Ok((process, ready))
    }

    fn resident_mib(&self) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(kib.context("the server's status says nothing of memory")?.parse::<f64>()? / 1024.0)
    }

    fn stop(&mut self) -> anyhow::Result<()> {
        let process = self.0.id().to_string();
        Command::new("kill").args(["-TERM", &process]).status()?;
        let status = self.0.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended by itself, unless something failed on the way.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
