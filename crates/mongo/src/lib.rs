//! The stores of ordain in MongoDB: commits and what is read out of them, snapshots, views, dead
//! letters, crash marks and announcements. One database per prefix.
//!
//! # What holds
//! Every write is acknowledged by a majority, journalled, or its result is unknown. The driver
//! sends it once: whatever is sent again is sent by whoever called.
//!
//! Every read is served by a primary and shows only what a majority has. That alone does not make
//! it show everything: a primary that was deposed and has not noticed yet, for at most its
//! election timeout, answers with what was true a moment ago. Where a port promises that what was
//! reported before is found (outcomes, histories, dead letters, crash marks, announcements), a
//! small write goes before the read. A majority takes it, so it stands behind everything that was
//! acknowledged before it, and the read waits for a point in the store's time that is no earlier.
//! Reads that come together share that write. (The server's own `linearizable` does the same, but
//! its write waits for the next regular flush of the journal, 100 ms.)
//!
//! Three reads go without it. Loads: a worker that decides on a stale state is refused by the
//! unique index when it inserts, and loads again; nothing that it decided becomes true. Snapshots:
//! a stale one is followed by a longer tail. Rows and marks of views: they are written on
//! condition, and a list may be as old as a deposed primary, so for seconds at most.

mod aggregates;
mod announcements;
mod commits;
mod connect;
mod convoy;
mod crash_marks;
mod dead_letters;
mod fault;
mod fence;
mod heartbeats;
mod history;
mod insert;
mod load;
mod mongo;
mod outcomes;
mod read;
mod record;
mod reply;
mod server;
mod settings;
mod setup;
mod snapshots;
mod views;

pub use mongo::Mongo;
pub use settings::Settings;
