//! A command: what a client wants done to one aggregate, as it stands in the log of requests.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    AggregateKey, Fingerprint, Json, Name, RequestId, SchemaHash, Timestamp, TraceContext,
};

/// What a client wants done to one aggregate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// Whom it is about.
    pub aggregate: AggregateKey,
    /// The client's name for it.
    pub request: RequestId,
    /// What is to be done, in the imperative.
    pub name: Name,
    /// The schema that the body was checked against.
    pub schema: SchemaHash,
    /// The body in canonical form: bodies that mean the same are decided as the same.
    pub data: Json,
    /// What makes it the command it is.
    pub fingerprint: Fingerprint,
    /// Refuse it when the aggregate has another sequence.
    pub expected_sequence: Option<u64>,
    /// Do not take it up after this time.
    pub deadline: Option<Timestamp>,
    /// Who waits for the answer.
    pub reply_to: ReplyAddress,
    /// When the API accepted it, on the API's clock.
    pub time: Timestamp,
    /// The trace that it belongs to. Whoever writes a command by its serde form keeps this beside
    /// it: the form is older.
    #[serde(skip)]
    pub trace: Option<TraceContext>,
}

/// Where a reply goes: the channel of one API process, and the number that tells this sending of
/// the request from every other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyAddress {
    /// The reply channel of one API process.
    pub channel: Arc<str>,
    /// Tells this sending from every other, also of the same request id.
    pub nonce: u64,
}
