//! Real processes killed under load, at random and at every crash point, and started again on the
//! same directory; then everything is read back.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets what must not be has failed"
)]

mod check;
mod kills;
mod load;
mod rules;
