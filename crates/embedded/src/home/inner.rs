//! What all clones of a home share, and how it is read, written, opened and closed.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use ordain_model::Command;
use ordain_ports::{Content, Delivery, NotAccepted, Published};
use tokio::sync::{Semaphore, oneshot, watch};

use super::threads::Threads;
use crate::append::Append;
use crate::batch::{Batch, Task};
use crate::directory::{Directory, Format};
use crate::failure::Failure;
use crate::fault::Fault;
use crate::group::Group;
use crate::groups::Groups;
use crate::heartbeats::Members;
use crate::log::{Kind, Log};
use crate::queue::{Due, NotEnqueued, lock};
use crate::replies::Channels;
use crate::space::Space;
use crate::tables::{self, Tables};
use crate::{OpenError, Settings, mend, run, upgrade};

/// The group of the workers on the log of requests.
const WORKERS: &str = "workers";

/// What all clones of a home share.
pub(crate) struct Inner {
    // The threads first: they use all that follows.
    threads: Threads,
    tables: RwLock<Option<Arc<Tables>>>,
    directory: Mutex<Option<Directory>>,
    permits: Arc<Semaphore>,
    closed: watch::Sender<bool>,
    pub(crate) requests: Arc<Log<Command>>,
    pub(crate) events: Arc<Log<Published>>,
    pub(crate) workers: Arc<Group>,
    pub(crate) event_groups: Groups,
    pub(crate) channels: Channels,
    pub(crate) members: Members,
    pub(crate) settings: Settings,
}

impl Inner {
    /// Opens a directory.
    pub(super) fn open(directory: &Path, settings: &Settings) -> Result<Self, OpenError> {
        let directory = Directory::hold(directory)?;
        let (tables, format) = tables(&directory, settings)?;
        let damaged = |fault: Fault| directory.damaged(fault.to_string());
        let Format { partitions, event_partitions, .. } = format;
        let requests = Log::open(Kind::Requests, partitions, &tables, settings).map_err(damaged)?;
        let events =
            Log::open(Kind::Events, event_partitions, &tables, settings).map_err(damaged)?;
        let workers =
            Groups::open(Kind::Requests, partitions, &tables, settings).map_err(damaged)?;
        let event_groups =
            Groups::open(Kind::Events, event_partitions, &tables, settings).map_err(damaged)?;
        let (requests, events) = (Arc::new(requests), Arc::new(events));
        let batch = Batch::new(
            Arc::clone(&tables),
            Arc::clone(&requests),
            Arc::clone(&events),
            settings.heads_max,
        );
        let space = Space::new(directory.path().to_owned(), settings);
        let is_in_order =
            run::begin(&tables, &space).map_err(|error| directory.store_failed(error))?;
        if !is_in_order {
            // Until a run ends in order, each command has a sync of its own before it is decided.
            tracing::warn!(directory = %directory.path().display(), "directory_not_closed");
        }
        let batch = batch.handing_over_early(is_in_order);
        let threads = Threads::start((batch, space), Arc::clone(&tables), settings)
            .map_err(|error| directory.io(error))?;
        Ok(Self {
            threads,
            tables: RwLock::new(Some(tables)),
            directory: Mutex::new(Some(directory)),
            permits: Arc::new(Semaphore::new(settings.queue_jobs_max.max(1))),
            closed: watch::Sender::new(false),
            requests,
            events,
            workers: workers.get(WORKERS),
            event_groups,
            channels: Channels::default(),
            members: Members::default(),
            settings: settings.clone(),
        })
    }

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
        self.write_when(Due::Now, bytes, run).await
    }

    /// The same, for what no command's answer waits for.
    pub(crate) async fn write_soon<T: Send + 'static>(
        &self,
        bytes: usize,
        run: impl FnOnce(&mut Batch) -> tables::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        self.write_when(Due::Soon, bytes, run).await
    }

    async fn write_when<T: Send + 'static>(
        &self,
        due: Due,
        bytes: usize,
        run: impl FnOnce(&mut Batch) -> tables::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Fault::Closed)?;
        let (answer, answered) = oneshot::channel();
        let task = Task { bytes, run: Some(run), result: None, answer, _permit: permit };
        self.threads.queue.work(Box::new(task), due).map_err(|_| Fault::Closed)?;
        answered.await.map_err(|_| Fault::BrokenOff)?
    }

    /// Has the writer do any work.
    #[cfg(test)]
    pub(crate) fn enqueue(&self, work: Box<dyn crate::batch::Work>) {
        self.threads.queue.work(work, Due::Now).unwrap();
    }

    /// Enqueues a record for the log of requests.
    pub(crate) fn append(
        &self,
        partition: u32,
        payload: &[u8],
        content: Content<Command>,
    ) -> Result<Delivery, NotAccepted> {
        let (promise, delivery) = Delivery::new();
        let append = Append::new(partition, payload, content, promise);
        match self.threads.queue.append(append) {
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

    /// Writes what waits, answers it and lets go of the directory.
    pub(crate) async fn close(self: &Arc<Self>) {
        let inner = Arc::clone(self);
        // Joins threads and, with the last table handle, closes the store.
        let ended = tokio::task::spawn_blocking(move || inner.threads.end_in_order());
        drop(ended.await);
        self.closed.send_replace(true);
        let tables = self.tables.write().unwrap_or_else(PoisonError::into_inner).take();
        if self.threads.failures.now().is_some() {
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

    /// Waits for the first failure.
    pub(crate) async fn failed(&self) -> Failure {
        self.threads.failures.first().await
    }
}

/// The tables of a directory, made or mended, and with as many partitions as are wanted.
fn tables(directory: &Directory, settings: &Settings) -> Result<(Arc<Tables>, Format), OpenError> {
    let had = directory.format()?;
    let format = directory.wanted(had, settings)?;
    let store = directory.store();
    match had {
        None => directory.clear()?,
        Some(_) => mend::mend(&store).map_err(|error| directory.damaged(error.to_string()))?,
    }
    let tables = Tables::open(&store, settings).map_err(|error| directory.store_failed(error))?;
    if had != Some(format) {
        upgrade::check_room(directory, &tables, settings)?;
        directory.sync_store()?;
        directory.write_format(&format)?;
    }
    // Behind the format: no older build may take what is copied for what never was.
    upgrade::upgrade(directory, &tables)?;
    Ok((Arc::new(tables), format))
}
