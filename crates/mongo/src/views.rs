//! The view store: rows and marks, each written on its condition only.
//!
//! A command that updates many documents says only how many it found, not which. So a conditional
//! update here is one that fails, at its own place, where its condition does not hold: finding
//! nothing it would make a new document, and is forbidden to by changing that document's `_id`.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use bson::raw::{RawBson, RawDocumentBuf};
use bson::{Bson, Document, doc, rawdoc};
use ordain_model::AggregateKey;
use ordain_ports::{Error, Mark, Row, RowList, RowRange, RowWrite, ViewStore};
use serde::Deserialize;

use crate::Mongo;
use crate::convoy::Convoy;
use crate::fault::Fault;
use crate::read::{Query, Shows, with_ids};
use crate::record::{self, Wrong, bounded};
use crate::reply::Done;
use crate::server::Server;
use crate::setup::{MARKS, ROWS};

#[derive(Deserialize)]
struct RowRecord {
    #[serde(rename = "_id")]
    id: RowId,
    #[serde(rename = "a")]
    aggregate: String,
    #[serde(rename = "s")]
    sequence: u64,
    /// JSON text; none of a tombstone.
    body: Option<String>,
}

#[derive(Deserialize)]
struct RowId {
    #[serde(rename = "k")]
    key: String,
}

#[derive(Deserialize)]
struct MarkRecord {
    #[serde(rename = "_id")]
    id: MarkId,
    #[serde(rename = "s")]
    sequence: u64,
}

#[derive(Deserialize)]
struct MarkId {
    #[serde(rename = "a")]
    aggregate: String,
}

#[async_trait]
impl ViewStore for Mongo {
    async fn rows(&self, view: &str, keys: &[String]) -> Result<Vec<Option<Row>>, Error> {
        let ids = keys.iter().map(|key| doc! { "v": view, "k": key }.into()).collect();
        let found = self.server.find_views("rows", ROWS, ids).await?;
        let mut rows = HashMap::new();
        for document in &found {
            let row = row(document)?;
            rows.insert(row.key.clone(), row);
        }
        Ok(keys.iter().map(|key| rows.get(key).cloned()).collect())
    }

    async fn write(&self, view: &str, writes: Vec<RowWrite>) -> Result<Vec<bool>, Error> {
        let writes: Vec<Conditional> = writes
            .into_iter()
            .map(|RowWrite { expected, row }| Conditional {
                id: rawdoc! { "v": view, "k": row.key },
                expected,
                sequence: row.sequence,
                rest: rawdoc! {
                    "a": row.aggregate.as_str(),
                    "s": bounded(row.sequence),
                    "body": row.body.map_or(RawBson::Null, |body| String::from(body).into()),
                },
            })
            .collect();
        Ok(self.server.write_conditionally(&self.server.rows, &writes).await?)
    }

    async fn marks(&self, view: &str, of: &[AggregateKey]) -> Result<Vec<Option<u64>>, Error> {
        let ids = of.iter().map(|of| doc! { "v": view, "a": of.as_str() }.into()).collect();
        let found = self.server.find_views("marks", MARKS, ids).await?;
        let mut marks = HashMap::new();
        for document in &found {
            let mark: MarkRecord = record::read(document).map_err(unreadable("a mark"))?;
            marks.insert(mark.id.aggregate, mark.sequence);
        }
        Ok(of.iter().map(|of| marks.get(of.as_str()).copied()).collect())
    }

    async fn set_marks(&self, view: &str, marks: Vec<Mark>) -> Result<Vec<bool>, Error> {
        let writes: Vec<Conditional> = marks
            .into_iter()
            .map(|Mark { aggregate, expected, sequence }| Conditional {
                id: rawdoc! { "v": view, "a": aggregate.as_str() },
                expected,
                sequence,
                rest: rawdoc! { "s": bounded(sequence) },
            })
            .collect();
        Ok(self.server.write_conditionally(&self.server.marks, &writes).await?)
    }

