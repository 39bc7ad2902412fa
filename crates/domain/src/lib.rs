//! The example aggregates: job requests and accounts. Pure: no I/O, no clock, no randomness.
#![doc = include_str!("../README.md")]

#[macro_use]
mod schemas;

pub mod account;
#[cfg(feature = "broken")]
pub mod broken;
pub mod job_request;
#[cfg(feature = "broken")]
pub mod newer;
mod registry;

#[cfg(feature = "broken")]
pub use registry::newer_registry;
pub use registry::registry;
