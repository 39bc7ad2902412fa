//! The server that is measured: a release build.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

use crate::{run, services};

/// How many partitions a fleet has that is measured.
const PARTITIONS: &str = "4";

/// A running server.
pub(crate) struct Server {
    child: Child,
    address: String,
}

fn ordain() -> Command {
    Command::new(run::root().join("target/release/ordain"))
}

impl Server {
    /// `ordain dev` on a directory.
    pub(crate) fn start(directory: &Path) -> anyhow::Result<Self> {
        let mut command = ordain();
        command.arg("dev").arg("--data").arg(directory.join("data"));
        Self::listening(command)
    }

    /// All roles of a new fleet in one process, on the services that are up.
    pub(crate) fn start_fleet() -> anyhow::Result<Self> {
        let addresses = services::addresses()?;
        let address = |name: &str| {
            let address = addresses.get(name).and_then(serde_json::Value::as_str);
            address.with_context(|| format!("{name} is not up"))
        };
        let settings = [
            ("ORDAIN_PREFIX", format!("bench-{}", uuid::Uuid::new_v4().simple())),
            ("ORDAIN_KAFKA__BOOTSTRAP_SERVERS", address("kafka")?.to_owned()),
            ("ORDAIN_MONGO__URL", address("mongodb")?.to_owned()),
            ("ORDAIN_REDIS__URL", address("redis")?.to_owned()),
        ];
        let mut ensure = ordain();
        ensure.args(["topics", "ensure", "--partitions", PARTITIONS, "--replication", "1"]);
        ensure.args(["--event-partitions", PARTITIONS]).envs(settings.clone());
        run::run(&mut ensure, "ordain topics ensure")?;
        let mut command = ordain();
        command.arg("node").envs(settings);
        Self::listening(command)
    }

    /// Where it serves clients, `host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    fn listening(mut command: Command) -> anyhow::Result<Self> {
        let mut child = command
            .args(["--json", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"])
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

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
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
    }
}
