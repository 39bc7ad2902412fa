//! The ports that a worker works through.

use std::sync::Arc;

use ordain_ports::{
    Announcements, Clock, CommandLog, Commits, CrashMarks, DeadLetters, EventLog, Heartbeats,
    Outcomes, ReplySender, Snapshots, Spans,
};

/// The ports that a worker works through.
#[derive(Clone)]
pub struct Ports {
    /// The log `requests`: its saved progress and its pruning.
    pub log: Arc<dyn CommandLog>,
    /// Where decisions become true.
    pub commits: Arc<dyn Commits>,
    /// Finds what became of a repeat.
    pub outcomes: Arc<dyn Outcomes>,
    /// Makes aggregates quick to load.
    pub snapshots: Arc<dyn Snapshots>,
    /// Answers who waits.
    pub replies: Arc<dyn ReplySender>,
    /// The log `finalevents`.
    pub events: Arc<dyn EventLog>,
    /// Keeps what could not be processed.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// Finds the record that ends the process.
    pub crash_marks: Arc<dyn CrashMarks>,
    /// Which commands any build has known.
    pub announcements: Arc<dyn Announcements>,
    /// Where it says that it lives.
    pub heartbeats: Arc<dyn Heartbeats>,
    /// Where it tells, of commands that belong to a trace, what was done when.
    pub spans: Arc<dyn Spans>,
    /// The worker's clock.
    pub clock: Arc<dyn Clock>,
}
