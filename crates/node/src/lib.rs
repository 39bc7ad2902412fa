//! Configuration → adapters → roles → run → drain. The only crate that names an adapter, and that
//! knows which home a process runs in.

mod configuration;
mod dev;
mod home;
mod logs;
mod meters;
mod roles;

pub use configuration::{Configuration, Flags, Loaded, Log, Value};
pub use dev::{Ended, Ready, dev};
