//! When requests arrive: in a closed loop when the one before them was answered, in an open loop
//! when their time has come.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// For how long a server that has fallen behind is still sent what has arrived.
const SENT_WITHIN: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// The arrivals that all connections share.
#[derive(Debug)]
pub(crate) enum Arrivals {
    /// As soon as a connection is free.
    Closed { until: Instant },
    /// At a fixed rate, whatever became of those before.
    Open(Paced),
}

/// Arrivals at a fixed rate. Each has its planned time, and its latency counts from that: a server
/// that stalls does not keep requests from arriving, only from being sent.
#[derive(Debug)]
pub(crate) struct Paced {
    from: Instant,
    until: Instant,
    rate: f64,
    /// For how long what has arrived is sent when it is over.
    sent_within: Duration,
    /// Has a permit for every arrival that nobody has taken up.
    due: Semaphore,
    /// How many have been taken up.
    taken: AtomicU64,
}

impl Arrivals {
    pub(crate) fn new(rate: Option<f64>, from: Instant, until: Instant) -> Self {
        match rate {
            None => Self::Closed { until },
            Some(rate) => {
                let (due, taken) = (Semaphore::new(0), AtomicU64::new(0));
                Self::Open(Paced { from, until, rate, sent_within: SENT_WITHIN, due, taken })
            }
        }
    }

    /// Waits for the next arrival and gives the time that it was planned for; none when it is over.
    pub(crate) async fn next(&self) -> Option<Instant> {
        match self {
            Self::Closed { until } => Some(Instant::now()).filter(|now| now < until),
            Self::Open(paced) => paced.next().await,
        }
    }

    /// Lets arrivals happen, until it is over. Blocks.
    pub(crate) fn pace(&self) {
        if let Self::Open(paced) = self {
            paced.pace();
        }
    }

    /// The arrivals that nobody had taken up when it was over: when they were planned, to the
    /// millisecond, and how many.
    pub(crate) fn left(&self) -> impl Iterator<Item = (Instant, u64)> {
        let paced = match self {
            Self::Closed { .. } => None,
            Self::Open(paced) => Some(paced),
        };
        paced.into_iter().flat_map(Paced::left)
    }
}

impl Paced {
    async fn next(&self) -> Option<Instant> {
        self.due.acquire().await.ok()?.forget();
        Some(self.planned(self.taken.fetch_add(1, Ordering::Relaxed)))
    }

    /// On a thread of its own, since a runtime's timers are coarser than the gaps between arrivals.
    fn pace(&self) {
        let mut released = 0;
        loop {
            let now = Instant::now();
            let due = self.number_at(now.min(self.until));
            self.due.add_permits(usize::try_from(due - released).unwrap_or(0));
            released = due;
            if now >= self.until {
                return self.finish();
            }
            let next = self.planned(released).min(self.until);
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    }

    /// Nothing arrives any more; what has arrived is still sent, for a while.
    fn finish(&self) {
        let all = self.number_at(self.until);
        while self.taken.load(Ordering::Relaxed) < all && self.until.elapsed() < self.sent_within {
            thread::sleep(BETWEEN_LOOKS);
        }
        self.due.close();
    }

    fn left(&self) -> impl Iterator<Item = (Instant, u64)> {
        let all = self.number_at(self.until);
        let mut next = self.taken.load(Ordering::Relaxed).min(all);
        std::iter::from_fn(move || {
            let planned = self.planned(next);
            let behind = self.number_at(planned + Duration::from_millis(1)).max(next + 1).min(all);
            let count = behind.checked_sub(next).filter(|count| *count > 0)?;
            next = behind;
            Some((planned, count))
        })
    }

    fn planned(&self, number: u64) -> Instant {
        self.from + Duration::from_secs_f64(number as f64 / self.rate)
    }

    /// How many arrivals were planned before this time.
    fn number_at(&self, time: Instant) -> u64 {
        let passed = time.saturating_duration_since(self.from).as_secs_f64();
        (passed * self.rate).ceil() as u64
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Arrivals that a thread paces, for so long from now.
    fn paced(rate: f64, duration: Duration) -> Arc<Arrivals> {
        let from = Instant::now();
        let arrivals = Arc::new(Arrivals::new(Some(rate), from, from + duration));
        let pacer = Arc::clone(&arrivals);
        thread::spawn(move || pacer.pace());
        arrivals
    }

    #[tokio::test]
    async fn arrivals_keep_their_planned_times_when_they_are_taken_up_late() {
        let arrivals = paced(1_000.0, Duration::from_secs(60));
        let first = arrivals.next().await.unwrap();
        // Whoever is busy meanwhile finds those that came due.
        tokio::time::sleep(Duration::from_millis(20)).await;
        for number in 1..10_u32 {
            let planned = arrivals.next().await.unwrap();
            assert_eq!(planned, first + Duration::from_millis(1) * number);
        }
    }

    #[tokio::test]
    async fn what_nobody_took_up_is_left() {
        let until = Instant::now();
        let from = until.checked_sub(Duration::from_millis(50)).unwrap();
        let (due, taken) = (Semaphore::new(0), AtomicU64::new(0));
        let sent_within = Duration::ZERO;
        let paced = Paced { from, until, rate: 2_000.0, sent_within, due, taken };
        paced.pace();
        assert_eq!(paced.next().await, None, "it is over");
        let left: Vec<_> = paced.left().collect();
        assert_eq!(left.iter().map(|(_, count)| count).sum::<u64>(), 100);
        assert!(left.len() <= 51 && left[0].0 == from, "{left:?}");
    }

    #[tokio::test]
    async fn what_has_arrived_is_sent_when_it_is_over() {
        let until = Instant::now();
        let from = until.checked_sub(Duration::from_millis(50)).unwrap();
        let arrivals = Arc::new(Arrivals::new(Some(2_000.0), from, until));
        let pacer = Arc::clone(&arrivals);
        let pacer = thread::spawn(move || pacer.pace());
        let mut count = 0;
        while arrivals.next().await.is_some() {
            count += 1;
        }
        pacer.join().unwrap();
        assert_eq!((count, arrivals.left().count()), (100, 0));
    }

    #[tokio::test]
    async fn none_arrives_before_its_time() {
        let arrivals = paced(200.0, Duration::from_millis(40));
        let mut count = 0;
        while let Some(planned) = arrivals.next().await {
            assert!(planned <= Instant::now());
            count += 1;
        }
        assert_eq!(count, 8);
    }
}
