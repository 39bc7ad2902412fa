//! Every port of ordain in one process, on one directory: durable, and the executable meaning of
//! the ports' contracts.
//!
//! One thread writes everything, in batches that are synced before any of it is shown or
//! answered; only a lane may have its commands a little earlier, and whatever it makes of them
//! goes through the same journal behind them. Everything else reads by snapshots of what was
//! synced.

mod append;
mod batch;
mod commits;
mod directory;
mod events;
mod failure;
mod fault;
mod feed;
mod group;
mod groups;
mod heartbeats;
mod home;
mod key;
mod log;
mod mend;
mod notes;
mod queue;
mod record;
mod replies;
mod requests;
mod run;
mod settings;
mod space;
mod tables;
mod upgrade;
mod views;
mod watch;
mod writer;

pub use directory::OpenError;
pub use failure::Failure;
pub use home::Home;
pub use settings::Settings;
