//! The home of a process: where its logs and stores are, as the ports that each role wants.

mod fleet;
mod letters;

pub(crate) use fleet::{mongo, no_kafka, no_mongo};

use std::sync::Arc;

use ordain_api::Readiness;
use ordain_kafka::Kafka;
use ordain_model::Command;
use ordain_ports::{
    Announcements, CommandLog, Commits, CrashMarks, DeadLetters, EventLog, Feed, Heartbeats,
    NoSpans, Outcomes, Published, Snapshots, Spans, SystemClock, ViewStore,
};
use ordain_redis::Redis;

use crate::Configuration;

/// Which home a process runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HomeKind {
    /// One directory, in this process alone.
    Directory,
    /// Kafka, MongoDB and Redis, shared with other processes.
    Fleet,
}

/// The home of a process. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Home {
    stores: Stores,
    place: Place,
    spans: Arc<dyn Spans>,
}

/// The ports that a process has once.
#[derive(Clone)]
struct Stores {
    log: Arc<dyn CommandLog>,
    events: Arc<dyn EventLog>,
    commits: Arc<dyn Commits>,
    outcomes: Arc<dyn Outcomes>,
    snapshots: Arc<dyn Snapshots>,
    views: Arc<dyn ViewStore>,
    dead_letters: Arc<dyn DeadLetters>,
    crash_marks: Arc<dyn CrashMarks>,
    announcements: Arc<dyn Announcements>,
    heartbeats: Arc<dyn Heartbeats>,
}

/// What a process joins and subscribes to.
#[derive(Clone)]
enum Place {
    Directory(ordain_embedded::Home),
    Fleet(Kafka, Redis),
}

impl Home {
    /// Opens the home.
    ///
    /// # Errors
    /// Why it cannot be used, and what to do about it; for people.
    pub(crate) async fn open(
        kind: HomeKind,
        configuration: &Configuration,
        readiness: &Readiness,
    ) -> anyhow::Result<Self> {
        match kind {
            HomeKind::Directory => {
                let directory = &configuration.data;
                let home = ordain_embedded::Home::open(directory, &configuration.embedded)?;
                Ok(Self::of(in_directory(&home), Place::Directory(home)))
            }
            HomeKind::Fleet => fleet::connect(configuration, readiness).await,
        }
    }

    fn of(stores: Stores, place: Place) -> Self {
        Self { stores, place, spans: Arc::new(NoSpans) }
    }

    /// The same, telling there what is done for commands that belong to a trace.
    #[must_use]
    pub(crate) fn telling(self, spans: Arc<dyn Spans>) -> Self {
        Self { spans, ..self }
    }

    /// The ports of the API.
    pub(crate) fn api_ports(&self) -> ordain_api::Ports {
        ordain_api::Ports {
            log: Arc::clone(&self.stores.log),
            replies: match &self.place {
                Place::Directory(home) => home.replies(),
                Place::Fleet(_, redis) => redis.replies(),
            },
            outcomes: Arc::clone(&self.stores.outcomes),
            commits: Arc::clone(&self.stores.commits),
            views: Arc::clone(&self.stores.views),
            dead_letters: Arc::clone(&self.stores.dead_letters),
            heartbeats: Arc::clone(&self.stores.heartbeats),
            spans: Arc::clone(&self.spans),
            clock: Arc::new(SystemClock),
        }
    }

    /// The ports of the worker.
    pub(crate) fn engine_ports(&self) -> ordain_engine::Ports {
        ordain_engine::Ports {
            log: Arc::clone(&self.stores.log),
            commits: Arc::clone(&self.stores.commits),
            outcomes: Arc::clone(&self.stores.outcomes),
            snapshots: Arc::clone(&self.stores.snapshots),
            replies: match &self.place {
                Place::Directory(home) => home.reply_sender(),
                Place::Fleet(_, redis) => redis.reply_sender(),
            },
            events: Arc::clone(&self.stores.events),
            dead_letters: Arc::clone(&self.stores.dead_letters),
            crash_marks: Arc::clone(&self.stores.crash_marks),
            announcements: Arc::clone(&self.stores.announcements),
            heartbeats: Arc::clone(&self.stores.heartbeats),
            spans: Arc::clone(&self.spans),
            clock: Arc::new(SystemClock),
        }
    }

    /// The ports of a projector.
    pub(crate) fn view_ports(&self) -> ordain_views::Ports {
        ordain_views::Ports {
            commits: Arc::clone(&self.stores.commits),
            views: Arc::clone(&self.stores.views),
            dead_letters: Arc::clone(&self.stores.dead_letters),
            spans: Arc::clone(&self.spans),
            clock: Arc::new(SystemClock),
        }
    }

    /// Joins the workers' group.
    pub(crate) fn join_requests(&self) -> Box<dyn Feed<Command>> {
        match &self.place {
            Place::Directory(home) => home.join_requests(),
            Place::Fleet(kafka, _) => kafka.join_requests(),
        }
    }

    /// Joins a group of followers.
    pub(crate) fn join_events(&self, group: &str) -> Box<dyn Feed<Published>> {
        match &self.place {
            Place::Directory(home) => home.join_events(group),
            Place::Fleet(kafka, _) => kafka.join_events(group),
        }
    }

    /// How many partitions the log of requests has.
    pub(crate) fn partitions(&self) -> u32 {
        match &self.place {
            Place::Directory(home) => home.partitions(),
            Place::Fleet(kafka, _) => kafka.partitions(),
        }
    }

    /// Waits until the home has failed for good: a disk may, services come back.
    pub(crate) async fn failed(&self) -> String {
        match &self.place {
            Place::Directory(home) => home.failed().await.to_string(),
            Place::Fleet(..) => std::future::pending().await,
        }
    }

    /// Leaves the home in order.
    pub(crate) async fn close(self) {
        match self.place {
            Place::Directory(home) => home.close().await,
            // Else the others would wait for as long as a silent member may be silent.
            Place::Fleet(kafka, _) => kafka.left().await,
        }
    }
}

fn in_directory(home: &ordain_embedded::Home) -> Stores {
    Stores {
        log: home.command_log(),
        events: home.event_log(),
        commits: home.commits(),
        outcomes: home.outcomes(),
        snapshots: home.snapshots(),
        views: home.view_store(),
        dead_letters: home.dead_letters(),
        crash_marks: home.crash_marks(),
        announcements: home.announcements(),
        heartbeats: home.heartbeats(),
    }
}
