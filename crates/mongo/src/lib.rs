//! The stores of ordain in MongoDB: commits and what is read out of them, snapshots, views, dead
//! letters, crash marks and announcements. One database per prefix.
//!
//! # What holds
//! Every write is acknowledged by a majority, journalled, or its result is unknown. The driver
//! sends it once: whatever is sent again is sent by whoever called.
//!
//! Reads are served by the primary and show only what a majority has. A primary that was deposed
//! and has not noticed yet (for at most its election timeout) may answer such a read with what was
//! true a moment ago. Therefore the reads of which the ports promise that they show everything
//! that was reported before (outcomes, loads and histories of commits; dead letters,
//! announcements and crash marks besides) are linearizable: before it answers, the primary makes
//! sure, by a write of its own that a majority has to take, that it still is the primary. The
//! server promises that for single documents only, because others may change while it reads; but
//! commits never change, so what holds for each of them holds for all. Views and snapshots are
//! read at majority: a view's writes are conditional, and a stale snapshot is followed by a tail
//! that is not.

mod announcements;
mod commits;
mod connect;
mod crash_marks;
mod dead_letters;
mod fault;
mod history;
mod insert;
mod load;
mod mongo;
mod outcomes;
mod record;
mod reply;
mod server;
mod settings;
mod setup;
mod snapshots;
mod views;

pub use mongo::Mongo;
pub use settings::Settings;
