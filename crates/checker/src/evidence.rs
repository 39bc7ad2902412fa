//! What can be read back when the clients have finished and the system has come to rest.

use std::fmt;

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
    /// A record of the events or of the dead letters that cannot be read.
    Unreadable(Unreadable),
    /// A record that no part of the system wrote.
    Planted(Planted),
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

/// A record of the log of events that can be read.
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

/// A topic of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Topic {
    /// The log of requests.
    Requests,
    /// The log of events.
    FinalEvents,
    /// Dead letters.
    DeadLetters,
}

impl Topic {
    /// Its name, without the prefix of a fleet.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::FinalEvents => "finalevents",
            Self::DeadLetters => "deadletters",
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A record of the events or of the dead letters that cannot be read. Of requests, say
/// [`Request`] without a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// Its topic.
    pub topic: Topic,
    /// Where it stands.
    pub place: Place,
}

/// A foreign or damaged record that was put into a topic: no command can come of it and no event,
/// only a dead letter and, where it names an aggregate and a request, a rejection. Nothing else is
/// asked of what stands there. A copy of a record of the system is not planted, it is a repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planted {
    /// The topic.
    pub topic: Topic,
    /// Where it stands.
    pub place: Place,
}

/// What was planned of a fault, and how often it was met under load.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// The crash point (`C5`), or the fault's name.
    pub name: String,
    /// How often a process was to be killed there.
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
    /// How often something else than a process was to fail.
    #[serde(default)]
    pub others_planned: u64,
    /// How often it did.
    #[serde(default)]
    pub others: u64,
    /// Whether a command's own rule ended the process: no other command is rejected because of it.
    #[serde(default)]
    pub by_rule: bool,
}
