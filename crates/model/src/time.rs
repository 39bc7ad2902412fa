//! Points in time: nanoseconds, written as RFC 3339 in UTC with nine fractional digits.

use std::fmt;
use std::str::FromStr;

use jiff::fmt::temporal::DateTimePrinter;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Nanoseconds since 1970-01-01T00:00:00Z, from 1677 to 2262.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(i64);

/// A text that is not a point in time.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a time is RFC 3339 between the years 1678 and 2261, like 2026-05-04T12:00:00Z")]
pub struct BadTime;

const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(9));

impl Timestamp {
    /// The point so many nanoseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_nanoseconds(nanoseconds: i64) -> Self {
        Self(nanoseconds)
    }

    /// Nanoseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn nanoseconds(self) -> i64 {
        self.0
    }

    /// The point so many nanoseconds later; the last one there is when that is past it.
    #[must_use]
    pub const fn plus_nanoseconds(self, nanoseconds: i64) -> Self {
        Self(self.0.saturating_add(nanoseconds))
    }

    /// Milliseconds from `earlier` to `self`, 0 when it is not earlier.
    #[must_use]
    pub fn milliseconds_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0) / 1_000_000).unwrap_or(0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_nanosecond(i128::from(self.0)).map_err(|_| fmt::Error)?;
        PRINTER.print_timestamp(&time, jiff::fmt::StdFmtWrite(f)).map_err(|_| fmt::Error)
    }
}

impl FromStr for Timestamp {
    type Err = BadTime;
    fn from_str(text: &str) -> Result<Self, BadTime> {
        // jiff also reads ISO 8601 forms that RFC 3339 lacks, such as a bracketed zone name.
        if text.contains('[') || !text.is_ascii() {
            return Err(BadTime);
        }
        let time: jiff::Timestamp = text.parse().map_err(|_| BadTime)?;
        i64::try_from(time.as_nanosecond()).map(Self).map_err(|_| BadTime)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            i64::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn always_nine_digits_and_utc() {
        let time = Timestamp::from_nanoseconds(1_777_777_777_000_000_001);
        assert_eq!(time.to_string(), "2026-05-03T03:09:37.000000001Z");
        assert_eq!(Timestamp::default().to_string(), "1970-01-01T00:00:00.000000000Z");
        assert_eq!("2026-05-03T05:09:37.000000001+02:00".parse(), Ok(time));
    }

    #[test]
    fn only_rfc_3339_is_read() {
        for bad in [
            "",
            "now",
            "2026-05-03",
            "2026-05-03T05:09:37",
            "9999-01-01T00:00:00Z",
            "2026-05-03T05:09:37+02:00[Europe/Berlin]",
            "1777777777",
        ] {
            assert_eq!(bad.parse::<Timestamp>(), Err(BadTime), "{bad}");
        }
    }
}
