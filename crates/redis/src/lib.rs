//! Replies over Redis: one channel for each API process, and a sender that never waits.
//!
//! Redis hands a message to whoever is subscribed at that moment and keeps nothing. So replies may
//! get lost; wherever this crate knows that some may have been, it tells the sink.

mod backoff;
mod client;
mod frame;
mod home;
mod queue;
mod sender;
mod settings;
mod subscription;

pub use home::Redis;
pub use settings::Settings;
