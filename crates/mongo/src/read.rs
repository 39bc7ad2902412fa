//! Reading documents.

use std::time::Duration;

use bson::raw::RawDocumentBuf;
use bson::{Bson, Document, doc};
use mongodb::options::{FindOptions, Hint, ReadConcern};

use crate::fault::Fault;
use crate::server::Server;

/// So many documents in one answer, if that takes them: a read is one round trip where it can be.
const DOCUMENTS_AN_ANSWER: u32 = 1_000_000;

/// How much a read has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shows {
    /// What the server has, a majority or not: only for what a write was just refused by.
    Local,
    /// What a majority has.
    Durable,
    /// What a majority has, and all that was reported before the read began. Costs a write.
    Everything,
}

/// What to read.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) collection: &'static str,
    pub(crate) filter: Document,
    pub(crate) sort: Option<Document>,
    pub(crate) projection: Option<Document>,
    /// The index to use, where the server might take another.
    pub(crate) index: Option<Document>,
    pub(crate) limit: Option<usize>,
    pub(crate) shows: Shows,
}

impl Query {
    pub(crate) fn new(collection: &'static str, filter: Document, shows: Shows) -> Self {
        Self { collection, filter, sort: None, projection: None, index: None, limit: None, shows }
    }

    fn options(&mut self, most: Duration) -> FindOptions {
        let read_concern = match self.shows {
            Shows::Local => ReadConcern::local(),
            _ if shows_what_may_vanish() => ReadConcern::local(),
            Shows::Durable | Shows::Everything => ReadConcern::majority(),
        };
        let mut options = FindOptions::default();
        options.read_concern = Some(read_concern);
        options.max_time = Some(most);
        options.batch_size = Some(DOCUMENTS_AN_ANSWER);
        options.sort = self.sort.take();
        options.projection = self.projection.take();
        options.hint = self.index.take().map(Hint::Keys);
        options.limit = self.limit.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX));
        options
    }
}

/// The wrong variant shows what the server has, a majority or not, for all that rests on it.
fn shows_what_may_vanish() -> bool {
    fail::fail_point!("broken-local-reads", |_| true);
    false
}

/// A filter on documents by their `_id`.
pub(crate) fn with_ids(ids: Vec<Bson>) -> Document {
    doc! { "_id": { "$in": ids } }
}

impl Server {
    /// Reads documents.
    pub(crate) async fn find(
        &self,
        operation: &'static str,
        mut query: Query,
    ) -> Result<Vec<RawDocumentBuf>, Fault> {
        let not_before = match query.shows {
            Shows::Everything => Some(self.fenced().await?),
            Shows::Local | Shows::Durable => None,
        };
        let collection = self.database.collection::<RawDocumentBuf>(query.collection);
        let options = query.options(Duration::from_millis(self.settings.operation_ms_max));
        self.run(operation, async move {
            // A session that is consistent reads nothing older than what it knows of.
            let consistent = not_before.is_some();
            let session = collection.client().start_session().causal_consistency(consistent);
            let mut session = session.await?;
            if let Some(time) = not_before {
                session.advance_operation_time(time);
            }
            let find = collection.find(query.filter).with_options(options);
            let mut cursor = find.session(&mut session).await?;
            let mut found = Vec::new();
            while cursor.advance(&mut session).await? {
                found.push(cursor.current().to_owned());
            }
            Ok(found)
        })
        .await
    }
}
