//! What clients saw: a line for each call, each answer and each read, in the order in which a
//! client saw them.
//!
//! All times are nanoseconds of one monotonic clock, so clients of one history run in one process.
//! A call is written before it is sent and an answer after it was received, so that the time
//! between the two encloses whatever the system did.

use serde::{Deserialize, Serialize};

use crate::{Told, ndjson};

/// Reads a history.
pub type Reader<R> = ndjson::Reader<R, Line>;

/// Writes a history.
pub type Writer<W> = ndjson::Writer<W, Line>;

/// The tenant of operations that name none.
pub const TENANT_DEFAULT: &str = "default";

/// A line of a history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Line {
    /// A client called.
    Call(Call),
    /// A call came to its end.
    Answer(Answer),
    /// A client read a row of a view.
    ViewRead(ViewRead),
    /// A client read an aggregate's state.
    StateRead(StateRead),
    /// A client read something, and was given an answer that no read may have.
    ReadBroken(ReadBroken),
    /// A client is going to move money.
    Transfer(Transfer),
}

/// A client called: sent a command, or asked for its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Tells this call from every other of the history.
    pub call: u64,
    /// When, before anything was sent.
    pub at: u64,
    /// Which client.
    pub client: u32,
    /// How.
    #[serde(default, skip_serializing_if = "Way::is_send")]
    pub way: Way,
    /// Which attempt of this client at this operation; the first is 1.
    pub attempt: u32,
    /// What.
    pub operation: Operation,
}

/// How a client called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Sent the command on its own, and waits; or does not wait (`respond-async`).
    #[default]
    Send,
    /// Sent the command in a batch, whose answers do not say of repeats that they are some.
    Batch,
    /// Asked for the outcome of the request.
    LookUp,
}

impl Way {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    const fn is_send(&self) -> bool {
        matches!(self, Self::Send)
    }
}

/// One command to one aggregate under one request id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Whose aggregate; the default tenant's when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The aggregate's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The aggregate's id; with a create that names none, the one that follows from the request id.
    pub id: String,
    /// The request id.
    pub request: String,
    /// The command's name; empty in a look-up.
    pub command: String,
    /// The command's data, JSON text; empty in a look-up.
    pub data: String,
    /// `If-Match`, where it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_sequence: Option<u64>,
    /// `Ordain-Deadline`, where it was sent: nanoseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<i64>,
}

impl Operation {
    /// `tenant/type/id`.
    #[must_use]
    pub fn aggregate(&self) -> String {
        let tenant = self.tenant.as_deref().unwrap_or(TENANT_DEFAULT);
        format!("{tenant}/{}/{}", self.kind, self.id)
    }
}

/// A call came to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Which call.
    pub call: u64,
    /// When, after all of it was received or given up.
    pub at: u64,
    /// The status; none when no answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The outcome document, where the answer had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
    /// The code of a problem without an outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A client read a row of a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewRead {
    /// When it was asked for.
    pub called: u64,
    /// When it was there.
    pub at: u64,
    /// Which reader; one at a time reads in one session.
    pub session: u32,
    /// The view.
    pub view: String,
    /// The row's key.
    pub key: String,
    /// The row's sequence; none when there was no row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// The sequence of the receipt that the view was asked to have reached; an answer that says it
    /// has not is no read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<u64>,
}

/// A client read an aggregate's state, as it is, not as of some sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateRead {
    /// When it was asked for.
    pub called: u64,
    /// When it was there.
    pub at: u64,
    /// Which reader.
    pub session: u32,
    /// The aggregate, `tenant/type/id`.
    pub aggregate: String,
    /// Its revision; 0 when the answer was that there is no such aggregate.
    pub revision: u64,
    /// Its sequence.
    pub sequence: u64,
    /// Its state, JSON text.
    pub state: String,
}

/// A client read something, and was given an answer that no read may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadBroken {
    /// When it was there.
    pub at: u64,
    /// Which reader.
    pub session: u32,
    /// What was asked for.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
}

/// A client is going to move money: a withdrawal, and when that has succeeded, a deposit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// The account that gives, `tenant/type/id`, and the request id there.
    pub from: (String, String),
    /// The account that takes, and the request id there.
    pub to: (String, String),
    /// How much, in minor units.
    pub amount: i64,
}
