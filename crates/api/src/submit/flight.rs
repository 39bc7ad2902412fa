//! A flight: one sending of a command, from before it is produced until it is settled or nobody
//! waits for it any more.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ordain_model::{AggregateKey, Commit, Fingerprint, RequestId};
use ordain_ports::NotAccepted;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::owners::Sent;
use super::places::Place;

/// Under what an outcome is stored, and looked up.
pub(super) type Id = (AggregateKey, RequestId);

/// One sending of a command. Everyone who sent the same command meanwhile waits for it.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) id: Id,
    pub(super) fingerprint: Fingerprint,
    pub(super) nonce: u64,
    state: Mutex<State>,
    changed: Notify,
    /// Counts against the limits of the process and the tenant until the last waiter is gone.
    _place: Place,
    sent: Sent,
}

/// How far a flight has come.
#[derive(Debug)]
pub(super) struct State {
    pub(super) delivery: Known,
    pub(super) settled: Option<Settled>,
    /// Whether anyone waits for the delivery; who waits for the outcome need not wake for it.
    durable_wanted: bool,
    waiters: u32,
    look_up_at: Instant,
    look_up_gap: Duration,
    /// Counts the look-ups that are over.
    look_ups: u64,
}

/// What is known about the delivery to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing yet.
    NotYet,
    /// The command is durable.
    Durable,
    /// Nobody will ever know.
    Never,
}

/// How a flight ended.
#[derive(Debug, Clone)]
pub(super) enum Settled {
    /// This is stored under its id; whether it is of the same command, the fingerprint tells.
    Outcome(Arc<Commit>),
    /// It is certainly not in the log.
    NotAccepted(NotAccepted),
}

impl Flight {
    /// A flight that one caller waits for.
    pub(super) fn new(
        id: Id,
        fingerprint: Fingerprint,
        nonce: u64,
        (place, sent): (Place, Sent),
    ) -> Self {
        let state = State {
            delivery: Known::NotYet,
            settled: None,
            durable_wanted: false,
            waiters: 1,
            look_up_at: Instant::now(),
            look_up_gap: Duration::ZERO,
            look_ups: 0,
        };
        Self {
            id,
            fingerprint,
            nonce,
            state: Mutex::new(state),
            changed: Notify::new(),
            _place: place,
            sent,
        }
    }

    /// Sets when the outcome is first looked up.
    #[must_use]
    pub(super) fn looked_up_after(self, first: Duration) -> Self {
        {
            let mut state = self.state();
            state.look_up_at += first;
            state.look_up_gap = first;
        }
        self
    }

    /// Waits until `look` sees what it looks for.
    pub(super) async fn until<T>(&self, look: impl Fn(&State) -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // A change between the look and the wait would be missed otherwise.
            changed.as_mut().enable();
            if let Some(seen) = look(&self.state()) {
                return seen;
            }
            changed.await;
        }
    }

    /// Ends the flight, unless it has ended before.
    pub(super) fn settle(&self, settled: Settled) {
        let mut state = self.state();
        if state.settled.is_none() {
            state.settled = Some(settled);
            self.sent.done();
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Notes what is known about the delivery.
    pub(super) fn delivered(&self, known: Known) {
        let mut state = self.state();
        state.delivery = known;
        let wanted = state.durable_wanted;
        drop(state);
        if wanted {
            self.changed.notify_waiters();
        }
    }

    /// Somebody waits for the delivery.
    pub(super) fn want_durable(&self) {
        self.state().durable_wanted = true;
    }

    /// One more caller waits.
    pub(super) fn join(&self) {
        self.state().waiters += 1;
    }

    /// One caller less waits.
    pub(super) fn leave(&self) {
        self.state().waiters -= 1;
    }

    /// Whether there is nobody left to answer and nothing left to learn.
    pub(super) fn is_forgettable(&self) -> bool {
        let state = self.state();
        state.waiters == 0 && state.delivery != Known::NotYet
    }

    /// What is known about the delivery.
    pub(super) fn delivery(&self) -> Known {
        self.state().delivery
    }

    /// How many look-ups are over.
    pub(super) fn look_ups(&self) -> u64 {
        self.state().look_ups
    }

    /// Whether a look-up is due.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.state().look_up_at <= now
    }

    /// Makes the look-up due now.
    pub(super) fn make_due(&self) {
        self.state().look_up_at = Instant::now();
    }

    /// The look-up begins; the next is due after twice the gap before.
    pub(super) fn begin_look_up(&self, now: Instant, gap_max: Duration) {
        let mut state = self.state();
        state.look_up_gap = (state.look_up_gap * 2).min(gap_max);
        state.look_up_at = now + state.look_up_gap;
    }

    /// The look-up is over; what it found has been settled before.
    pub(super) fn end_look_up(&self) {
        self.state().look_ups += 1;
        self.changed.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A state is changed in single steps, so it is whole even if a holder panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How many look-ups are over.
    pub(super) const fn look_ups(&self) -> u64 {
        self.look_ups
    }
}
