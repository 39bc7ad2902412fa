//! Podman, with all that it keeps below one directory, and without a daemon or a network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::run;

/// Whom the image runs as.
pub(super) const USER: &str = "65532";
const IMAGE: &str = "localhost/ordain:checked";
/// How long the server may take until it is ready. Generous, because machines are busy.
const READY_MAX: Duration = Duration::from_secs(60);
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// A podman of its own.
pub(super) struct Podman {
    directory: PathBuf,
}

impl Podman {
    /// Keeps its images and containers in that directory.
    pub(super) fn new(directory: &Path) -> anyhow::Result<Self> {
        // Limits that need no right to raise them, no journal and no manager of the system.
        let settings = "[containers]\n\
             default_ulimits = [\"nofile=10000:10000\", \"nproc=10000:10000\"]\n\
             [engine]\n\
             runtime = \"runc\"\n\
             cgroup_manager = \"cgroupfs\"\n\
             events_logger = \"file\"\n";
        fs::write(directory.join("containers.conf"), settings)?;
        Ok(Self { directory: directory.to_path_buf() })
    }

    fn command(&self) -> Command {
        let mut command = Command::new("podman");
        command.env("CONTAINERS_CONF", self.directory.join("containers.conf"));
        command.arg("--root").arg(self.directory.join("storage"));
        command.arg("--runroot").arg(self.directory.join("running"));
        command
    }

    /// Builds the image from a file of one stage, which copies from the first one.
    pub(super) fn build(&self, recipe: &Path, builder: &Path) -> anyhow::Result<()> {
        let mut from = std::ffi::OsString::from("builder=");
        from.push(builder);
        let mut command = self.command();
        command.args(["build", "--quiet", "--pull-never", "--tag", IMAGE]);
        command.arg("--build-context").arg(from).arg("--file").arg(recipe).arg(run::root());
        run::run(&mut command, "podman build")?;
        // The image of the last time has lost its name.
        output(self.command().args(["image", "prune", "--force"])).map(drop)
    }

    /// A container with no more rights than `docker-compose.yml` gives.
    fn confined(&self, how: &[&str], arguments: &[&str]) -> Command {
        let mut command = self.command();
        command.arg("run").args(how).args(["--network=none", "--read-only"]);
        command.args(["--read-only-tmpfs=false", "--cap-drop=all"]);
        command.args(["--security-opt=no-new-privileges", "--volume=/data"]);
        command.arg(IMAGE).args(arguments);
        command
    }

    /// Runs ordain in a container to its end; what it prints.
    pub(super) fn once(&self, arguments: &[&str]) -> anyhow::Result<String> {
        output(&mut self.confined(&["--rm"], arguments))
    }

    /// Starts ordain in a container.
    pub(super) fn start(&self, arguments: &[&str]) -> anyhow::Result<Container<'_>> {
        let id = output(&mut self.confined(&["--detach"], arguments))?;
        Ok(Container { podman: self, id })
    }
}

/// A container that runs, and is removed at the end.
pub(super) struct Container<'a> {
    podman: &'a Podman,
    id: String,
}

impl Container<'_> {
    /// Runs ordain beside the process that runs already; what it prints.
    pub(super) fn ordain(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = self.podman.command();
        output(command.args(["exec", &self.id, "/ordain"]).args(arguments))
    }

    /// Waits until its health check is content.
    pub(super) fn wait_until_ready(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        while let Err(why) = self.ordain(&["ready"]) {
            let has_ended = self.inspect("{{.State.Status}}")? == "exited";
            if has_ended || began.elapsed() > READY_MAX {
                let log = self.podman.command().args(["logs", &self.id]).output()?;
                return Err(why.context(String::from_utf8_lossy(&log.stderr).into_owned()));
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        Ok(())
    }

    /// As whom it runs.
    pub(super) fn user(&self) -> anyhow::Result<String> {
        let users = output(self.podman.command().args(["top", &self.id, "user"]))?;
        Ok(users.lines().nth(1).context("no process runs in it")?.trim().to_owned())
    }

    /// Asks it to end; how it did.
    pub(super) fn stop(&self) -> anyhow::Result<String> {
        output(self.podman.command().args(["stop", "--time=15", &self.id]))?;
        self.inspect("{{.State.ExitCode}}")
    }

    fn inspect(&self, what: &str) -> anyhow::Result<String> {
        output(self.podman.command().args(["inspect", "--format", what, &self.id]))
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let mut command = self.podman.command();
        // What cannot be removed is in the target directory and harms nobody.
        let _removed = output(command.args(["rm", "--force", "--volumes", "--time=0", &self.id]));
    }
}

fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().context("podman cannot be started")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}
