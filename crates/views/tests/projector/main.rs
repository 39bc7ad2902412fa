//! The projector on the embedded home: repeats, gaps, crashes, other projectors. In every test
//! the rows must be the fold of all events, whatever came in between.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod account;
mod alarms;
mod crashes;
mod errors;
mod followed;
mod gathering;
mod gone;
mod others;
mod remembered;
mod scripted;
mod staged;
mod stops;
mod unsaved;
mod world;
