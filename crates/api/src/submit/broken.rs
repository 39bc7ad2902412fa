//! Deliberately wrong variants of what a submitter does, for tests that must see them fail. Each is
//! switched on by a crash point; in a build without crash points none of them is reached.

use std::sync::Arc;

use fail::fail_point;
use ordain_model::{Commit, Fingerprint, Outcome, Source};
use ordain_ports::Clock;

use super::{Answered, Request};

/// Whether what is past its deadline is answered without a look at what became of it.
fn is_expired_at_the_door() -> bool {
    fail_point!("broken-expired-at-the-door", |_| true);
    false
}

/// The API says EXPIRED itself.
pub(super) fn expired(request: &Request, clock: &dyn Clock) -> Result<(), Answered> {
    if !is_expired_at_the_door() {
        return Ok(());
    }
    let now = clock.now();
    if request.deadline.is_none_or(|deadline| deadline >= now) {
        return Ok(());
    }
    let commit = Commit {
        aggregate: request.aggregate.clone(),
        request: request.request.clone(),
        command: request.command.clone(),
        fingerprint: Fingerprint::of_unreadable(&request.body),
        revision: 1,
        sequence: 0,
        outcome: Outcome::Expired,
        events: Vec::new(),
        time: now,
        source: Source { partition: 0, offset: 0, nonce: 0 },
        trace: None,
    };
    Err(Answered::Decided { commit: Arc::new(commit), replayed: false })
}
