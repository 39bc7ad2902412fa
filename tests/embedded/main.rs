//! One process on one directory, as its users meet it: over HTTP and the command line.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that meets what must not be has failed"
)]

mod directory;
mod first_line;
mod ready;
#[path = "../scenarios/all.rs"]
mod scenarios;

use ordain_tests::Directory as Home;
