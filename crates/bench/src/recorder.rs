//! What a load found: latencies, counts, throughput over time, and what every account was given.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::text::Deposit;

/// Microseconds.
const LATENCY_MAX: u64 = 3_600 * 1_000_000;
/// Latencies are right to a thousandth.
const DIGITS: u8 = 3;
/// Throughput is counted for each of these.
pub(crate) const SLICE: Duration = Duration::from_millis(100);

/// How commands that arrived while it was measured were answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// New commands with the outcome SUCCESS.
    pub success: u64,
    /// Repeats that were answered as the first time.
    pub repeated: u64,
    /// TIMEOUT. New commands were settled after the run.
    pub timeout: u64,
    /// No answer, or none within 30 s. New commands were settled after the run.
    pub no_answer: u64,
    /// Certainly not accepted, as by a server that has too much to do.
    pub not_accepted: u64,
    /// There was no connection.
    pub not_reached: u64,
    /// Arrivals of an open loop that waited for a free connection until nothing was sent any more.
    pub not_sent: u64,
    /// Answers that no honest server gives to this load.
    pub refused: u64,
    /// Repeats that were not answered as the first time.
    pub wrong: u64,
}

/// What a load found.
#[derive(Debug, Clone)]
pub struct Load {
    /// Microseconds from the planned arrival to the answer, of commands that were answered with
    /// SUCCESS (`async`: accepted) or TIMEOUT, and of those that were never sent until nothing was
    /// sent any more.
    pub answers: Histogram<u64>,
    /// Of `async` only: microseconds from the planned arrival until the outcome was known.
    pub outcomes: Histogram<u64>,
    /// Commands answered with SUCCESS in each tenth of a second.
    pub per_slice: Vec<u64>,
    /// How commands were answered.
    pub counts: Counts,
    /// The first answer that no honest server gives to this load.
    pub unexpected: Option<String>,
    /// Why there was no connection, the first time.
    pub not_reached: Option<String>,
    /// For each account, what it was answered to have been given, warm-up included.
    pub(crate) deposited: Vec<u64>,
    pub(crate) unsettled: Vec<Unsettled>,
}

/// A deposit of which it is not known whether it took effect.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unsettled {
    pub(crate) deposit: Deposit,
    /// It was accepted, so it will.
    pub(crate) accepted: bool,
}

/// How a command was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Success,
    Timeout,
    NoAnswer,
    NotAccepted,
    NotReached,
    /// By no honest server.
    Refused,
}

impl Told {
    /// What a status says of a deposit of 1 to an open account; none if no honest server says it.
    pub(crate) const fn of_status(status: u16) -> Option<Self> {
        match status {
            200 | 201 => Some(Self::Success),
            504 => Some(Self::Timeout),
            429 | 503 => Some(Self::NotAccepted),
            _ => None,
        }
    }
}

/// Takes note of answers; one a thread.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) load: Load,
    /// Arrivals before this are warm-up.
    from: Instant,
    until: Instant,
    /// Successes of all threads so far, for whoever watches.
    live: Arc<AtomicU64>,
}

impl Load {
    pub(crate) fn new(accounts: u32, duration: Duration) -> Self {
        let slices = duration.as_millis().div_ceil(SLICE.as_millis());
        Self {
            answers: histogram(),
            outcomes: histogram(),
            per_slice: vec![0; usize::try_from(slices).unwrap_or(0)],
            counts: Counts::default(),
            unexpected: None,
            not_reached: None,
            deposited: vec![0; accounts as usize],
            unsettled: Vec::new(),
        }
    }

