//! The client commands of the binary against a scripted server: what they send, print and exit
//! with.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what goes wrong in a test ends it"
)]

mod file;
mod program;
mod read;
mod send;
mod server;
mod status;
