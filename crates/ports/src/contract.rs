//! The contract suites: for every port one named test per promise, the same for every adapter.
//!
//! An adapter implements [`World`] and, for each port it has, the trait that hands it out
//! ([`Logs`], [`Stores`], [`Channels`], [`Views`], [`Letters`], [`Marks`], [`Announcing`],
//! [`Beating`]). One line a port then makes the suite its tests:
//! `ordain_ports::contract!(commits, MyWorld);`.
//!
//! The doc comment of each test begins with the promise that it is about, by its number in the
//! contract of the port.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "this is test code, and is compiled for tests only"
)]

pub mod announcements;
pub mod command_log;
pub mod commits;
pub mod crash_marks;
pub mod dead_letters;
pub mod event_log;
pub mod feed;
pub mod heartbeats;
mod listed;
mod member;
pub mod outcomes;
pub mod replies;
pub mod samples;
pub mod snapshots;
pub mod views;
mod world;

pub use world::{
    Announcing, Beating, Channels, Damage, Letters, Logs, Marks, Patience, Revoking, Setup, Stores,
    Views, Waiting, World, in_time,
};
