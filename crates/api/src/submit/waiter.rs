//! A waiter: one caller on one flight.

use std::sync::Arc;
use std::time::Duration;

use fail::fail_point;
use ordain_model::Commit;
use tokio::time::{Instant, timeout, timeout_at};

use super::Wait;
use super::flight::{Flight, Known, Settled, State};
use super::waiting::Waiting;

/// One caller on one flight. Dropped, the caller has left; the flight goes on.
pub(super) struct Waiter {
    flight: Arc<Flight>,
    waiting: Arc<Waiting>,
    produced: bool,
}

/// What a caller waits to see.
#[derive(Debug)]
pub(super) enum Seen {
    /// The end of the flight.
    Settled(Settled),
    /// That the command is durable.
    Durable,
}

impl Waiter {
    pub(super) const fn new(flight: Arc<Flight>, waiting: Arc<Waiting>) -> Self {
        Self { flight, waiting, produced: false }
    }

    /// The same, as the one who produces the flight.
    #[must_use]
    pub(super) fn producing(mut self) -> Self {
        self.produced = true;
        self
    }

    pub(super) const fn flight(&self) -> &Arc<Flight> {
        &self.flight
    }

    /// Whether the commit was decided from the record that this very caller produced. Whoever is
    /// attached has produced none.
    pub(super) fn has_produced(&self, commit: &Commit) -> bool {
        fail_point!("broken-repeat-not-marked", |_| self.produced);
        self.produced && commit.source.nonce == self.flight.nonce
    }

    /// Waits until `wait` is fulfilled or over, or all waits are, then has the outcome looked up
    /// once more.
    pub(super) async fn wait(&self, begun: Instant, wait: Wait, last: Duration) -> Option<Seen> {
        let look: fn(&State) -> Option<Seen> = match wait {
            Wait::Outcome(_) => settled,
            Wait::Durable(_) => {
                self.flight.want_durable();
                settled_or_durable
            }
        };
        let waiting = Arc::clone(&self.waiting);
        tokio::select! {
            biased;
            seen = timeout_at(begun + wait.limit(), self.flight.until(look)) => {
                if let Ok(seen) = seen {
                    return Some(seen);
                }
            }
            () = waiting.over.cancelled() => {}
        }
        let before = self.flight.look_ups();
        self.waiting.look_up_now(&self.flight);
        let looked_up = |state: &State| match look(state) {
            Some(seen) => Some(Some(seen)),
            None => (state.look_ups() > before).then_some(None),
        };
        timeout(last, self.flight.until(looked_up)).await.ok().flatten()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.waiting.leave(&self.flight);
    }
}

impl Wait {
    /// How long at most.
    pub(super) const fn limit(self) -> Duration {
        match self {
            Self::Outcome(limit) | Self::Durable(limit) => limit,
        }
    }
}

fn settled(state: &State) -> Option<Seen> {
    state.settled.clone().map(Seen::Settled)
}

fn settled_or_durable(state: &State) -> Option<Seen> {
    settled(state).or_else(|| (state.delivery == Known::Durable).then_some(Seen::Durable))
}
