//! Processes of a fleet on real services, as their users meet them: the scenarios of one process on
//! one directory, and what only a fleet can show.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that meets what must not be has failed"
)]

mod deposits;
mod outages;
mod overload;
mod roles;
mod scaling;
#[path = "../scenarios/all.rs"]
mod scenarios;
mod starting;
mod takeover;

use ordain_tests::Fleet as Home;
