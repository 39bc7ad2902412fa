//! The example aggregates: job requests and accounts. Pure: no I/O, no clock, no randomness.
#![doc = include_str!("../README.md")]

#[macro_use]
mod schemas;

pub mod account;
#[cfg(feature = "broken")]
pub mod broken;
pub mod job_request;
mod registry;

pub use registry::registry;
