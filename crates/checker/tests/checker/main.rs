//! The checker finds what must not be, and nothing else.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that meets what must not be has failed"
)]

mod hand_made;
mod linear;
mod lines;
mod random;
mod rules;
mod run;
mod simulated;