    /// Commands answered with SUCCESS while it was measured.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.per_slice.iter().sum()
    }

    /// Adds what another thread found.
    pub(crate) fn add(&mut self, other: Self) {
        // Both have the same limits, so neither refuses the other's latencies.
        let _ = self.answers.add(other.answers);
        let _ = self.outcomes.add(other.outcomes);
        for (slice, more) in self.per_slice.iter_mut().zip(other.per_slice) {
            *slice += more;
        }
        for (account, more) in self.deposited.iter_mut().zip(other.deposited) {
            *account += more;
        }
        self.counts.add(other.counts);
        self.unexpected = self.unexpected.take().or(other.unexpected);
        self.not_reached = self.not_reached.take().or(other.not_reached);
        self.unsettled.extend(other.unsettled);
    }
}

impl Recorder {
    pub(crate) fn new(load: Load, from: Instant, until: Instant, live: Arc<AtomicU64>) -> Self {
        Self { load, from, until, live }
    }

    /// A new deposit was answered.
    pub(crate) fn deposit(&mut self, deposit: Deposit, planned: Instant, told: Told) {
        match told {
            Told::Success => {
                if let Some(account) = self.load.deposited.get_mut(deposit.account as usize) {
                    *account += 1;
                }
                self.progressed(Instant::now());
            }
            Told::Timeout | Told::NoAnswer => {
                self.load.unsettled.push(Unsettled { deposit, accepted: false });
            }
            Told::NotAccepted | Told::NotReached | Told::Refused => {}
        }
        self.count(planned, told, |counts| &mut counts.success);
    }

    /// What became of a deposit could not be learned in time.
    pub(crate) fn unsettled(&mut self, unsettled: Unsettled, planned: Instant) {
        self.load.unsettled.push(unsettled);
        self.count(planned, Told::Timeout, |counts| &mut counts.success);
    }

    /// A repeat of a command with the outcome SUCCESS was answered; was it as the first time?
    pub(crate) fn repeat(&mut self, planned: Instant, told: Told, same: bool) {
        match told {
            Told::Success if same => self.progressed(Instant::now()),
            Told::Success | Told::Refused => {
                self.load.counts.wrong += 1;
                return;
            }
            Told::Timeout | Told::NoAnswer | Told::NotAccepted | Told::NotReached => {}
        }
        self.count(planned, told, |counts| &mut counts.repeated);
    }

    /// Some commands that arrived together were answered, now.
    pub(crate) fn latency(&mut self, planned: Instant, told: Told, commands: u64) {
        if planned >= self.from && matches!(told, Told::Success | Told::Timeout) {
            saturating(&mut self.load.answers, planned.elapsed(), commands);
        }
    }

    /// The outcome of what was accepted before is known, now.
    pub(crate) fn outcome(&mut self, planned: Instant) {
        if planned >= self.from {
            saturating(&mut self.load.outcomes, planned.elapsed(), 1);
        }
    }

    pub(crate) fn unexpected(&mut self, status: u16, body: &[u8]) {
        self.load.unexpected.get_or_insert_with(|| {
            let body: String = String::from_utf8_lossy(body).chars().take(500).collect();
            format!("{status} {body}")
        });
    }

    pub(crate) fn not_reached(&mut self, why: &str) {
        self.load.not_reached.get_or_insert_with(|| why.to_owned());
    }

    fn count(&mut self, planned: Instant, told: Told, succeeded: fn(&mut Counts) -> &mut u64) {
        if planned < self.from {
            return;
        }
        let counts = &mut self.load.counts;
        *match told {
            Told::Success => succeeded(counts),
            Told::Timeout => &mut counts.timeout,
            Told::NoAnswer => &mut counts.no_answer,
            Told::NotAccepted => &mut counts.not_accepted,
            Told::NotReached => &mut counts.not_reached,
            Told::Refused => &mut counts.refused,
        } += 1;
    }

    /// One more command was answered with success.
    fn progressed(&mut self, now: Instant) {
        self.live.fetch_add(1, Ordering::Relaxed);
        if now < self.from || now >= self.until {
            return;
        }
        let slice = (now - self.from).as_nanos() / SLICE.as_nanos();
        let slice = usize::try_from(slice).ok();
        if let Some(slice) = slice.and_then(|slice| self.load.per_slice.get_mut(slice)) {
            *slice += 1;
        }
    }
}

