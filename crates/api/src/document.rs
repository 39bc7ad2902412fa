//! The documents that answers carry, as JSON text. The same commit always gives the same bytes,
//! and the data of an event is what was stored, byte for byte.

use ordain_model::{AggregateKey, Commit, Event, Json, RequestId};
use ordain_ports::Row;

use crate::writer::ObjectWriter;

/// The outcome document: what became of a command.
pub(crate) fn outcome(commit: &Commit) -> Vec<u8> {
    let data: usize = commit.events.iter().map(|event| event.data.as_str().len() + 160).sum();
    let object = named(ObjectWriter::with_capacity(640 + data), Some(commit.request.as_str()))
        .plain("type", commit.aggregate.aggregate_type())
        .plain("id", commit.aggregate.id())
        .plain("command", &commit.command)
        .plain("outcome", commit.outcome.name());
    let object = match commit.outcome.code() {
        Some(code) => object.text("code", code.as_str()),
        None => object,
    };
    object
        .number("revision", commit.revision)
        .number("sequence", commit.sequence)
        .array("events", commit.events.iter().map(|happened| event(happened, None)))
        .plain("receipt", commit.receipt())
        .plain("time", commit.time)
        .finish()
}

/// The answer to a command that is durable, and that nobody waits for.
pub(crate) fn accepted(request: &RequestId) -> Vec<u8> {
    ObjectWriter::new().plain("requestId", request).plain("state", "PENDING").finish()
}

/// The answer while a command is accepted or on its way, and not decided.
pub(crate) fn pending(request: &RequestId, behind_records: u64, behind_ms: u64) -> Vec<u8> {
    let behind =
        ObjectWriter::new().number("records", behind_records).number("ms", behind_ms).finish();
    ObjectWriter::new()
        .plain("requestId", request)
        .plain("state", "PENDING")
        .json("behind", &behind)
        .finish()
}

/// An aggregate as of a sequence.
pub(crate) fn aggregate(key: &AggregateKey, at: (u64, u64), state: &Json) -> Vec<u8> {
    let (revision, sequence) = at;
    ObjectWriter::with_capacity(256 + state.as_str().len())
        .plain("type", key.aggregate_type())
        .plain("id", key.id())
        .number("revision", revision)
        .number("sequence", sequence)
        .json("state", state.as_str().as_bytes())
        .finish()
}

/// An event; with the request that made it happen where the document around it does not say so.
pub(crate) fn event(event: &Event, request: Option<&RequestId>) -> Vec<u8> {
    let data = event.data.as_str().as_bytes();
    let object = ObjectWriter::with_capacity(256 + data.len())
        .number("sequence", event.sequence)
        .plain("type", &event.name)
        .json("data", data);
    named(object, request.map(RequestId::as_str)).plain("time", event.time).finish()
}

/// A page of an aggregate's events, each as [`event`] wrote it, and the sequence to go on from.
pub(crate) fn events(events: &[Vec<u8>], next: Option<u64>) -> Vec<u8> {
    let object = ObjectWriter::new().array("events", events);
    match next {
        Some(next) => object.number("next", next),
        None => object,
    }
    .finish()
}

/// A row of a view, on its own.
pub(crate) fn row(view: &str, row: &Row, body: &Json) -> Vec<u8> {
    row_members(ObjectWriter::new().text("view", view), row, body)
}

/// A page of a view's rows, and the key to go on after.
pub(crate) fn rows(view: &str, rows: &[Row], next: Option<&str>) -> Vec<u8> {
    let items = rows.iter().filter_map(|row| {
        row.body.as_ref().map(|body| row_members(ObjectWriter::new(), row, body))
    });
    let object = ObjectWriter::new().text("view", view).array("rows", items);
    match next {
        Some(next) => object.text("next", next),
        None => object,
    }
    .finish()
}

fn row_members(object: ObjectWriter, row: &Row, body: &Json) -> Vec<u8> {
    object
        .text("key", &row.key)
        .number("sequence", row.sequence)
        .json("row", body.as_str().as_bytes())
        .finish()
}

fn named(object: ObjectWriter, request: Option<&str>) -> ObjectWriter {
    match request {
        Some(request) => object.plain("requestId", request),
        None => object,
    }
}
