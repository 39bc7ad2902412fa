//! The home: a directory, opened; and the ports on it.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ordain_model::Command;
use ordain_ports::{
    Announcements, CommandLog, Commits, CrashMarks, DeadLetters, Delivery, EventLog, Feed,
    NotAccepted, Outcomes, Published, Replies, ReplySender, Snapshots, ViewStore,
};
use tokio::sync::{Semaphore, oneshot, watch};

use crate::append::Append;
use crate::batch::{Batch, Task};
use crate::directory::Directory;
use crate::failure::{Failure, Failures};
use crate::fault::Fault;
use crate::feed::Member;
use crate::group::{Group, Groups};
use crate::log::{Kind, Log};
use crate::queue::{NotEnqueued, Queue, lock};
use crate::record::Recorded as _;
use crate::replies::Channels;
use crate::space::Space;
use crate::tables::{self, Tables};
use crate::watch::{Pulse, Stop, Watch};
use crate::writer::Writer;
use crate::{OpenError, Settings, mend};

/// The group of the workers on the log of requests.
const WORKERS: &str = "workers";

/// Every port, on one directory, in this process. Cheap to clone; all clones are one home.
#[derive(Clone)]
pub struct Home {
    pub(crate) inner: Arc<Inner>,
}

/// What all clones of a home share.
pub(crate) struct Inner {
    // The threads first: they use all that follows.
    threads: Threads,
    tables: RwLock<Option<Arc<Tables>>>,
    directory: Mutex<Option<Directory>>,
    pub(crate) queue: Arc<Queue>,
    permits: Arc<Semaphore>,
    failures: Arc<Failures>,
    closed: watch::Sender<bool>,
    pub(crate) requests: Arc<Log<Command>>,
    pub(crate) events: Arc<Log<Published>>,
    pub(crate) workers: Arc<Group>,
    event_groups: Groups,
    pub(crate) channels: Channels,
    pub(crate) settings: Settings,
}

impl Home {
    /// Opens a directory, and makes it if there is none. It is held until the home is closed and
    /// everything that came from it is dropped.
    ///
    /// # Errors
    /// Why it cannot be opened, for people.
    pub fn open(directory: &Path, settings: &Settings) -> Result<Self, OpenError> {
        let directory = Directory::hold(directory)?;
        let had = directory.format()?;
        let format = directory.wanted(had, settings)?;
        if had.is_none() {
            directory.clear()?;
        } else {
            mend::mend(&directory.store())
                .map_err(|error| directory.damaged(error.to_string()))?;
        }
        let tables = Tables::open(&directory.store(), settings)
            .map_err(|error| directory.damaged(error.to_string()))?;
        if had.is_none() {
            directory.sync_store()?;
        }
        if had != Some(format) {
            directory.write_format(&format)?;
        }
        let damaged = |fault: Fault| directory.damaged(fault.to_string());
        let requests =
            Log::open(Kind::Requests, format.partitions, &tables, settings).map_err(damaged)?;
        let events =
            Log::open(Kind::Events, format.event_partitions, &tables, settings).map_err(damaged)?;
        let workers = Groups::open(Kind::Requests, format.partitions, &tables, settings)
            .map_err(damaged)?
            .get(WORKERS);
        let event_groups =
            Groups::open(Kind::Events, format.event_partitions, &tables, settings)
                .map_err(damaged)?;
        let tables = Arc::new(tables);
        let opened = Opened { directory, tables, requests, events, workers, event_groups };
        Self::start(opened, settings)
    }

