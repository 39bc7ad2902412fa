//! Pauses between tries to connect: each up to twice the one before, up to a limit, and never the
//! same for two processes, so that a server that comes back is not met by all at once.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(20);

/// The pauses of one row of tries.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    pub(crate) fn new(longest_ms: u64) -> Self {
        let longest = Duration::from_millis(longest_ms).max(FIRST);
        Self { next: FIRST, longest }
    }

    /// How long to wait before the next try.
    pub(crate) fn pause(&mut self) -> Duration {
        let pause = self.next.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.next = (self.next * 2).min(self.longest);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_limit() {
        let mut backoff = Backoff::new(100);
        let pauses: Vec<u128> = (0..20).map(|_| backoff.pause().as_millis()).collect();
        assert!((10..=20).contains(&pauses[0]), "{pauses:?}");
        assert!(pauses[3..].iter().all(|pause| (50..=100).contains(pause)), "{pauses:?}");
    }
}
