//! The home: a directory, opened; and the ports on it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use ordain_model::Command;
use ordain_ports::{
    Announcements, CommandLog, Commits, CrashMarks, DeadLetters, Delivery, EventLog, Feed,
    Heartbeats, NotAccepted, Outcomes, Published, Replies, ReplySender, Snapshots, ViewStore,
};

pub(crate) use self::inner::Inner;
use crate::failure::Failure;
use crate::feed::Member;
use crate::record::Recorded as _;
use crate::{OpenError, Settings};

mod inner;
mod threads;

/// Every port, on one directory, in this process. Cheap to clone; all clones are one home.
#[derive(Clone)]
pub struct Home {
    pub(crate) inner: Arc<Inner>,
}

impl Home {
    /// Opens a directory, and makes it if there is none. It is held until the home is closed and
    /// everything that came from it is dropped.
    ///
    /// # Errors
    /// Why it cannot be opened, for people.
    pub fn open(directory: &Path, settings: &Settings) -> Result<Self, OpenError> {
        Ok(Self { inner: Arc::new(Inner::open(directory, settings)?) })
    }

    /// The log of requests.
    #[must_use]
    pub fn command_log(&self) -> Arc<dyn CommandLog> {
        Arc::new(self.clone())
    }

    /// The log of events.
    #[must_use]
    pub fn event_log(&self) -> Arc<dyn EventLog> {
        Arc::new(self.clone())
    }

    /// The commit store.
    #[must_use]
    pub fn commits(&self) -> Arc<dyn Commits> {
        Arc::new(self.clone())
    }

    /// The look-up of outcomes.
    #[must_use]
    pub fn outcomes(&self) -> Arc<dyn Outcomes> {
        Arc::new(self.clone())
    }

    /// The store of snapshots.
    #[must_use]
    pub fn snapshots(&self) -> Arc<dyn Snapshots> {
        Arc::new(self.clone())
    }

    /// The waiters' end of the replies.
    #[must_use]
    pub fn replies(&self) -> Arc<dyn Replies> {
        Arc::new(self.clone())
    }

    /// The workers' end of the replies.
    #[must_use]
    pub fn reply_sender(&self) -> Arc<dyn ReplySender> {
        Arc::new(self.clone())
    }

    /// The store of dead letters.
    #[must_use]
    pub fn dead_letters(&self) -> Arc<dyn DeadLetters> {
        Arc::new(self.clone())
    }

    /// The store of crash marks.
    #[must_use]
    pub fn crash_marks(&self) -> Arc<dyn CrashMarks> {
        Arc::new(self.clone())
    }

    /// The store of announcements.
    #[must_use]
    pub fn announcements(&self) -> Arc<dyn Announcements> {
        Arc::new(self.clone())
    }

    /// The heartbeats of this process's members.
    #[must_use]
    pub fn heartbeats(&self) -> Arc<dyn Heartbeats> {
        Arc::new(self.clone())
    }

    /// The view store.
    #[must_use]
    pub fn view_store(&self) -> Arc<dyn ViewStore> {
        Arc::new(self.clone())
    }

    /// Joins the workers' group on the log of requests.
    #[must_use]
    pub fn join_requests(&self) -> Box<dyn Feed<Command>> {
        let inner = &self.inner;
        Box::new(Member::join(
            Arc::clone(inner),
            Arc::clone(&inner.requests),
            Arc::clone(&inner.workers),
        ))
    }

    /// Joins a group on the log of events.
    #[must_use]
    pub fn join_events(&self, group: &str) -> Box<dyn Feed<Published>> {
        let inner = &self.inner;
        Box::new(Member::join(
            Arc::clone(inner),
            Arc::clone(&inner.events),
            inner.event_groups.get(group),
        ))
    }

    /// Appends any bytes to the log of requests, as whoever else can write to the log could: they
    /// may be a command, or part of one, or anything else.
    ///
    /// # Errors
    /// The bytes were not enqueued and never will be in the log.
    pub fn append_raw(&self, partition: u32, bytes: &[u8]) -> Result<Delivery, NotAccepted> {
        let partition = partition.min(self.partitions() - 1);
        self.inner.append(partition, bytes, Command::content(bytes))
    }

    /// How many partitions the log of requests has.
    #[must_use]
    pub fn partitions(&self) -> u32 {
        self.inner.requests.partitions()
    }

    /// How many partitions the log of events has.
    #[must_use]
    pub fn event_partitions(&self) -> u32 {
        self.inner.events.partitions()
    }

    /// Waits until a write or sync has failed. Then nothing is known of what is on the disk; who
    /// waits for a write is never answered, and the process must end.
    pub async fn failed(&self) -> Failure {
        self.inner.failed().await
    }

    /// Closes the home: takes nothing more, writes all that waits and answers it, notes that it was
    /// closed in order, and lets go of the directory. Lanes and feeds that are still there end in
    /// errors.
    pub async fn close(&self) {
        self.inner.close().await;
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Home").field("partitions", &self.partitions()).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests;
