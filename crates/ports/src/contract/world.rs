//! What an adapter gives its contract suite: a fresh home of its own, the ports in it, and how
//! long things take there.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ordain_model::{AggregateKey, Command, RequestId};
use tokio::time::{sleep, timeout};

use crate::{
    Announcements, CommandLog, Commits, CrashMarks, DeadLetters, EventLog, Feed, Heartbeats,
    Outcomes, Position, Published, Replies, ReplySender, Snapshots, ViewStore,
};

/// A home for an adapter, used by one test and by nothing else.
#[async_trait]
pub trait World: Send + Sync + Sized + 'static {
    /// How long things may take here.
    const PATIENCE: Patience;

    /// A home in which nothing has happened: a new directory, new topics, a new database.
    async fn fresh(setup: Setup) -> Self;

    /// Ends all that runs in this home, as abruptly as the adapter can be ended, and opens it again
    /// on the same data. Every port, feed and lane of the old one has been dropped before.
    async fn restart(self, setup: Setup) -> Self;
}

/// The home of the two logs.
#[async_trait]
pub trait Logs: World {
    /// The log of requests; each call may give another client of it.
    async fn command_log(&self) -> Arc<dyn CommandLog>;

    /// The log of events; each call may give another client of it.
    async fn event_log(&self) -> Arc<dyn EventLog>;

    /// A new member of the workers' group.
    async fn join_requests(&self) -> Box<dyn Feed<Command>>;

    /// A new member of this group on the log of events.
    async fn join_events(&self, group: &str) -> Box<dyn Feed<Published>>;

    /// How many partitions the log of events has.
    async fn event_partitions(&self) -> u32;

    /// Appends a record that cannot be read as a command; says where it stands.
    async fn append_damaged(&self, damage: Damage) -> Position;

    /// Opens the home again with more partitions of the log of requests.
    async fn raise(self, setup: Setup) -> Self {
        self.restart(setup).await
    }
}

/// The home of commits and what is looked up in them.
#[async_trait]
pub trait Stores: World {
    /// The commits; each call may give another client of them.
    async fn commits(&self) -> Arc<dyn Commits>;

    /// The snapshots of the same aggregates.
    async fn snapshots(&self) -> Arc<dyn Snapshots>;

    /// The look-up of outcomes in the same commits.
    async fn outcomes(&self) -> Arc<dyn Outcomes>;
}

/// The home of reply channels.
#[async_trait]
pub trait Channels: World {
    /// A worker's end; each call may give another process's.
    async fn sender(&self) -> Arc<dyn ReplySender>;

    /// An API's end; each call may give another process's.
    async fn replies(&self) -> Arc<dyn Replies>;

    /// Breaks what connects the ends, for a moment. In one process there is nothing to break.
    async fn interrupt(&self) {}
}

/// The home of views.
#[async_trait]
pub trait Views: World {
    /// The rows and marks; each call may give another client of them.
    async fn view_store(&self) -> Arc<dyn ViewStore>;
}

/// The home of dead letters.
#[async_trait]
pub trait Letters: World {
    /// The dead letters; each call may give another client of them.
    async fn dead_letters(&self) -> Arc<dyn DeadLetters>;
}

/// The home of crash marks.
#[async_trait]
pub trait Marks: World {
    /// The crash marks; each call may give another client of them.
    async fn crash_marks(&self) -> Arc<dyn CrashMarks>;
}

/// The home of announcements.
#[async_trait]
pub trait Announcing: World {
    /// The announcements; each call may give another client of them.
    async fn announcements(&self) -> Arc<dyn Announcements>;
}

/// The home of heartbeats.
#[async_trait]
pub trait Beating: World {
    /// The heartbeats; each call may give another client of them.
    async fn heartbeats(&self) -> Arc<dyn Heartbeats>;
}

/// How a home is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    /// How many partitions the log of requests has.
    pub partitions: u32,
    /// How long a revoked lane may still save.
    pub revoking: Revoking,
    /// How many appended commands may wait to be written.
    pub waiting: Waiting,
}

impl Setup {
    /// What a test takes that is not about any of it.
    pub const DEFAULT: Self =
        Self { partitions: 3, revoking: Revoking::Ample, waiting: Waiting::Ample };
}

/// How long a revoked lane may still save.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoking {
    /// So long that no test sees the end of it.
    Ample,
    /// As short as the adapter can have it.
    Tight,
}

/// How many appended commands may wait to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// More than any test has waiting.
    Ample,
    /// As few as the adapter can have.
    Tight,
}

/// What is wrong with a damaged record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// Nothing in it can be read: these bytes are all there is.
    Whole(Vec<u8>),
    /// For whom it was and under which request id can be read, the rest cannot.
    Body(AggregateKey, RequestId),
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// A whole test. What waits longer has failed.
    pub test: Duration,
    /// Any one state that must come about.
    pub state: Duration,
    /// After which time what has not happened is taken not to happen. A test that watches for so
    /// long can miss a breach, but never see one where there is none.
    pub quiet: Duration,
}

/// What a test gives, if it comes to its end in time.
pub async fn in_time<W: World>(test: &str, run: impl Future<Output = ()>) {
    let limit = W::PATIENCE.test;
    assert!(timeout(limit, run).await.is_ok(), "{test} did not end within {limit:?}");
}

/// What the future gives; fails the test when that takes longer than a state may.
pub(crate) async fn within<W: World, T>(what: &str, future: impl Future<Output = T>) -> T {
    let limit = W::PATIENCE.state;
    match timeout(limit, future).await {
        Ok(result) => result,
        Err(_) => panic!("waited {limit:?} in vain for {what}"),
    }
}

/// Looks again and again until there is something to see.
pub(crate) async fn until<W: World, T, F>(what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let between = W::PATIENCE.quiet / 20;
    within::<W, T>(what, async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            sleep(between).await;
        }
    })
    .await
}

/// Fails the test when the future gives anything within the time in which nothing must happen.
pub(crate) async fn never<W: World, T>(what: &str, future: impl Future<Output = T>) {
    let happened = timeout(W::PATIENCE.quiet, future).await.is_ok();
    assert!(!happened, "{what}");
}
