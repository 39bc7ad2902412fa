//! The worker: feed in, decide, commit, reply, publish, save progress. It knows ports, never
//! drivers.
//!
//! A [`Worker`] joins the workers' group and runs one lane a partition. A lane takes a batch of
//! records at a time, decides it command by command, makes the decisions true with one ordered
//! insert, and replies; behind it, its finisher publishes the events and saves the progress.

mod backoff;
mod batch;
mod broken;
mod cache;
mod careful;
mod decide;
mod entry;
mod finisher;
mod heartbeat;
mod lane;
mod load;
mod measured;
mod meters;
mod part;
mod ports;
mod receive;
mod recent;
mod settings;
mod settle;
mod traced;
mod watchdog;
mod worker;

pub use ports::Ports;
pub use settings::Settings;
pub use watchdog::{Overrun, Watchdog};
pub use worker::{ReportStop, Worker};
