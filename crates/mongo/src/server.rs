//! The way to the servers: every command of this crate is sent here, waits for its turn and for
//! its answer so long and no longer, and is never abandoned by the driver.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bson::raw::{RawArrayBuf, RawDocumentBuf, cstr};
use bson::{Document, rawdoc};
use metrics::{counter, histogram};
use mongodb::options::SelectionCriteria;
use mongodb::{Database, ServerType};
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::{timeout, timeout_at};

use crate::Settings;
use crate::convoy::Convoy;
use crate::crash_marks::Unanswered;
use crate::fault::Fault;
use crate::fence::Fence;
use crate::reply::{Done, Reply};
use crate::setup::{COMMITS, MARKS, ROWS};

/// A document may be so large; the server's commands may be as large and 16 KiB more.
pub(crate) const DOCUMENT_BYTES_MAX: usize = 16 << 20;

/// A database, and the limits on what is done in it.
pub(crate) struct Server {
    pub(crate) database: Database,
    pub(crate) settings: Settings,
    /// Known once the unique index was seen without which commits must not be inserted.
    pub(crate) guarded: OnceCell<()>,
    pub(crate) fence: Fence,
    pub(crate) unanswered: Unanswered,
    pub(crate) commits: Arc<Convoy>,
    pub(crate) rows: Arc<Convoy>,
    pub(crate) marks: Arc<Convoy>,
    /// No more than there are connections, so that what the driver is given is sent at once. Who
    /// waits for one can still give up and be certain that nothing was sent.
    connections: Arc<Semaphore>,
    /// So long at most is a place among them kept for one call, if there is such a limit. A
    /// connection on which nothing comes any more is noticed by nobody for minutes. Heartbeats must
    /// not end with it; whatever has a deadline must not be left waiting at the driver.
    place_max: Option<Duration>,
}

/// What the writes of a command are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writes {
    /// Documents, in order; the first that cannot be inserted ends it.
    InsertInOrder,
    /// Documents, each on its own.
    Insert,
    /// Updates, each on its own.
    Update,
    /// Deletions, each on its own.
    Delete,
}

impl Server {
    /// The way for everything but heartbeats, and the way for those: they must not wait behind
    /// anything, or who lives seems dead. Where there is only one connection, they share it.
    pub(crate) fn pair(database: &Database, settings: &Settings) -> (Self, Self) {
        let connections = usize::try_from(settings.pool_connections_max).unwrap_or(usize::MAX);
        let connections = connections.clamp(1, Semaphore::MAX_PERMITS);
        let common = Arc::new(Semaphore::new(connections.saturating_sub(1).max(1)));
        let of_beats =
            if connections > 1 { Arc::new(Semaphore::new(1)) } else { Arc::clone(&common) };
        let over = |connections, place_max| Self {
            database: database.clone(),
            settings: settings.clone(),
            guarded: OnceCell::new(),
            fence: Fence::default(),
            unanswered: Unanswered::default(),
            commits: Convoy::new("insert", (Writes::InsertInOrder, COMMITS), settings.send_ms_max),
            rows: Convoy::new("write_rows", (Writes::Update, ROWS), settings.send_ms_max),
            marks: Convoy::new("set_marks", (Writes::Update, MARKS), settings.send_ms_max),
            connections,
            place_max,
        };
        let beat_max = Duration::from_millis(settings.beat_ms_max);
        (over(common, None), over(of_beats, (connections > 1).then_some(beat_max)))
    }

