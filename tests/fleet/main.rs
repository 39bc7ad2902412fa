//! Processes of a fleet on real services, as their users meet them: the scenarios of one process on
//! one directory, and what only a fleet can show.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets what must not be has failed"
)]

#[path = "../crashes/all.rs"]
mod crashes;
mod deposits;
mod engine;
mod faults;
mod outages;
mod overload;
mod roles;
mod scaling;
#[path = "../scenarios/all.rs"]
mod scenarios;
mod starting;
mod takeover;
mod versions;

use ordain_tests::Fleet as Home;
