//! What can be read back when the clients have finished and the system has come to rest.

use serde::{Deserialize, Serialize};

use crate::{Outcome, Place, Told, ndjson};

/// Reads evidence.
pub type Reader<R> = ndjson::Reader<R, Item>;

/// Writes evidence.
pub type Writer<W> = ndjson::Writer<W, Item>;

/// A piece of evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Item {
    /// A record of the log of requests.
    Request(Request),
    /// A stored commit.
    Commit(Commit),
    /// A record of the log of events.
    Event(Event),
    /// A row of a view.
    Row(Row),
    /// What a look-up of an outcome gave.
    LookUp(LookUp),
    /// A dead letter.
    Letter(Letter),
    /// What was planned of a fault, and how often it was met.
    Fault(Fault),
}

/// A record of the log of requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// Where it stands.
    pub place: Place,
    /// What can be read of it; nothing in a damaged record, or one of somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Command>,
}

/// What a record of the log of requests says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Command {
    /// Its key: `tenant/type/id`.
    pub aggregate: String,
    /// The request id.
    pub request: String,
    /// The fingerprint, as any text.
    pub fingerprint: String,
    /// Tells this sending from every other.
    pub nonce: u64,
    /// The command's name.
    pub command: String,
    /// The command's data, as it stands.
    pub data: String,
    /// The sequence that the aggregate must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_sequence: Option<u64>,
    /// When it is not to be taken up any more: nanoseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<i64>,
    /// When it was accepted, on the clock of whoever did: nanoseconds since 1970.
    pub time: i64,
}

/// A stored commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Whose: `tenant/type/id`.
    pub aggregate: String,
    /// The request that it answers.
    pub request: String,
    /// Its place in the aggregate's line.
    pub revision: u64,
    /// The aggregate's sequence after it.
    pub sequence: u64,
    /// The fingerprint, as the records say it.
    pub fingerprint: String,
    /// The command's name.
    pub command: String,
    /// What became of the command.
    pub outcome: Outcome,
    /// Why, with FAIL and REJECTED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What happened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Happened>,
    /// When: nanoseconds since 1970.
    pub time: i64,
    /// The record that was decided.
    pub source: Place,
    /// The nonce of that record.
    pub nonce: u64,
}

/// An event of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happened {
    /// Its place among the aggregate's events.
    pub sequence: u64,
    /// What happened.
    #[serde(rename = "type")]
    pub name: String,
    /// Its data, byte for byte.
    pub data: String,
    /// When: nanoseconds since 1970.
    pub time: i64,
}

/// A record of the log of events. One that is damaged or somebody else's is no evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Where it stands.
    pub place: Place,
    /// Its key: `tenant/type/id`.
    pub aggregate: String,
    /// The request that made it happen.
    pub request: String,
    /// The event.
    pub event: Happened,
}

/// A row of a view, read when the view had come to the end of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The view.
    pub view: String,
    /// The row's key.
    pub key: String,
    /// The sequence of the last event folded into it.
    pub sequence: u64,
    /// What it says, JSON text.
    pub row: String,
}

/// What a look-up of an outcome gave, when everything had come to rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookUp {
    /// Of which aggregate: `tenant/type/id`.
    pub aggregate: String,
    /// Of which request.
    pub request: String,
    /// What it gave; none where it said UNKNOWN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
}

/// A dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// The topic of the record.
    pub topic: String,
    /// Where the record stands.
    pub place: Place,
    /// For whom it was, `tenant/type/id`, and under which request id, where that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<(String, String)>,
    /// Why.
    pub code: String,
}

/// What was planned of a fault, and how often it was met under load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// The crash point (`C5`), or the fault's name.
    pub name: String,
    /// How often a process was to be killed there, or the fault to be made.
    #[serde(default)]
    pub kills_planned: u64,
    /// How often it was.
    #[serde(default)]
    pub kills: u64,
    /// How often a process was to be paused there.
    #[serde(default)]
    pub pauses_planned: u64,
    /// How often it was.
    #[serde(default)]
    pub pauses: u64,
}
