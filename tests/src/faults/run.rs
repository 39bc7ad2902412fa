//! A run: a fleet under load, from its start to what the checker says of it.

use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ordain_checker::evidence::Item;
use ordain_checker::{Checker, Demands, Report};
use tempfile::TempDir;

use super::ready::Places;
use super::{Clients, Evidence, Memory, Readiness, Timeline};
use crate::{Client, Fleet, Role, Server, ServerOptions, until};

const PARTITIONS: u32 = 8;
/// At least so many accounts each client opens before it does anything else.
const OPENED: u64 = 13;
/// How long a member may be silent until its partitions go to others.
const SESSION: Duration = Duration::from_secs(3);
/// How many bytes of outcomes a lane remembers: two or three of them. Nearly all repeats of a run
/// are to come to light where the store is asked, and not only the late ones.
const OUTCOMES_BYTES_MAX: u64 = 2_000;
/// How long a pause takes, so that whoever wakes up finds that others have taken over.
pub(super) const PAUSE: Duration = SESSION.saturating_mul(2);
/// What a crash point ends its process with, and a rule, too.
pub(super) const ABORTED: i32 = 6;

/// A fleet under load.
#[derive(Debug)]
pub struct Run {
    pub(super) fleet: Arc<Fleet>,
    pub(super) server: Server,
    pub(super) memory: Arc<Memory>,
    pub(super) clients: Clients,
    places: Places,
    pub(super) timeline: Arc<Timeline>,
    pub(super) load: Load,
    pub(super) failpoints: String,
    /// How many clients have asked for what no rule survives.
    pub(super) victims: u32,
    /// Records that were in the logs and are no more.
    pub(super) expired: Vec<Item>,
    directory: TempDir,
}

/// How much clients do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// What their choices follow from.
    pub seed: u64,
    /// How many there are.
    pub clients: u32,
    /// So many answers have to come behind each fault of a process.
    pub answers: u64,
}

impl Load {
    /// One that a test bears.
    #[must_use]
    pub const fn small(seed: u64) -> Self {
        Self { seed, clients: 32, answers: 300 }
    }
}

/// What a fault does to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strike {
    /// It ends as a crash does.
    Kill,
    /// It stands still for longer than a session.
    Pause,
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "killed",
            Self::Pause => "paused",
        })
    }
}

#[expect(clippy::expect_used, reason = "a test whose fleet does not start has failed")]
impl Run {
    /// Starts two APIs, three workers and two views, all with these failpoints, and the clients.
    ///
    /// # Panics
    /// When they do not start, or the clients do not get on.
    pub async fn begin(seed: u64, failpoints: &str) -> Self {
        let fleet = Arc::new(Fleet::new());
        Self::begin_on(fleet, (None, Load::small(seed)), failpoints).await
    }

    /// The same on this fleet, and the history in this file, or one that goes with the run.
    ///
    /// # Panics
    /// When they do not start, or the clients do not get on.
    pub async fn begin_on(
        fleet: Arc<Fleet>,
        (history, load): (Option<&Path>, Load),
        failpoints: &str,
    ) -> Self {
        let run = Self::start(fleet, (history, load), failpoints).await;
        run.memory.progress(run.first_answers()).await;
        run
    }

