//! Pauses between tries: each twice the one before, up to a limit.

use std::time::Duration;

/// The pauses of one row of tries.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    longest: Duration,
}

const FIRST: Duration = Duration::from_millis(2);

impl Backoff {
    pub(crate) fn new(longest_ms: u64) -> Self {
        let longest = Duration::from_millis(longest_ms).max(FIRST);
        Self { next: FIRST, longest }
    }

    /// The tries have come to an end: the next row begins with the shortest pause.
    pub(crate) const fn reset(&mut self) {
        self.next = FIRST;
    }

    /// Waits before the next try.
    pub(crate) async fn pause(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(self.longest);
    }
}
