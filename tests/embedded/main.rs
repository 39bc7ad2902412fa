//! One process on one directory, as its users meet it: over HTTP and the command line.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that meets what must not be has failed"
)]

mod answers;
mod bad_input;
mod contest;
mod drain;
mod health;
mod partitions;
mod promises;
mod readme;