    /// Runs what the driver is to do, in a task of its own: whoever waits for it may go, the
    /// driver's own state does not break.
    pub(crate) async fn run<T, F>(&self, operation: &'static str, driven: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = mongodb::error::Result<T>> + Send + 'static,
    {
        let most = Duration::from_millis(self.settings.send_ms_max);
        self.run_by(operation, driven, Instant::now() + most).await
    }

    /// The same, begun by then or not at all.
    async fn run_by<T, F>(
        &self,
        operation: &'static str,
        driven: F,
        by: Instant,
    ) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = mongodb::error::Result<T>> + Send + 'static,
    {
        let begun = Instant::now();
        let ran = self.ran(driven, by).await;
        histogram!("ordain_mongo_operation_seconds", "operation" => operation)
            .record(begun.elapsed().as_secs_f64());
        if ran.is_err() {
            counter!("ordain_mongo_failed_operations", "operation" => operation).increment(1);
        }
        ran
    }

    async fn ran<T, F>(&self, driven: F, by: Instant) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = mongodb::error::Result<T>> + Send + 'static,
    {
        let connection = timeout_at(by.into(), Arc::clone(&self.connections).acquire_owned())
            .await
            .map_err(|_| Fault::not_sent("no connection was free in time"))?
            .map_err(|_| Fault::not_sent("the store is closed"))?;
        let place_max = self.place_max;
        let running = tokio::spawn(async move {
            let mut driven = pin!(driven);
            if let Some(place_max) = place_max
                && let Ok(driven) = timeout(place_max, &mut driven).await
            {
                return driven;
            }
            let kept = place_max.is_none().then_some(connection);
            let driven = driven.await;
            drop(kept);
            driven
        });
        let most = Duration::from_millis(self.settings.operation_ms_max);
        match timeout(most, running).await {
            Ok(Ok(driven)) => driven.map_err(Fault::from),
            Ok(Err(_)) => Err(Fault::unknown("the call was broken off")),
            Err(_) => Err(Fault::unknown(format!("no answer within {most:?}"))),
        }
    }

    /// Sends one command, once.
    pub(crate) async fn command(
        &self,
        operation: &'static str,
        command: RawDocumentBuf,
    ) -> Result<Document, Fault> {
        let database = self.database.clone();
        self.run(operation, async move { database.run_raw_command(command).await }).await
    }

    /// Sends one command that writes, once; gives what a majority has acknowledged.
    pub(crate) async fn send(
        &self,
        operation: &'static str,
        into: (Writes, &str),
        documents: RawArrayBuf,
    ) -> Result<Reply, Fault> {
        Reply::read(self.command(operation, self.writing(into, documents)).await?)
    }

    /// The same, but not sent after that time, save for as long as a new connection takes.
    pub(crate) async fn send_by(
        &self,
        by: Instant,
        operation: &'static str,
        (into, documents): ((Writes, &str), RawArrayBuf),
    ) -> Result<Reply, Fault> {
        let command = self.writing(into, documents);
        let database = self.database.clone();
        let driven = async move {
            database.run_raw_command(command).selection_criteria(primary_by(by)).await
        };
        Reply::read(self.run_by(operation, driven, by).await?)
    }

    /// A command that writes.
    pub(crate) fn writing(
        &self,
        (writes, collection): (Writes, &str),
        documents: RawArrayBuf,
    ) -> RawDocumentBuf {
        let (mut command, field) = match writes {
            Writes::InsertInOrder | Writes::Insert => {
                (rawdoc! { "insert": collection }, cstr!("documents"))
            }
            Writes::Update => (rawdoc! { "update": collection }, cstr!("updates")),
            Writes::Delete => (rawdoc! { "delete": collection }, cstr!("deletes")),
        };
        command.append(field, documents);
        command.append(cstr!("ordered"), writes == Writes::InsertInOrder);
        command.append(cstr!("writeConcern"), self.durably());
        command
    }

    /// Every write is acknowledged by a majority that has it in its journals.
    pub(crate) fn durably(&self) -> RawDocumentBuf {
        // The wrong variant takes the word of one server, which has it in memory.
        fail::fail_point!("broken-majority-left-out", |_| rawdoc! { "w": 1, "j": false });
        let most = i64::try_from(self.settings.acknowledge_ms_max).unwrap_or(i64::MAX);
        rawdoc! { "w": "majority", "j": true, "wtimeout": most }
    }
}

/// Whoever takes writes, until then. A server that is chosen is sent to at once; one that appears
/// later is not chosen.
fn primary_by(by: Instant) -> SelectionCriteria {
    SelectionCriteria::Predicate(Arc::new(move |server| {
        let takes_writes = matches!(
            server.server_type(),
            ServerType::RsPrimary | ServerType::Mongos | ServerType::LoadBalancer
        );
        takes_writes && Instant::now() < by
    }))
}

impl Server {
    /// Sends writes that do not depend on one another, in as few commands as the server allows;
    /// says what became of each.
    pub(crate) async fn send_each(
        &self,
        operation: &'static str,
        (writes, collection): (Writes, &str),
        documents: &[RawDocumentBuf],
    ) -> Result<Vec<Done>, Fault> {
        let mut done = Vec::with_capacity(documents.len());
        while let Some(rest) = documents.get(done.len()..).filter(|rest| !rest.is_empty()) {
            let part = self.part(rest)?;
            let mut array = RawArrayBuf::new();
            part.iter().for_each(|document| array.push(document.clone()));
            let reply = self.send(operation, (writes, collection), array).await?;
            done.extend(reply.each(part.len())?);
        }
        Ok(done)
    }

    /// The same, together with what others send at the same time.
    pub(crate) async fn send_each_in(
        self: &Arc<Self>,
        convoy: &Arc<Convoy>,
        documents: &[RawDocumentBuf],
    ) -> Result<Vec<Done>, Fault> {
        let mut done = Vec::with_capacity(documents.len());
        while let Some(rest) = documents.get(done.len()..).filter(|rest| !rest.is_empty()) {
            let part = self.part(rest)?;
            let by = Instant::now() + Duration::from_millis(self.settings.send_ms_max);
            done.extend(convoy.send(self, part.to_vec(), by).await?.each(part.len())?);
        }
        Ok(done)
    }

    /// As many documents as one command takes, at least one.
    fn part<'a>(&self, documents: &'a [RawDocumentBuf]) -> Result<&'a [RawDocumentBuf], Fault> {
        let (mut count, mut bytes) = (0, 0);
        for document in documents.iter().take(self.settings.command_documents_max.max(1)) {
            let length = document.as_bytes().len();
            if length > DOCUMENT_BYTES_MAX {
                let why = format!("{length} bytes; {DOCUMENT_BYTES_MAX} can be stored");
                return Err(Fault::NotStorable { what: "a document", why });
            }
            bytes += length;
            if count > 0 && bytes > self.settings.command_bytes_max {
                break;
            }
            count += 1;
        }
        Ok(documents.get(..count).unwrap_or_default())
    }
}
