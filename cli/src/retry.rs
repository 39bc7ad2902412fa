//! When to try again: exponential backoff with full jitter, never sooner than the server asks.

use std::time::Duration;

use jiff::Timestamp;

/// The longest wait that a server may ask for; who asks for more is not waited for.
const ASKED_SECONDS_MAX: u64 = 300;

/// How often and after what pauses something is tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    /// The first attempt and all retries.
    pub(crate) attempts_max: u32,
    /// The longest pause after the first attempt.
    pub(crate) first_pause: Duration,
    /// The longest pause of all, unless the server asks for more.
    pub(crate) pause_max: Duration,
}

/// How long the server asked to wait, in `Retry-After`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AskedWait(Duration);

impl AskedWait {
    pub(crate) const NONE: Self = Self(Duration::ZERO);

    /// Reads `Retry-After`: seconds, or a date (RFC 9110 §10.2.3).
    pub(crate) fn of(header: Option<&str>) -> Self {
        Self::at(header, Timestamp::now())
    }

    fn at(header: Option<&str>, now: Timestamp) -> Self {
        let Some(text) = header.map(str::trim) else {
            return Self::NONE;
        };
        if let Ok(seconds) = text.parse() {
            return Self(Duration::from_secs(seconds));
        }
        let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text);
        let wait = date.ok().and_then(|date| Duration::try_from(date.duration_since(now)).ok());
        Self(wait.unwrap_or_default())
    }
}

impl Policy {
    /// For commands and questions of a person.
    pub(crate) const fn with_retries(retries: u32) -> Self {
        Self {
            attempts_max: retries.saturating_add(1),
            first_pause: Duration::from_millis(250),
            pause_max: Duration::from_secs(10),
        }
    }

    /// The pause after so many attempts have failed; none when it is time to give up.
    pub(crate) fn pause(&self, failed: u32, asked: AskedWait) -> Option<Duration> {
        self.pause_with(failed, asked, fastrand::f64())
    }

    fn pause_with(&self, failed: u32, asked: AskedWait, random: f64) -> Option<Duration> {
        if failed >= self.attempts_max || asked.0 > Duration::from_secs(ASKED_SECONDS_MAX) {
            return None;
        }
        Some(self.ceiling(failed).mul_f64(random).max(asked.0))
    }

    fn ceiling(&self, failed: u32) -> Duration {
        let doublings = failed.saturating_sub(1).min(20);
        self.first_pause.saturating_mul(1 << doublings).min(self.pause_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn pauses_double_up_to_a_limit_and_are_spread_over_all_of_it() {
        let policy = Policy::with_retries(9);
        let longest = |failed| policy.pause_with(failed, AskedWait::NONE, 1.0).unwrap();
        assert_eq!(longest(1), Duration::from_millis(250));
        assert_eq!(longest(2), Duration::from_millis(500));
        assert_eq!(longest(4), seconds(2));
        assert_eq!(longest(9), seconds(10));
        assert_eq!(policy.pause_with(9, AskedWait::NONE, 0.0), Some(Duration::ZERO));
        assert_eq!(policy.pause_with(9, AskedWait::NONE, 0.5), Some(seconds(5)));
    }

    #[test]
    fn the_last_attempt_has_no_pause_behind_it() {
        let policy = Policy::with_retries(2);
        assert!(policy.pause(2, AskedWait::NONE).is_some());
        assert_eq!(policy.pause(3, AskedWait::NONE), None);
        assert_eq!(Policy::with_retries(0).pause(1, AskedWait::NONE), None);
    }

    #[test]
    fn the_server_is_not_asked_sooner_than_it_wants() {
        let policy = Policy::with_retries(5);
        assert_eq!(policy.pause_with(1, AskedWait(seconds(7)), 0.5), Some(seconds(7)));
        assert_eq!(policy.pause_with(9, AskedWait(seconds(7)), 1.0), None);
        assert_eq!(policy.pause_with(1, AskedWait(seconds(3600)), 0.0), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "1994-11-06T08:49:30Z".parse().unwrap();
        let read = |text| AskedWait::at(Some(text), now);
        assert_eq!(read("7"), AskedWait(seconds(7)));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), AskedWait(seconds(7)));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:07 GMT"), AskedWait::NONE);
        assert_eq!(read("soon"), AskedWait::NONE);
        assert_eq!(AskedWait::at(None, now), AskedWait::NONE);
    }
}
