//! What is measured of submitting.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};

use super::{Answered, Refusal};

/// The smallest and largest advice on when to try again.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// The meters, and how long outcomes take at the moment.
pub(super) struct Measures {
    wait: Histogram,
    in_flight: Gauge,
    decided: Counter,
    replayed: Counter,
    accepted: Counter,
    key_reused: Counter,
    timed_out: Counter,
    busy: Counter,
    tenant_busy: Counter,
    overloaded: Counter,
    no_worker: Counter,
    not_announced: Counter,
    no_space: Counter,
    draining: Counter,
    invalid: Counter,
    /// Moving average of the waits for outcomes, in microseconds.
    outcome_us_average: AtomicU64,
}

impl Measures {
    pub(super) fn new() -> Self {
        let answered =
            |how: &'static str| metrics::counter!("ordain_api_answered_commands", "answer" => how);
        Self {
            wait: metrics::histogram!("ordain_api_wait_seconds"),
            in_flight: metrics::gauge!("ordain_api_in_flight_commands"),
            decided: answered("decided"),
            replayed: answered("replayed"),
            accepted: answered("accepted"),
            key_reused: answered("key_reused"),
            timed_out: answered("timed_out"),
            busy: answered("busy"),
            tenant_busy: answered("tenant_busy"),
            overloaded: answered("overloaded"),
            no_worker: answered("no_worker"),
            not_announced: answered("not_announced"),
            no_space: answered("no_space"),
            draining: answered("draining"),
            invalid: answered("invalid"),
            outcome_us_average: AtomicU64::new(0),
        }
    }

    /// A caller was answered after this time, and so many commands are still in flight.
    pub(super) fn answered(&self, answered: &Answered, after: Duration, in_flight: usize) {
        self.wait.record(after);
        self.in_flight.set(u32::try_from(in_flight).unwrap_or(u32::MAX));
        self.counter(answered).increment(1);
        if matches!(answered, Answered::Decided { .. } | Answered::TimedOut { .. }) {
            self.outcome_took(after);
        }
    }

    /// When to try again, from how long outcomes take at the moment.
    pub(super) fn retry_after(&self) -> Duration {
        let average = Duration::from_micros(self.outcome_us_average.load(Ordering::Relaxed));
        (average * 2).clamp(RETRY_AFTER.0, RETRY_AFTER.1)
    }

    /// Two that answer at once may overwrite one another, which an average bears.
    fn outcome_took(&self, time: Duration) {
        let took = u64::try_from(time.as_micros()).unwrap_or(u64::MAX) / 16;
        let before = self.outcome_us_average.load(Ordering::Relaxed);
        self.outcome_us_average.store(before - before / 16 + took, Ordering::Relaxed);
    }

    const fn counter(&self, answered: &Answered) -> &Counter {
        match answered {
            Answered::Decided { replayed: false, .. } => &self.decided,
            Answered::Decided { replayed: true, .. } => &self.replayed,
            Answered::Accepted => &self.accepted,
            Answered::KeyReused => &self.key_reused,
            Answered::TimedOut { .. } => &self.timed_out,
            Answered::NotAccepted { why: Refusal::Busy, .. } => &self.busy,
            Answered::NotAccepted { why: Refusal::TenantBusy, .. } => &self.tenant_busy,
            Answered::NotAccepted { why: Refusal::Overloaded, .. } => &self.overloaded,
            Answered::NotAccepted { why: Refusal::NoWorker, .. } => &self.no_worker,
            Answered::NotAccepted { why: Refusal::NotAnnounced, .. } => &self.not_announced,
            Answered::NotAccepted { why: Refusal::NoSpace, .. } => &self.no_space,
            Answered::NotAccepted { why: Refusal::Draining, .. } => &self.draining,
            Answered::Invalid(_) => &self.invalid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_follows_the_waits_within_bounds() {
        let measures = Measures::new();
        assert_eq!(measures.retry_after(), Duration::from_secs(1));
        let timed_out = Answered::TimedOut { accepted: true, retry_after: Duration::from_secs(1) };
        for _ in 0..100 {
            measures.answered(&timed_out, Duration::from_secs(5), 0);
        }
        let advice = measures.retry_after();
        assert!(advice > Duration::from_secs(9) && advice <= Duration::from_secs(10), "{advice:?}");
        for _ in 0..1000 {
            measures.answered(&timed_out, Duration::from_secs(500), 0);
        }
        assert_eq!(measures.retry_after(), Duration::from_secs(30));
    }
}
