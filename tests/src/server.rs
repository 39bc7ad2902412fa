//! Servers as scenarios meet them: one `ordain dev` on a directory, or the processes of a fleet.
//! Started, killed, paused, ended, started again.

use std::fmt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

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
    /// How many APIs a fleet has beside the first.
    pub more_apis: usize,
    /// How many workers a fleet has beside the first.
    pub more_workers: usize,
    /// How many views a fleet has beside the first.
    pub more_views: usize,
}

/// What a process of a fleet does. The one process of a directory does it all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Takes commands from clients and answers them.
    Api,
    /// Decides them.
    Worker,
    /// Folds events into rows.
    View,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Api => "api",
            Self::Worker => "worker",
            Self::View => "view",
        })
    }
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

/// One of the processes of a server.
#[derive(Debug)]
pub(crate) struct Member {
    /// What it does; all, without one.
    role: Option<Role>,
    /// Which of those that do it.
    number: usize,
    began: Instant,
    process: Process,
}

impl Member {
    pub(crate) fn new(role: Option<Role>, number: usize, process: Process) -> Self {
        Self { role, number, began: Instant::now(), process }
    }

    fn is(&self, role: Role) -> bool {
        self.role.is_none_or(|mine| mine == role)
    }
}

/// A process that had ended and in whose place another was started.
#[derive(Debug)]
pub(crate) struct Replaced {
    pub(crate) role: Option<Role>,
    /// How it ended; nothing where nobody can say.
    pub(crate) status: Option<ExitStatus>,
    /// What it had written to standard error.
    pub(crate) log: String,
}

