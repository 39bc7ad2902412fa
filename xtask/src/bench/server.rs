//! The server that is measured: a release build, as it is shipped.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use tempfile::TempDir;

use crate::{run, services};

/// How many partitions a fleet has that is measured; as many as `ordain dev` has.
const PARTITIONS: &str = "4";

/// Where what is measured keeps its data, so that it can be started again.
pub(super) enum Home {
    Directory(TempDir),
    /// The settings of a fleet that nobody else uses.
    Fleet(Vec<(&'static str, String)>),
}

/// A running server.
pub(super) struct Server {
    child: Child,
    address: String,
}

/// The release build.
pub(super) fn ordain() -> Command {
    Command::new(run::root().join("target/release/ordain"))
}

impl Home {
    /// A new directory.
    pub(super) fn directory() -> anyhow::Result<Self> {
        Ok(Self::Directory(tempfile::tempdir_in(run::root().join("target"))?))
    }

    /// A new fleet, on the services that are up.
    pub(super) fn fleet() -> anyhow::Result<Self> {
        let addresses = services::addresses()?;
        let address = |name: &str| {
            let address = addresses.get(name).and_then(serde_json::Value::as_str);
            address.map(str::to_owned).with_context(|| format!("{name} is not up"))
        };
        let settings = vec![
            ("ORDAIN_PREFIX", format!("bench-{}", uuid::Uuid::new_v4().simple())),
            ("ORDAIN_KAFKA__BOOTSTRAP_SERVERS", address("kafka")?),
            ("ORDAIN_MONGO__URL", address("mongodb")?),
            ("ORDAIN_REDIS__URL", address("redis")?),
        ];
        let mut ensure = ordain();
        ensure.args(["topics", "ensure", "--partitions", PARTITIONS, "--replication", "1"]);
        ensure.args(["--event-partitions", PARTITIONS]).envs(settings.iter().cloned());
        run::run(ensure.stdout(Stdio::null()), "ordain topics ensure")?;
        Ok(Self::Fleet(settings))
    }

    /// `ordain dev`, or all roles of the fleet in one process.
    pub(super) fn start(&self) -> anyhow::Result<Server> {
        let mut command = ordain();
        match self {
            Self::Directory(directory) => {
                command.arg("dev").arg("--data").arg(directory.path().join("data"));
            }
            Self::Fleet(settings) => {
                command.arg("node").envs(settings.iter().cloned());
            }
        }
        Server::listening(command)
    }
}

impl Server {
    /// Where it serves clients, `host:port`.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    fn listening(mut command: Command) -> anyhow::Result<Self> {
        let mut child = command
            .args(["--json", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"])
            .env("ORDAIN_LOG__FILTER", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .context("the server cannot be started")?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("the server says nothing")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let ready: serde_json::Value =
            serde_json::from_str(&line).context("the server did not say where it is")?;
        let address = ready.get("address").and_then(serde_json::Value::as_str);
        let address = address.and_then(|url| url.strip_prefix("http://"));
        let address = address.context("the server did not say its address")?.to_owned();
        Ok(Self { child, address })
    }

    /// How much of its memory is in RAM now, in MiB: `VmRSS` of `proc(5)`.
    pub(super) fn resident_mib(&self) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(kib.context("the server's status says nothing of memory")?.parse::<f64>()? / 1024.0)
    }

    /// Asks it to end, and waits until it has.
    pub(super) fn stop(&mut self) -> anyhow::Result<()> {
        let process = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &process]).status()?;
        let status = self.child.wait()?;
        anyhow::ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended by itself, unless something failed on the way.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
