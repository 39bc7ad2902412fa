//! The edges of ordain: every port as a numbered contract, one error, and (with the feature
//! `contract`) a suite of named tests, one per promise, that every adapter passes.

mod announcements;
mod clock;
mod commits;
#[cfg(feature = "contract")]
pub mod contract;
mod crash_marks;
mod dead_letters;
mod delivery;
mod error;
mod feed;
mod heartbeats;
mod log;
mod outcomes;
mod partition;
mod replies;
mod snapshots;
mod spans;
mod views;

pub use announcements::{Announced, Announcements};
pub use clock::{Clock, SystemClock};
pub use commits::{Commits, Inserted, Load, Stop};
pub use crash_marks::CrashMarks;
pub use dead_letters::{DeadLetter, DeadLetters, LetterId};
pub use delivery::{Delivery, DeliveryPromise};
pub use error::{Action, Error};
pub use feed::{Content, Damaged, Feed, Gone, Input, Lane, Record};
pub use heartbeats::{Heartbeat, Heartbeats, LaneBeat};
pub use log::{CommandLog, Delivered, EventLog, NotAccepted, Position, Published};
pub use outcomes::Outcomes;
pub use partition::partition_of;
pub use replies::{Answer, Replies, Reply, ReplySender, ReplySink};
pub use snapshots::Snapshots;
pub use spans::{NoSpans, Span, SpanKind, Spans};
pub use views::{Mark, Row, RowList, RowRange, RowWrite, SoleRow, ViewStore};
