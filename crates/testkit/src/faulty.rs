//! Ports that fail as told: each wraps a real one and, where the test's plan says so, loses what
//! a network, a server or a rebalance may lose. Without a plan every call goes straight through.

mod commits;
mod event_log;
mod feed;
mod plan;
mod replies;

pub use commits::{Call, Commits, Insert, Read};
pub use event_log::{EventLog, Publish};
pub use feed::{Control, Feed, Lane, Save};
pub use replies::{Replies, ReplySender};