impl Counts {
    fn add(&mut self, more: Self) {
        self.success += more.success;
        self.repeated += more.repeated;
        self.timeout += more.timeout;
        self.no_answer += more.no_answer;
        self.not_accepted += more.not_accepted;
        self.not_reached += more.not_reached;
        self.not_sent += more.not_sent;
        self.refused += more.refused;
        self.wrong += more.wrong;
    }
}

/// Takes note of commands that were never sent: so many with this planned time, which had waited
/// until now at the least.
pub(crate) fn never_sent(load: &mut Load, planned: Instant, commands: u64) {
    load.counts.not_sent += commands;
    saturating(&mut load.answers, planned.elapsed(), commands);
}

fn saturating(latencies: &mut Histogram<u64>, latency: Duration, count: u64) {
    if count > 0 {
        let latency = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).clamp(1, LATENCY_MAX);
        latencies.saturating_record_n(latency, count);
    }
}

fn histogram() -> Histogram<u64> {
    #[expect(clippy::expect_used, reason = "constants that the crate's documentation allows")]
    Histogram::new_with_bounds(1, LATENCY_MAX, DIGITS).expect("bounds of a histogram")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPOSIT: Deposit = Deposit { account: 1, connection: 0, number: 1 };

    /// A recorder of a load that is measured for a second, from a second ago.
    fn recorder() -> (Recorder, Instant) {
        let until = Instant::now();
        let from = until.checked_sub(Duration::from_secs(1)).unwrap();
        let load = Load::new(2, Duration::from_secs(1));
        (Recorder::new(load, from, until, Arc::default()), from)
    }

    #[test]
    fn what_arrives_in_the_warm_up_is_given_and_not_counted() {
        let (mut recorder, from) = recorder();
        let early = from.checked_sub(Duration::from_millis(1)).unwrap();
        for planned in [early, from] {
            recorder.latency(planned, Told::Success, 1);
            recorder.outcome(planned);
            recorder.deposit(DEPOSIT, planned, Told::Success);
            recorder.repeat(planned, Told::Success, true);
        }
        let load = recorder.load;
        assert_eq!(load.deposited, [0, 2]);
        assert_eq!((load.answers.len(), load.outcomes.len()), (1, 1));
        assert_eq!((load.counts.success, load.counts.repeated), (1, 1));
    }

    #[test]
    fn throughput_is_of_the_time_that_is_measured() {
        let (mut recorder, from) = recorder();
        let at = |milliseconds| from + Duration::from_millis(milliseconds);
        recorder.progressed(from.checked_sub(Duration::from_millis(1)).unwrap());
        for milliseconds in [0, 99, 100, 950, 1_000, 1_050] {
            recorder.progressed(at(milliseconds));
        }
        assert_eq!(recorder.load.per_slice, [2, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(recorder.load.answered(), 4);
    }

    #[test]
    fn only_answers_have_a_latency() {
        let (mut recorder, from) = recorder();
        for told in [Told::NoAnswer, Told::NotAccepted, Told::NotReached, Told::Refused] {
            recorder.latency(from, told, 1);
        }
        recorder.latency(from, Told::Success, 0);
        assert_eq!((recorder.load.answers.len(), recorder.load.answers.max()), (0, 0));
        recorder.latency(from, Told::Timeout, 3);
        never_sent(&mut recorder.load, from, 2);
        assert_eq!(recorder.load.answers.len(), 5);
        assert!(recorder.load.answers.min() >= 999_000);
    }

    #[test]
    fn a_repeat_that_was_answered_otherwise_is_wrong_whatever_it_was() {
        let (mut recorder, from) = recorder();
        recorder.repeat(from, Told::Success, false);
        recorder.repeat(from, Told::Refused, true);
        recorder.repeat(from, Told::NotAccepted, false);
        let counts = recorder.load.counts;
        assert_eq!((counts.wrong, counts.repeated, counts.not_accepted), (2, 0, 1));
    }
}
