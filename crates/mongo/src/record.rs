//! How commits and snapshots are written down. Event data and states are JSON texts, kept byte
//! for byte: as BSON they would come back in other words, and `{"$oid": …}` as another type.

use std::borrow::Cow;

use bson::Binary;
use bson::raw::{RawDocument, RawDocumentBuf};
use bson::spec::BinarySubtype;
use ordain_model::{
    AggregateKey, Code, Commit, Event, Fingerprint, Json, Name, Outcome, Snapshot, Source,
    Timestamp,
};
use serde::{Deserialize, Serialize};

/// Why something cannot be read, or written.
pub(crate) type Wrong = String;

#[derive(Debug, Serialize, Deserialize)]
struct CommitRecord<'a> {
    #[serde(rename = "_id", borrow)]
    id: Cow<'a, str>,
    #[serde(rename = "a", borrow)]
    aggregate: Cow<'a, str>,
    #[serde(rename = "r")]
    revision: u64,
    #[serde(rename = "s")]
    sequence: u64,
    #[serde(borrow)]
    command: Cow<'a, str>,
    fingerprint: Binary,
    #[serde(borrow)]
    outcome: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    code: Option<Cow<'a, str>>,
    #[serde(borrow)]
    events: Vec<EventRecord<'a>>,
    /// Nanoseconds since 1970; the store's own times are milliseconds.
    time: i64,
    source: SourceRecord,
    /// As a header `traceparent` says it.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    trace: Option<Cow<'a, str>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct EventRecord<'a> {
    sequence: u64,
    #[serde(rename = "type", borrow)]
    name: Cow<'a, str>,
    version: u32,
    #[serde(borrow)]
    data: Cow<'a, str>,
    time: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct SourceRecord {
    partition: u32,
    offset: u64,
    /// The same 64 bits, signed.
    nonce: i64,
}

/// The `_id` of the commit that answers a request.
pub(crate) fn commit_id(aggregate: &AggregateKey, request: &str) -> String {
    let aggregate = aggregate.as_str();
    let mut id = String::with_capacity(aggregate.len() + request.len() + 1);
    id.push_str(aggregate);
    id.push('/');
    id.push_str(request);
    id
}

/// The document of a commit.
pub(crate) fn encode_commit(commit: &Commit) -> Result<RawDocumentBuf, Wrong> {
    let record = CommitRecord {
        id: Cow::Owned(commit_id(&commit.aggregate, commit.request.as_str())),
        aggregate: Cow::Borrowed(commit.aggregate.as_str()),
        revision: commit.revision,
        sequence: commit.sequence,
        command: Cow::Borrowed(commit.command.as_str()),
        fingerprint: Binary {
            subtype: BinarySubtype::Generic,
            bytes: commit.fingerprint.as_bytes().to_vec(),
        },
        outcome: Cow::Borrowed(commit.outcome.name()),
        code: commit.outcome.code().map(|code| Cow::Borrowed(code.as_str())),
        events: commit.events.iter().map(event_record).collect(),
        time: commit.time.nanoseconds(),
        source: SourceRecord {
            partition: commit.source.partition,
            offset: commit.source.offset,
            nonce: commit.source.nonce.cast_signed(),
        },
        trace: commit.trace.map(|trace| Cow::Owned(trace.to_string())),
    };
    bson::serialize_to_raw_document_buf(&record).map_err(|error| error.to_string())
}

fn event_record(event: &Event) -> EventRecord<'_> {
    EventRecord {
        sequence: event.sequence,
        name: Cow::Borrowed(event.name.as_str()),
        version: event.version,
        data: Cow::Borrowed(event.data.as_str()),
        time: event.time.nanoseconds(),
    }
}

/// The commit of a document.
pub(crate) fn decode_commit(document: &RawDocument) -> Result<Commit, Wrong> {
    let record: CommitRecord<'_> = read(document)?;
    let aggregate: AggregateKey = parsed(&record.aggregate)?;
    let request = record.id.strip_prefix(aggregate.as_str()).and_then(|id| id.strip_prefix('/'));
    let request = request.ok_or_else(|| format!("{} is no id of {aggregate}", record.id))?;
    let fingerprint: [u8; 32] = record
        .fingerprint
        .bytes
        .try_into()
        .map_err(|_| "the fingerprint has not 32 bytes".to_owned())?;
    Ok(Commit {
        request: parsed(request)?,
        aggregate,
        command: parsed(&record.command)?,
        fingerprint: Fingerprint::from(fingerprint),
        revision: record.revision,
        sequence: record.sequence,
        outcome: outcome(&record.outcome, record.code)?,
        events: record.events.into_iter().map(event).collect::<Result<_, _>>()?,
        time: Timestamp::from_nanoseconds(record.time),
        source: Source {
            partition: record.source.partition,
            offset: record.source.offset,
            nonce: record.source.nonce.cast_unsigned(),
        },
        // A trace that cannot be read is none: nothing that is promised rests on it.
        trace: record.trace.as_deref().and_then(|trace| trace.parse().ok()),
    })
}

