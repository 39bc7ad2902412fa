//! The worker on the embedded home, with ports that fail as told: one test per promise and per
//! order in which things can go wrong.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that meets what must not be has failed"
)]

mod asked;
mod careful;
mod contained;
mod deadlines;
mod heartbeats;
mod limits;
mod moves;
mod outcomes;
mod probe;
mod publishing;
mod remembered;
mod traces;
mod unknown;
mod world;
