//! A run: a fleet under load, from its start to what the checker says of it.

use std::sync::Arc;

use ordain_checker::evidence::{Fault, Item};
use ordain_checker::{Checker, Demands, Report};
use ordain_tests::faults::{Clients, Evidence, Memory};
use ordain_tests::{Client, Fleet, Role, Server, ServerOptions};
use tempfile::TempDir;

const PARTITIONS: u32 = 8;
const CLIENTS: u32 = 32;
/// At least so many accounts each client opens before it does anything else.
const OPENED: u64 = 13;
/// So many answers have to come before and after each fault.
const ENOUGH: u64 = 300;
/// How long a member may be silent until its partitions go to others.
pub(crate) const SESSION_MS: u64 = 3_000;

/// A fleet under load.
pub(crate) struct Run {
    fleet: Fleet,
    pub(crate) server: Server,
    memory: Arc<Memory>,
    clients: Clients,
    faults: Vec<Fault>,
    failpoints: String,
    _directory: TempDir,
}

/// What a fault does to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strike {
    Kill,
    Pause,
}

impl Run {
    /// Starts two APIs, three workers and a view, all with these failpoints, and the clients.
    pub(crate) async fn begin(seed: u64, failpoints: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let memory = Arc::new(Memory::new(&directory.path().join("history.ndjson")));
        let fleet = Fleet::new();
        let options = options(failpoints, None);
        let server = fleet.serve(&options).await;
        let clients = Clients::start(CLIENTS, seed, &memory);
        let failpoints = failpoints.to_owned();
        let (faults, _directory) = (Vec::new(), directory);
        let run = Self { fleet, server, memory, clients, faults, failpoints, _directory };
        // First of all every client opens accounts that others open, too.
        run.clients.serve(&run.server);
        run.clients.progress(u64::from(CLIENTS) * OPENED + ENOUGH).await;
        run
    }

    /// Waits until clients have got on, through whichever APIs there are.
    pub(crate) async fn goes_on(&self) {
        self.clients.serve(&self.server);
        self.clients.progress(ENOUGH).await;
    }

    /// Kills the process that has had the role for longest and starts another.
    pub(crate) async fn kill(&mut self, role: Role) {
        self.replace(role, &options(&self.failpoints, None)).await;
        self.note(&format!("{role} killed"), Strike::Kill);
        self.goes_on().await;
    }

    /// Starts a process in that role that is killed at the crash point, or paused for longer than a
    /// session, once it has passed it so often; and another in its place once it was killed.
    pub(crate) async fn strike(
        &mut self,
        strike: Strike,
        (point, role): (&str, Role),
        passed: u32,
    ) {
        let mut failpoints = self.failpoints.clone();
        if strike == Strike::Kill {
            failpoints += &format!(";{point}={passed}*off->panic");
        }
        let pause = (strike == Strike::Pause).then(|| format!("{point}={passed}"));
        self.replace(role, &options(&failpoints, pause)).await;
        self.clients.serve(&self.server);
        match strike {
            Strike::Kill => {
                let status = self.server.ended_as(role).await;
                assert!(!status.success(), "{point} was met: {}", self.server.log());
                let options = options(&self.failpoints, None);
                self.fleet.complete(&mut self.server, &options).await.unwrap();
            }
            Strike::Pause => {
                let pause = std::time::Duration::from_millis(2 * SESSION_MS);
                self.server.pauses_as(role, pause).await;
            }
        }
        self.note(point, strike);
        self.goes_on().await;
    }

    async fn replace(&mut self, role: Role, options: &ServerOptions) {
        self.server.kill_one(role).await;
        self.fleet.complete(&mut self.server, options).await.unwrap();
    }

    fn note(&mut self, name: &str, strike: Strike) {
        let (kills, pauses) = match strike {
            Strike::Kill => (1, 0),
            Strike::Pause => (0, 1),
        };
        let (kills_planned, pauses_planned) = (kills, pauses);
        let name = name.to_owned();
        self.faults.push(Fault { name, kills_planned, kills, pauses_planned, pauses });
    }

    /// Lets the clients finish, reads everything back, and decides. The fleet ends in order.
    pub(crate) async fn end(self) -> Report {
        self.clients.finish().await;
        let (client, operator) = (self.server.client(), Client::new(&self.server.metrics));
        let operations = self.memory.operations();
        let left = (self.fleet.stands_on(), (&client, &operator));
        let evidence = Evidence::of(left.0, left.1, operations).await;
        let mut checker = Checker::new(Demands { successes_min: ENOUGH, ..Demands::default() });
        self.memory.lines_written().for_each(|line| checker.take_line(line));
        let faults = self.faults.into_iter().map(Item::Fault);
        evidence.items.into_iter().chain(faults).for_each(|item| checker.take_item(item));
        assert_eq!(self.server.terminate().await.code(), Some(0), "they leave in order");
        checker.finish()
    }
}

fn options(failpoints: &str, pause: Option<String>) -> ServerOptions {
    let session = ("ORDAIN_KAFKA__SESSION_MS".to_owned(), SESSION_MS.to_string());
    let pause = pause.map(|pause| ("PAUSE_AT".to_owned(), pause));
    ServerOptions {
        failpoints: failpoints.trim_start_matches(';').to_owned(),
        environment: [session].into_iter().chain(pause).collect(),
        partitions: Some(PARTITIONS),
        more_apis: 1,
        more_workers: 2,
        ..ServerOptions::default()
    }
}
