//! Configuration → adapters → roles → run → drain. The only crate that names an adapter, and that
//! knows which home a process runs in.

mod configuration;
mod home;
mod listeners;
mod logs;
mod meters;
mod node;
mod roles;
mod telemetry;
mod topics;

pub use configuration::{Configuration, Flags, Loaded, Log, Value};
pub use node::{Ended, Ready, dev, fleet};
pub use roles::Role;
pub use topics::{TopicReport, TopicsReport, TopicsWanted, ensure_topics};