/// A running server: the process that clients speak to first, and those beside and behind it.
#[derive(Debug)]
pub struct Server {
    front: Member,
    /// In the order in which they leave once the front has left.
    behind: Vec<Member>,
    /// Those that had ended and in whose places others were started, not taken yet.
    replaced: Vec<Replaced>,
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
        let process = start_on_directory(data, options).await?;
        Ok(Self::of(Member::new(None, 0, process), Vec::new()))
    }

    /// The server of these processes.
    pub(crate) fn of(front: Member, behind: Vec<Member>) -> Self {
        let (address, metrics) = (front.process.address.clone(), front.process.metrics.clone());
        Self { front, behind, replaced: Vec::new(), address, metrics }
    }

    fn members(&self) -> impl Iterator<Item = &Member> {
        std::iter::once(&self.front).chain(&self.behind)
    }

    fn members_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        std::iter::once(&mut self.front).chain(&mut self.behind)
    }

    /// A client of this server.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&self.address)
    }

    /// Clients of this server, one of each process that serves them.
    #[must_use]
    pub fn clients(&self) -> Vec<Client> {
        let addresses = self.members().map(|member| &member.process.address);
        addresses
            .filter(|address| !address.is_empty())
            .map(|address| Client::new(address))
            .collect()
    }

    /// Clients of the listeners for operators, one of each process.
    #[must_use]
    pub fn operators(&self) -> Vec<Client> {
        self.members().map(|member| Client::new(&member.process.metrics)).collect()
    }

    /// The same by what each does and which of those that do it is meant.
    pub(crate) fn operators_by_place(&self) -> Vec<((Role, usize), Client)> {
        let placed = self.members().filter_map(|member| {
            let client = Client::new(&member.process.metrics);
            Some(((member.role?, member.number), client))
        });
        placed.collect()
    }

    /// Those of its processes that have a role.
    #[must_use]
    pub fn processes(&self, role: Role) -> Vec<&Process> {
        let members = self.members().filter(|member| member.is(role));
        members.map(|member| &member.process).collect()
    }

    /// Sends a signal to the process that clients speak to.
    pub fn signal(&self, signal: &str) {
        self.front.process.signal(signal);
    }

    /// Ends all as a crash does, and waits until they are gone.
    pub async fn kill(self) {
        for member in std::iter::once(self.front).chain(self.behind) {
            member.process.kill().await;
        }
    }

    /// Waits until the process that clients speak to has ended, and lets those behind it leave.
    /// Gives how it ended, or how the first of them did that did not leave in order.
    ///
    /// # Panics
    /// When one does not end.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut status = self.front.process.ended().await;
        for member in self.behind.drain(..) {
            let left = member.process.terminate().await;
            status = if status.success() { left } else { status };
        }
        status
    }

    /// Waits until the process that was started last in a role has ended by itself.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn ended_as(&mut self, role: Role) -> ExitStatus {
        let members = self.members_mut().filter(|member| member.is(role));
        #[expect(clippy::expect_used, reason = "a server has every role")]
        let last = members.max_by_key(|member| member.began).expect("a process with the role");
        last.process.ended().await
    }

    /// Ends the process that has had a role for longest as a crash does, and waits until it is
    /// gone. Does nothing where one of that role has ended already.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn kill_one(&mut self, role: Role) {
        let members = self.members_mut().filter(|member| member.is(role));
        let aged = members.map(|member| ((!member.process.has_ended(), member.began), member));
        #[expect(clippy::expect_used, reason = "a server has every role")]
        let (_, oldest) = aged.min_by_key(|(age, _)| *age).expect("a process with the role");
        if !oldest.process.has_ended() {
            oldest.process.signal("-KILL");
            oldest.process.ended().await;
        }
    }

    /// Ends all that have a role as a crash does, and waits until they are gone.
    ///
    /// # Panics
    /// When one does not end.
    pub async fn kill_all(&mut self, role: Role) {
        for member in self.members_mut().filter(|member| member.is(role)) {
            member.process.signal("-KILL");
            member.process.ended().await;
        }
    }

    /// Asks the process that has had a role for longest to drain, and waits until it is gone. Gives
    /// how it ended.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn terminate_one(&mut self, role: Role) -> ExitStatus {
        let oldest = self.oldest(role);
        oldest.process.signal("-TERM");
        oldest.process.ended().await
    }

    /// Stops the process that has had a role for longest, and lets it go on after this time.
    ///
    /// # Panics
    /// When it does not stop.
    pub async fn pause_one(&mut self, role: Role, pause: Duration) {
        let process = &self.oldest(role).process;
        process.signal("-STOP");
        process.pauses(pause).await;
    }

    /// The process that was started last in a role.
    pub(crate) fn youngest(&self, role: Role) -> &Process {
        &self.youngest_member(role).process
    }

    /// Which of those with the role it is.
    pub(crate) fn youngest_number(&self, role: Role) -> usize {
        self.youngest_member(role).number
    }

    /// All others with the role.
    pub(crate) fn elder(&self, role: Role) -> Vec<&Process> {
        let youngest = self.youngest_member(role).number;
        let others = self.members().filter(|member| member.is(role) && member.number != youngest);
        others.map(|member| &member.process).collect()
    }

    fn youngest_member(&self, role: Role) -> &Member {
        let members = self.members().filter(|member| member.is(role));
        #[expect(clippy::expect_used, reason = "a server has every role")]
        members.max_by_key(|member| member.began).expect("a process with the role")
    }

    fn oldest(&mut self, role: Role) -> &mut Member {
        let members = self.members_mut().filter(|member| member.is(role));
        #[expect(clippy::expect_used, reason = "a server has every role")]
        members.min_by_key(|member| member.began).expect("a process with the role")
    }

    /// How many of its processes have ended.
    pub fn ended_count(&mut self) -> usize {
        self.members_mut().filter_map(|member| member.process.has_ended().then_some(())).count()
    }

    /// Whether any of its processes has ended.
    pub fn has_any_ended(&mut self) -> bool {
        self.ended_count() > 0
    }

    /// Those in whose places others were started since this was asked last.
    pub(crate) fn take_replaced(&mut self) -> Vec<Replaced> {
        std::mem::take(&mut self.replaced)
    }

    /// Starts others in the places of all that have ended.
    pub(crate) async fn complete(
        &mut self,
        start: impl AsyncFn(Option<Role>, usize) -> Result<Process, String>,
    ) -> Result<(), String> {
        for member in std::iter::once(&mut self.front).chain(&mut self.behind) {
            if member.process.has_ended() {
                let (role, number) = (member.role, member.number);
                let other = Member::new(role, number, start(role, number).await?);
                let mut ended = std::mem::replace(member, other).process;
                let (status, log) = (ended.status(), ended.log());
                self.replaced.push(Replaced { role, status, log });
            }
        }
        self.address.clone_from(&self.front.process.address);
        self.metrics.clone_from(&self.front.process.metrics);
        Ok(())
    }

    /// Whether the process that clients speak to has ended.
    pub fn has_ended(&mut self) -> bool {
        self.front.process.has_ended()
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
        self.members().map(|member| member.process.log()).collect::<Vec<_>>().join("\n")
    }
}

/// Starts `ordain dev` on a directory.
pub(crate) async fn start_on_directory(
    data: &Path,
    options: &ServerOptions,
) -> Result<Process, String> {
    let mut command = options.command();
    command.arg("dev").arg("--data").arg(data);
    command.args(["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--json"]);
    if let Some(partitions) = options.partitions {
        command.args(["--partitions", &partitions.to_string()]);
    }
    Process::start(command).await
}

/// The server that was started.
pub(crate) fn started(started: Result<Server, String>) -> Server {
    match started {
        Ok(server) => server,
        #[expect(clippy::panic, reason = "a test whose server does not start has failed")]
        Err(log) => panic!("the server did not start:\n{log}"),
    }
}
