//! The way to the servers: every command of this crate is sent here, waits for its turn and for
//! its answer so long and no longer, and is never abandoned by the driver.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bson::raw::{RawArrayBuf, RawDocumentBuf};
use bson::{Document, doc, rawdoc};
use metrics::{counter, histogram};
use mongodb::Database;
use mongodb::options::ReadConcern;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::timeout;

use crate::Settings;
use crate::fault::Fault;
use crate::reply::Reply;

/// A document may be so large; the server's commands may be as large and 16 KiB more.
pub(crate) const DOCUMENT_BYTES_MAX: usize = 16 << 20;

/// A database, and the limits on what is done in it.
pub(crate) struct Server {
    pub(crate) database: Database,
    pub(crate) settings: Settings,
    /// Known once the unique index was seen without which commits must not be inserted.
    pub(crate) guarded: OnceCell<()>,
    /// As many as there are connections, so that what the driver is given is sent at once. Who
    /// waits for one can still give up and be certain that nothing was sent.
    connections: Arc<Semaphore>,
}

/// How much a read has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shows {
    /// What the server has, a majority or not: only for what a write was just refused by.
    Local,
    /// What a majority has.
    Durable,
    /// All that was reported before the read began. Costs a write.
    Everything,
}

impl From<Shows> for ReadConcern {
    fn from(shows: Shows) -> Self {
        match shows {
            Shows::Local => Self::local(),
            Shows::Durable => Self::majority(),
            Shows::Everything => Self::linearizable(),
        }
    }
}

/// What to read.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) collection: &'static str,
    pub(crate) filter: Document,
    pub(crate) sort: Option<Document>,
    pub(crate) projection: Option<Document>,
    pub(crate) limit: Option<usize>,
    pub(crate) shows: Shows,
}

impl Query {
    pub(crate) fn new(collection: &'static str, filter: Document, shows: Shows) -> Self {
        Self { collection, filter, sort: None, projection: None, limit: None, shows }
    }
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
    pub(crate) fn new(database: Database, settings: Settings) -> Self {
        let connections = usize::try_from(settings.pool_connections_max).unwrap_or(usize::MAX);
        let connections = connections.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            database,
            settings,
            guarded: OnceCell::new(),
            connections: Arc::new(Semaphore::new(connections)),
        }
    }

    /// Runs what the driver is to do, in a task of its own: whoever waits for it may go, the
    /// driver's own state does not break.
    pub(crate) async fn run<T, F>(&self, operation: &'static str, driven: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = mongodb::error::Result<T>> + Send + 'static,
    {
        let begun = Instant::now();
        let ran = self.ran(driven).await;
        histogram!("ordain_mongo_operation_seconds", "operation" => operation)
            .record(begun.elapsed().as_secs_f64());
        if ran.is_err() {
            counter!("ordain_mongo_failed_operations", "operation" => operation).increment(1);
        }
        ran
    }

    async fn ran<T, F>(&self, driven: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = mongodb::error::Result<T>> + Send + 'static,
    {
        let most = Duration::from_millis(self.settings.send_ms_max);
        let connection = timeout(most, Arc::clone(&self.connections).acquire_owned())
            .await
            .map_err(|_| Fault::not_sent(format!("no connection was free within {most:?}")))?
            .map_err(|_| Fault::not_sent("the store is closed"))?;
        let running = tokio::spawn(async move {
            let driven = driven.await;
            drop(connection);
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
        (writes, collection): (Writes, &str),
        documents: RawArrayBuf,
    ) -> Result<Reply, Fault> {
        let ordered = writes == Writes::InsertInOrder;
        let mut command = match writes {
            Writes::InsertInOrder | Writes::Insert => rawdoc! { "insert": collection },
            Writes::Update => rawdoc! { "update": collection },
            Writes::Delete => rawdoc! { "delete": collection },
        };
        match writes {
            Writes::InsertInOrder | Writes::Insert => {
                command.append(bson::raw::cstr!("documents"), documents);
            }
            Writes::Update => command.append(bson::raw::cstr!("updates"), documents),
            Writes::Delete => command.append(bson::raw::cstr!("deletes"), documents),
        }
        command.append(bson::raw::cstr!("ordered"), ordered);
        command.append(bson::raw::cstr!("writeConcern"), self.durably());
        Reply::read(self.command(operation, command).await?)
    }

    /// Every write is acknowledged by a majority that has it in its journals.
    pub(crate) fn durably(&self) -> RawDocumentBuf {
        let most = i64::try_from(self.settings.acknowledge_ms_max).unwrap_or(i64::MAX);
        rawdoc! { "w": "majority", "j": true, "wtimeout": most }
    }

    /// Reads documents.
    pub(crate) async fn find(
        &self,
        operation: &'static str,
        query: Query,
    ) -> Result<Vec<RawDocumentBuf>, Fault> {
        let collection = self.database.collection::<RawDocumentBuf>(query.collection);
        let most = Duration::from_millis(self.settings.operation_ms_max);
        self.run(operation, async move {
            let mut find = collection.find(query.filter);
            find = find.read_concern(query.shows.into()).max_time(most);
            if let Some(sort) = query.sort {
                find = find.sort(sort);
            }
            if let Some(projection) = query.projection {
                find = find.projection(projection);
            }
            if let Some(limit) = query.limit {
                find = find.limit(i64::try_from(limit).unwrap_or(i64::MAX));
            }
            let mut cursor = find.await?;
            let mut found = Vec::new();
            while cursor.advance().await? {
                found.push(cursor.current().to_owned());
            }
            Ok(found)
        })
        .await
    }
}

/// A filter on documents by their `_id`.
pub(crate) fn with_ids(ids: Vec<bson::Bson>) -> Document {
    doc! { "_id": { "$in": ids } }
}

/// What became of one write of many that do not depend on one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// It was done to what was there, if anything was.
    Changed,
    /// It made a new document.
    Made,
    /// Its condition did not hold.
    Refused,
}

impl Done {
    pub(crate) const fn is_done(self) -> bool {
        !matches!(self, Self::Refused)
    }
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
            let (part, count) = self.part(rest)?;
            let reply = self.send(operation, (writes, collection), part).await?;
            for nth in 0..count {
                done.push(match reply.refused.get(&nth) {
                    Some(refusal) if refusal.is_condition() => Done::Refused,
                    Some(refusal) => return Err(refusal.into()),
                    None if reply.made.contains(&nth) => Done::Made,
                    None => Done::Changed,
                });
            }
        }
        Ok(done)
    }

    /// As many documents as one command takes.
    fn part(&self, documents: &[RawDocumentBuf]) -> Result<(RawArrayBuf, usize), Fault> {
        let (mut part, mut count, mut bytes) = (RawArrayBuf::new(), 0, 0);
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
            part.push(document.clone());
            count += 1;
        }
        Ok((part, count))
    }
}