    async fn list(&self, view: &str, range: &RowRange) -> Result<RowList, Error> {
        let limit = range.limit.max(1);
        let mut query = Query::new(ROWS, within(view, range), Shows::Durable);
        query.sort = Some(doc! { "_id": 1 });
        // One more, to know whether there is more.
        query.limit = Some(limit.saturating_add(1));
        let found = self.server.find("list_rows", query).await?;
        let rows: Result<Vec<Row>, Fault> = found.iter().take(limit).map(row).collect();
        let rows = rows?;
        let next = rows.last().filter(|_| found.len() > limit).map(|last| last.key.clone());
        Ok(RowList { rows, next })
    }
}

fn unreadable(what: &'static str) -> impl Fn(Wrong) -> Fault {
    move |why| Fault::unreadable(what, why)
}

fn row(document: &RawDocumentBuf) -> Result<Row, Fault> {
    let read = || {
        let RowRecord { id, aggregate, sequence, body } = record::read(document)?;
        let body = body.map(record::json).transpose()?;
        Ok(Row { key: id.key, aggregate: record::parsed(&aggregate)?, sequence, body })
    };
    read().map_err(unreadable("a row"))
}

/// A filter on the rows of a range, without tombstones.
fn within(view: &str, range: &RowRange) -> Document {
    let end = end_of(&range.prefix).map_or(Bson::MaxKey, Bson::String);
    let mut within = doc! {
        "$gte": { "v": view, "k": &range.prefix },
        "$lt": { "v": view, "k": end },
    };
    if let Some(after) = &range.after {
        within.insert("$gt", doc! { "v": view, "k": after });
    }
    doc! { "_id": within, "body": { "$ne": null } }
}

/// The lowest text above all that begin with the prefix. UTF-8 orders texts as their characters
/// are ordered, so it is the prefix with its last character raised by one.
fn end_of(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        // Between the two stand no characters, but the halves of surrogate pairs.
        let next = if last == '\u{d7ff}' { '\u{e000}' } else { raised(last) };
        if next > last {
            end.push(next);
            return Some(end);
        }
    }
    None
}

/// The next character; the same when it is the last.
fn raised(character: char) -> char {
    char::from_u32(u32::from(character) + 1).unwrap_or(character)
}

/// A document that is written when the stored one has the expected sequence.
struct Conditional {
    id: RawDocumentBuf,
    expected: Option<u64>,
    sequence: u64,
    /// The fields beside `_id`.
    rest: RawDocumentBuf,
}

impl Conditional {
    /// Whether any condition could allow it: a sequence only ever grows.
    fn is_possible(&self) -> bool {
        self.expected.is_none_or(|expected| expected < self.sequence)
    }

    fn update(&self) -> RawDocumentBuf {
        let (query, change) = match self.expected {
            Some(expected) => (
                rawdoc! { "_id": self.id.clone(), "s": bounded(expected) },
                rawdoc! { "$set": self.rest.clone(), "$setOnInsert": { "_id": "none" } },
            ),
            None => {
                (rawdoc! { "_id": self.id.clone() }, rawdoc! { "$setOnInsert": self.rest.clone() })
            }
        };
        rawdoc! { "q": query, "u": change, "upsert": true }
    }

    /// Whether it was written, by what became of its update.
    const fn is_written(&self, done: &Done) -> bool {
        match self.expected {
            Some(_) => done.is_done(),
            None => matches!(done, Done::Made),
        }
    }
}

impl Server {
    async fn find_views(
        &self,
        operation: &'static str,
        collection: &'static str,
        ids: Vec<Bson>,
    ) -> Result<Vec<RawDocumentBuf>, Fault> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.find(operation, Query::new(collection, with_ids(ids), Shows::Durable)).await
    }

    async fn write_conditionally(
        self: &Arc<Self>,
        convoy: &Arc<Convoy>,
        writes: &[Conditional],
    ) -> Result<Vec<bool>, Fault> {
        let possible: Vec<&Conditional> =
            writes.iter().filter(|write| write.is_possible()).collect();
        let updates: Vec<_> = possible.iter().map(|write| write.update()).collect();
        let done = self.send_each_in(convoy, &updates).await?;
        let mut written = possible.iter().zip(&done).map(|(write, done)| write.is_written(done));
        let answer = |write: &Conditional| write.is_possible() && written.next().unwrap_or(false);
        Ok(writes.iter().map(answer).collect())
    }
}
