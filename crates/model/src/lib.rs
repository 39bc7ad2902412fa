//! The words of ordain: ids, command, decision, commit, event, outcome, and the traits that an
//! aggregate fulfils. Pure: no I/O, no clock, no randomness.

mod aggregate;
mod command;
mod commit;
mod contained;
mod fingerprint;
mod handler;
mod id;
pub mod json;
mod receipt;
mod registry;
mod snapshot;
mod time;
mod trace;

pub use aggregate::{Aggregate, Code, CommandSchema, EventSchema, Rules};
pub use command::{Command, ReplyAddress};
pub use commit::{Commit, Event, Outcome, Source};
pub use contained::{Panicked, contain, is_contained};
pub use fingerprint::{Fingerprint, Fingerprinted};
pub use handler::{
    CommandType, Decision, Definition, EventType, Handler, NewEvent, State, Unprocessable,
};
pub use id::{AggregateKey, BadId, Name, RequestId, TENANT_DEFAULT};
pub use json::{Document, Json, Limits, Malformed, Schema, SchemaHash, Violation};
pub use receipt::{BadReceipt, Receipt};
pub use registry::{BadDefinition, RESERVED_TYPES, Registry};
pub use snapshot::{Snapshot, Stored};
pub use time::{BadTime, Timestamp};
pub use trace::{BadTraceContext, TraceContext};