    /// The same without waiting for any answer.
    pub(super) async fn start(
        fleet: Arc<Fleet>,
        (history, load): (Option<&Path>, Load),
        failpoints: &str,
    ) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let lost = directory.path().join("history.ndjson");
        let memory = Arc::new(Memory::new(history.unwrap_or(&lost)));
        let server = fleet.serve(&options(failpoints, None)).await;
        let clients = Clients::start(load.clients, load.seed, &memory);
        let places = Places::of(&server);
        let timeline = Arc::new(Timeline::new(&memory));
        let failpoints = failpoints.to_owned();
        let run = Self {
            fleet,
            server,
            memory,
            clients,
            places,
            timeline,
            load,
            failpoints,
            victims: 0,
            expired: Vec::new(),
            directory,
        };
        run.clients.serve(&run.server);
        run
    }

    /// So many answers show that clients have got on: first of all every one opens accounts that
    /// others open, too.
    pub(super) fn first_answers(&self) -> u64 {
        u64::from(self.load.clients) * OPENED + self.load.answers
    }

    /// A directory that goes with the run.
    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What clients saw.
    #[must_use]
    pub const fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    /// Says of its processes whether they reach all that they need.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        self.places.readiness()
    }

    /// What was done to the fleet.
    #[must_use]
    pub const fn timeline(&self) -> &Arc<Timeline> {
        &self.timeline
    }

    /// Waits until clients have got on, through whichever APIs there are.
    ///
    /// # Panics
    /// When they do not.
    pub async fn goes_on(&self) {
        self.clients.serve(&self.server);
        self.memory.progress(self.load.answers).await;
    }

    /// Kills the process that has had the role for longest and starts another.
    ///
    /// # Panics
    /// When none starts in its place, or the clients do not get on.
    pub async fn kill(&mut self, role: Role) {
        let timeline = Arc::clone(&self.timeline);
        let name = format!("{role} killed");
        timeline.during(("kill", &name), self.replace(role, Strike::Kill, None)).await;
        self.goes_on().await;
    }

    /// Asks the process that has had the role for longest to leave, and starts another.
    ///
    /// # Panics
    /// When it does not leave, none starts in its place, or the clients do not get on.
    pub async fn leave(&mut self, role: Role) {
        let timeline = Arc::clone(&self.timeline);
        let left = async {
            self.nobody_has_ended(0);
            let status = self.server.terminate_one(role).await;
            // While a server is away it may say that its drain was cut off.
            assert!(matches!(status.code(), Some(0 | 3)), "it leaves in order: {status:?}");
            self.complete(&options(&self.failpoints.clone(), None)).await;
        };
        timeline.during(("leave", &format!("{role} left")), left).await;
        self.goes_on().await;
    }

    /// Stops the process that has had the role for longest, for longer than a session.
    ///
    /// # Panics
    /// When it does not stop, or the clients do not get on.
    pub async fn pause(&mut self, role: Role) {
        self.nobody_has_ended(0);
        let name = format!("{role} paused");
        let paused = self.server.pause_one(role, PAUSE);
        self.timeline.during(("pause", &name), paused).await;
        self.goes_on().await;
    }

    /// Starts a process in that role that is killed at the crash point, or paused for longer than a
    /// session, once it has passed it so often; and another in its place once it was killed.
    ///
    /// # Panics
    /// When the point is not met, none starts in its place, or the clients do not get on.
    pub async fn strike(&mut self, strike: Strike, (point, role): (&str, Role), passed: u32) {
        let timeline = Arc::clone(&self.timeline);
        let name = format!("{point} {strike}");
        // The one before ends as a crash does: that is a fault of its own.
        let replaced = self.replace(role, strike, Some((point, passed)));
        timeline.during(("kill", &format!("{role} killed")), replaced).await;
        self.clients.serve(&self.server);
        timeline.during(("point", &name), self.meets(strike, (point, role))).await;
        self.goes_on().await;
    }

    /// Lets something be done that every process has to live through.
    ///
    /// # Panics
    /// When one ends, or the clients do not get on.
    pub async fn all_live_through(&mut self, done: impl Future<Output = ()>) {
        self.nobody_has_ended(0);
        done.await;
        self.nobody_has_ended(0);
        self.goes_on().await;
    }

    /// Starts others where some have ended, and lets go on what stands still.
    ///
    /// # Panics
    /// When none starts in its place.
    pub async fn heal(&mut self) {
        self.complete(&options(&self.failpoints.clone(), None)).await;
        for role in [Role::Api, Role::Worker, Role::View] {
            self.server.processes(role).iter().for_each(|process| process.signal("-CONT"));
        }
    }

    async fn meets(&mut self, strike: Strike, (point, role): (&str, Role)) {
        match strike {
            Strike::Kill => {
                let status = self.server.ended_as(role).await;
                let log = self.server.log();
                assert_eq!(status.signal(), Some(ABORTED), "{point} is met: {status:?}\n{log}");
                self.nobody_has_ended(1);
                self.complete(&options(&self.failpoints.clone(), None)).await;
            }
            Strike::Pause => self.server.youngest(role).pauses(PAUSE).await,
        }
    }

    /// Kills the oldest of a role; the one in its place meets that crash point.
    async fn replace(&mut self, role: Role, strike: Strike, point: Option<(&str, u32)>) {
        let mut failpoints = self.failpoints.clone();
        let mut pause = None;
        match (strike, point) {
            (Strike::Kill, Some((point, passed))) => {
                failpoints += &format!(";{point}={passed}*off->panic");
            }
            (Strike::Pause, Some((point, passed))) => pause = Some(format!("{point}={passed}")),
            (_, None) => {}
        }
        self.replace_by(role, &options(&failpoints, pause)).await;
    }

    /// Kills the oldest of a role; the one in its place is started with these options.
    pub(super) async fn replace_by(&mut self, role: Role, options: &ServerOptions) {
        self.nobody_has_ended(0);
        self.server.kill_one(role).await;
        self.complete(options).await;
    }

    /// A process that ends by itself is a fault of ours, not one that was planned.
    pub(super) fn nobody_has_ended(&mut self, planned: usize) {
        let (ended, log) = (self.server.ended_count(), self.server.log());
        assert_eq!(ended, planned, "a process has ended by itself:\n{log}");
    }

    /// Starts others where some have ended, again while what they need does not answer: whoever
    /// runs a fleet does so.
    async fn complete(&mut self, options: &ServerOptions) {
        let (fleet, server) = (&self.fleet, tokio::sync::Mutex::new(&mut self.server));
        until("one in its place", || async {
            let mut server = server.lock().await;
            fleet.complete(&mut server, options).await.ok()
        })
        .await;
        self.places.are_of(&self.server);
    }

    /// Lets the clients finish, reads everything back, and decides. The fleet ends in order.
    ///
    /// # Panics
    /// When something does not come to rest, cannot be read, or does not leave in order.
    pub async fn end(mut self) -> Report {
        self.nobody_has_ended(0);
        self.clients.finish().await;
        let (client, operator) = (self.server.client(), Client::new(&self.server.metrics));
        let operations = self.memory.operations();
        let left = (self.fleet.stands_on(), (&client, &operator));
        let expired = std::mem::take(&mut self.expired);
        let evidence = Evidence::of(left.0, left.1, (operations, expired)).await;
        let mut checker =
            Checker::new(Demands { successes_min: self.load.answers, ..Demands::default() });
        self.memory.lines_written().for_each(|line| checker.take_line(line));
        let made = self.timeline.items();
        evidence.items.into_iter().chain(made).for_each(|item| checker.take_item(item));
        self.nobody_has_ended(0);
        assert_eq!(self.server.terminate().await.code(), Some(0), "they leave in order");
        checker.finish()
    }
}

pub(super) fn options(failpoints: &str, pause: Option<String>) -> ServerOptions {
    let outcomes =
        ("ORDAIN_ENGINE__LANE_OUTCOMES_BYTES_MAX".to_owned(), OUTCOMES_BYTES_MAX.to_string());
    let session = ("ORDAIN_KAFKA__SESSION_MS".to_owned(), SESSION.as_millis().to_string());
    let pause = pause.map(|pause| ("PAUSE_AT".to_owned(), pause));
    ServerOptions {
        failpoints: failpoints.trim_start_matches(';').to_owned(),
        environment: [session, outcomes].into_iter().chain(pause).collect(),
        partitions: Some(PARTITIONS),
        more_apis: 1,
        more_workers: 2,
        more_views: 1,
        ..ServerOptions::default()
    }
}
