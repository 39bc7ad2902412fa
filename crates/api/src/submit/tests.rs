//! The promises of submitting, each against ports that do what the test says. Time stands still
//! except where all wait for it.

mod accepted;
mod endings;
mod look_ups;
mod refused;
mod sharing;

use std::time::Duration;

use super::{Answered, Wait};

const LONG: Wait = Wait::Outcome(Duration::from_secs(5));

/// Lets all that can go on go on; no time passes.
async fn settle() {
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
}

fn is_replay(answered: &Answered) -> bool {
    match answered {
        Answered::Decided { replayed, .. } => *replayed,
        other => panic!("not decided: {other:?}"),
    }
}
