//! Processes of a fleet on real services, as their users meet them: the scenarios of one process on
//! one directory, and what only a fleet can show.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that meets what must not be has failed"
)]

mod outages;
mod roles;
#[path = "../scenarios/all.rs"]
mod scenarios;
mod starting;
mod versions;

use ordain_tests::Fleet as Home;
