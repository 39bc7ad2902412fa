//! Servers as scenarios meet them: one `ordain dev` on a directory, or the processes of a fleet.
//! Started, killed, paused, ended, started again.

use std::path::Path;
use std::process::ExitStatus;

use tokio::process::Command;

use crate::{Client, Process, broken_binary};

/// How to start a server.
#[derive(Debug, Clone, Default)]
pub struct ServerOptions {
    /// Crash points and breakages, as the variable `FAILPOINTS` reads them.
    pub failpoints: String,
    /// Further environment variables.
    pub environment: Vec<(String, String)>,
    /// How many partitions the log of requests is to have, if not as many as it has.
    pub partitions: Option<u32>,
    /// A program and its arguments that runs the server, such as a tracer.
    pub wrapper: Vec<String>,
}

impl ServerOptions {
    /// With so many partitions of the log of requests.
    #[must_use]
    pub fn partitions(count: u32) -> Self {
        Self { partitions: Some(count), ..Self::default() }
    }

    /// The start of a command that runs the binary with crash points under these options.
    pub(crate) fn command(&self) -> Command {
        let mut words = self.wrapper.iter().map(std::ffi::OsString::from).collect::<Vec<_>>();
        words.push(broken_binary().into());
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).env("FAILPOINTS", &self.failpoints);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// A running server: the process that clients speak to, and those behind it, if any.
#[derive(Debug)]
pub struct Server {
    front: Process,
    /// In the order in which they leave once the front has left.
    behind: Vec<Process>,
    /// Where clients are served, `http://127.0.0.1:port`.
    pub address: String,
    /// Where operators of the front are served, `http://127.0.0.1:port`.
    pub metrics: String,
}

impl Server {
    /// Starts `ordain dev` on a directory and waits until it is ready.
    ///
    /// # Panics
    /// When it ends or is silent before it is ready.
    pub async fn start(data: &Path, options: &ServerOptions) -> Self {
        started(Self::try_start(data, options).await)
    }

    /// Starts `ordain dev` on a directory; what it wrote, when it ended before it was ready.
    ///
    /// # Errors
    /// All that it wrote to standard error.
    pub async fn try_start(data: &Path, options: &ServerOptions) -> Result<Self, String> {
        let mut command = options.command();
        command.arg("dev").arg("--data").arg(data);
        command.args(["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--json"]);
        if let Some(partitions) = options.partitions {
            command.args(["--partitions", &partitions.to_string()]);
        }
        Ok(Self::of(Process::start(command).await?, Vec::new()))
    }

    /// The server of these processes.
    #[must_use]
    pub fn of(front: Process, behind: Vec<Process>) -> Self {
        let (address, metrics) = (front.address.clone(), front.metrics.clone());
        Self { front, behind, address, metrics }
    }

    /// A client of this server.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&self.address)
    }

    /// Clients of the listeners for operators, one of each process.
    #[must_use]
    pub fn operators(&self) -> Vec<Client> {
        let processes = std::iter::once(&self.front).chain(&self.behind);
        processes.map(|process| Client::new(&process.metrics)).collect()
    }

    /// Sends a signal to the process that clients speak to.
    pub fn signal(&self, signal: &str) {
        self.front.signal(signal);
    }

    /// Ends all as a crash does, and waits until they are gone.
    pub async fn kill(self) {
        for process in std::iter::once(self.front).chain(self.behind) {
            process.kill().await;
        }
    }

    /// Waits until the process that clients speak to has ended, and lets those behind it leave.
    /// Gives how it ended, or how the first of them did that did not leave in order.
    ///
    /// # Panics
    /// When one does not end.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut status = self.front.ended().await;
        for process in self.behind.drain(..) {
            let left = process.terminate().await;
            status = if status.success() { left } else { status };
        }
        status
    }

    /// Whether the process that clients speak to has ended.
    pub fn has_ended(&mut self) -> bool {
        self.front.has_ended()
    }

    /// Asks all to drain, and waits until they are gone.
    ///
    /// # Panics
    /// When one does not end.
    pub async fn terminate(mut self) -> ExitStatus {
        self.signal("-TERM");
        self.ended().await
    }

    /// All that they have written to standard error.
    #[must_use]
    pub fn log(&self) -> String {
        let processes = std::iter::once(&self.front).chain(&self.behind);
        processes.map(Process::log).collect::<Vec<_>>().join("\n")
    }
}

/// The server that was started.
pub(crate) fn started(started: Result<Server, String>) -> Server {
    match started {
        Ok(server) => server,
        #[expect(clippy::panic, reason = "a test whose server does not start has failed")]
        Err(log) => panic!("the server did not start:\n{log}"),
    }
}
