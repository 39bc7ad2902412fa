//! Replies over a real Redis keep every promise of the contract, through broken connections,
//! servers that stop, logins and TLS.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test fails so")]

mod inbox;
mod limits;
mod login;
mod outages;
mod server;
#[cfg(feature = "tls")]
mod tls;
mod world;

use world::Shared;

ordain_ports::contract!(replies, Shared);
