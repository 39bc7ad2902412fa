//! The faulty ports fail as told, once, and let everything else through.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod commits;
mod events;
mod lanes;
mod replies;