fn outcome(name: &str, code: Option<Cow<'_, str>>) -> Result<Outcome, Wrong> {
    let code = code.map(|code| Code::from(code.into_owned()));
    match (name, code) {
        ("SUCCESS", None) => Ok(Outcome::Success),
        ("EXPIRED", None) => Ok(Outcome::Expired),
        ("FAIL", Some(code)) => Ok(Outcome::Fail(code)),
        ("REJECTED", Some(code)) => Ok(Outcome::Rejected(code)),
        _ => Err(format!("{name} is no outcome, or lacks its code")),
    }
}

fn event(record: EventRecord<'_>) -> Result<Event, Wrong> {
    Ok(Event {
        sequence: record.sequence,
        name: parsed::<Name>(&record.name)?,
        version: record.version,
        data: json(record.data.into_owned())?,
        time: Timestamp::from_nanoseconds(record.time),
    })
}

#[derive(Debug, Serialize, Deserialize)]
struct SnapshotRecord<'a> {
    #[serde(rename = "_id", borrow)]
    id: Cow<'a, str>,
    #[serde(rename = "r")]
    revision: u64,
    #[serde(rename = "s")]
    sequence: u64,
    time: i64,
    #[serde(borrow)]
    state: Cow<'a, str>,
}

/// The `_id` of a snapshot.
pub(crate) fn snapshot_id(aggregate: &AggregateKey, fold_version: u32) -> String {
    format!("{aggregate}/{fold_version}")
}

/// The document of a snapshot.
pub(crate) fn encode_snapshot(snapshot: &Snapshot) -> Result<RawDocumentBuf, Wrong> {
    let record = SnapshotRecord {
        id: Cow::Owned(snapshot_id(&snapshot.aggregate, snapshot.fold_version)),
        revision: snapshot.revision,
        sequence: snapshot.sequence,
        time: snapshot.time.nanoseconds(),
        state: Cow::Borrowed(snapshot.state.as_str()),
    };
    bson::serialize_to_raw_document_buf(&record).map_err(|error| error.to_string())
}

/// The snapshot of a document that was found under the aggregate's and fold version's id.
pub(crate) fn decode_snapshot(
    document: &RawDocument,
    aggregate: &AggregateKey,
    fold_version: u32,
) -> Result<Snapshot, Wrong> {
    let record: SnapshotRecord<'_> = read(document)?;
    Ok(Snapshot {
        aggregate: aggregate.clone(),
        fold_version,
        revision: record.revision,
        sequence: record.sequence,
        time: Timestamp::from_nanoseconds(record.time),
        state: json(record.state.into_owned())?,
    })
}

/// A document as one of our records.
pub(crate) fn read<'a, T: Deserialize<'a>>(document: &'a RawDocument) -> Result<T, Wrong> {
    bson::deserialize_from_slice(document.as_bytes()).map_err(|error| error.to_string())
}

/// An id or name of ours.
pub(crate) fn parsed<T: std::str::FromStr<Err: ToString>>(text: &str) -> Result<T, Wrong> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// A JSON text of ours.
pub(crate) fn json(text: String) -> Result<Json, Wrong> {
    Json::try_from(text).map_err(|error| error.to_string())
}

/// A count for comparisons: the largest that the store can hold and that is not above this one.
pub(crate) fn bounded(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use ordain_ports::contract::samples::Line;

    use super::*;

    #[test]
    fn a_trace_that_cannot_be_read_is_none_and_the_commit_is_whole() {
        let mut commit = Commit::clone(&Line::of("a").success(1));
        let written = encode_commit(&commit).unwrap();
        let mut document: bson::Document =
            bson::deserialize_from_slice(written.as_bytes()).unwrap();
        document.insert("trace", "of another kind");
        let changed = RawDocumentBuf::try_from(&document).unwrap();
        commit.trace = None;
        assert_eq!(decode_commit(&changed).unwrap(), commit);
    }
}