    fn start(opened: Opened, settings: &Settings) -> Result<Self, OpenError> {
        let Opened { directory, tables, requests, events, workers, event_groups } = opened;
        let (requests, events) = (Arc::new(requests), Arc::new(events));
        let queue = Arc::new(Queue::new(settings));
        let failures = Arc::new(Failures::new());
        let (pulse, stop) = (Arc::new(Pulse::default()), Arc::new(Stop::default()));
        let writer = Writer {
            queue: Arc::clone(&queue),
            batch: Batch::new(
                Arc::clone(&tables),
                Arc::clone(&requests),
                Arc::clone(&events),
                settings.heads_max,
            ),
            space: Space::new(directory.path().to_owned(), settings),
            failures: Arc::clone(&failures),
            pulse: Arc::clone(&pulse),
        };
        let watch = Watch {
            tables: Arc::clone(&tables),
            queue: Arc::clone(&queue),
            failures: Arc::clone(&failures),
            pulse,
            stop: Arc::clone(&stop),
            stall: Duration::from_millis(settings.stall_ms_max),
        };
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            thread::Builder::new().name(name.to_owned()).spawn(run)
        };
        let writing = spawn("ordain-writer", Box::new(move || writer.run()))
            .map_err(|error| directory.io(error))?;
        let watching = spawn("ordain-watch", Box::new(move || watch.run()))
            .map_err(|error| directory.io(error))?;
        let handles = Mutex::new(vec![writing, watching]);
        let inner = Inner {
            threads: Threads {
                queue: Arc::clone(&queue),
                stop,
                failures: Arc::clone(&failures),
                handles,
            },
            tables: RwLock::new(Some(tables)),
            directory: Mutex::new(Some(directory)),
            queue,
            permits: Arc::new(Semaphore::new(settings.queue_jobs_max.max(1))),
            failures,
            closed: watch::Sender::new(false),
            requests,
            events,
            workers,
            event_groups,
            channels: Channels::default(),
            settings: settings.clone(),
        };
        Ok(Self { inner: Arc::new(inner) })
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
        self.inner.failures.first().await
    }

    /// Closes the home: takes nothing more, writes all that waits and answers it, and lets go of
    /// the directory. Lanes and feeds that are still there end in errors.
    pub async fn close(&self) {
        self.inner.close().await;
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Home").field("partitions", &self.partitions()).finish_non_exhaustive()
    }
}

/// What was found in a directory.
struct Opened {
    directory: Directory,
    tables: Arc<Tables>,
    requests: Log<Command>,
    events: Log<Published>,
    workers: Arc<Group>,
    event_groups: Groups,
}

/// The threads of a home. Dropping them ends them, once all that waits is written.
struct Threads {
    queue: Arc<Queue>,
    stop: Arc<Stop>,
    failures: Arc<Failures>,
    handles: Mutex<Vec<JoinHandle<()>>>,
}

impl Threads {
    /// Writes what waits and ends the threads. After a failure the writer may hang in the store,
    /// and is left there.
    fn end(&self) {
        self.queue.close();
        self.stop.stop();
        let handles = std::mem::take(&mut *lock(&self.handles));
        if self.failures.now().is_some() {
            return;
        }
        for handle in handles {
            // A panic has been reported where it happened.
            drop(handle.join());
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.end();
    }
}

impl Inner {
    /// Reads, away from the threads that drive everything else.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Tables) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let tables = self.tables()?;
        tokio::task::spawn_blocking(move || read(&tables)).await.map_err(|_| Fault::BrokenOff)?
    }

    /// Has the writer run this, and gives what it gave once that is durable.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        bytes: usize,
        run: impl FnOnce(&mut Batch) -> tables::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Fault::Closed)?;
        let (answer, answered) = oneshot::channel();
        let task = Task { bytes, run: Some(run), result: None, answer, _permit: permit };
        self.queue.work(Box::new(task)).map_err(|_| Fault::Closed)?;
        answered.await.map_err(|_| Fault::BrokenOff)?
    }

    /// Enqueues a record for the log of requests.
    pub(crate) fn append(
        &self,
        partition: u32,
        payload: &[u8],
        content: ordain_ports::Content<Command>,
    ) -> Result<Delivery, NotAccepted> {
        let (promise, delivery) = Delivery::new();
        let append = Append::new(partition, payload, content, promise);
        match self.queue.append(append) {
            Ok(()) => Ok(delivery),
            Err(NotEnqueued::Full) => Err(NotAccepted::Full),
            Err(NotEnqueued::Closed) => Err(NotAccepted::Closed),
        }
    }

    fn tables(&self) -> Result<Arc<Tables>, Fault> {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        tables.clone().ok_or(Fault::Closed)
    }

    /// Waits until the home is closed.
    pub(crate) async fn closed(&self) {
        // The sender is in `self`, so waiting ends only by the change.
        drop(self.closed.subscribe().wait_for(|closed| *closed).await);
    }

    async fn close(self: &Arc<Self>) {
        let inner = Arc::clone(self);
        // Joins threads and, with the last table handle, closes the store.
        let ended = tokio::task::spawn_blocking(move || inner.threads.end());
        drop(ended.await);
        self.closed.send_replace(true);
        let tables = self.tables.write().unwrap_or_else(PoisonError::into_inner).take();
        if self.failures.now().is_some() {
            // The writer may hang in the store; the directory stays held until the process ends.
            return;
        }
        let directory = lock(&self.directory).take();
        if let Some(tables) = tables {
            // Reads that are under way end first.
            while Arc::strong_count(&tables) > 1 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            drop(tokio::task::spawn_blocking(move || drop((tables, directory))).await);
        }
    }
}

#[cfg(test)]
mod tests;
