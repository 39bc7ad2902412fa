//! The logs and feeds of ordain on Kafka: commands and events as CloudEvents, in topics that every
//! API, worker and view of a fleet shares.
//!
//! What blocks in the driver runs on threads of this crate; no callback of the driver does more
//! than hand over what it was called with.

mod broker;
mod cloud_event;
mod commands;
mod events;
mod fault;
mod feed;
mod kafka;
mod letters;
mod producer;
mod record;
mod settings;
mod topics;

pub use fault::ConnectError;
pub use feed::ReportMember;
pub use kafka::Kafka;
pub use letters::DeadLetterTopic;
pub use settings::{Compression, GroupProtocol, Mechanism, Security, Settings};
pub use topics::{TopicReport, TopicsReport, TopicsWanted, ensure_topics};
