//! Real processes killed under load, at random and at every crash point, and started again on the
//! same directory; then everything is read back.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that meets what must not be has failed"
)]

#[path = "all.rs"]
mod crashes;
mod early;

use ordain_tests::Directory as Home;
