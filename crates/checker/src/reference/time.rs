//! Points in time as rows of views write them.

const NANOSECONDS: i64 = 1_000_000_000;
const SECONDS_OF_DAY: i64 = 86_400;

/// Nanoseconds since 1970 as RFC 3339 in UTC, with nine fractional digits.
#[must_use]
pub fn rfc_3339(nanoseconds: i64) -> String {
    let seconds = nanoseconds.div_euclid(NANOSECONDS);
    let fraction = nanoseconds.rem_euclid(NANOSECONDS);
    let (year, month, day) = date(seconds.div_euclid(SECONDS_OF_DAY));
    let second = seconds.rem_euclid(SECONDS_OF_DAY);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:09}Z")
}

/// The civil date so many days after 1970-01-01. Years begin in March here, so that a leap day is
/// the last of its year, and are counted in eras of 400, each of 146,097 days. From
/// <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_standard_says() {
        assert_eq!(rfc_3339(0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(rfc_3339(1_777_777_777_000_000_001), "2026-05-03T03:09:37.000000001Z");
        assert_eq!(rfc_3339(951_782_400_000_000_000), "2000-02-29T00:00:00.000000000Z");
        assert_eq!(rfc_3339(-1), "1969-12-31T23:59:59.999999999Z");
        assert_eq!(rfc_3339(4_107_542_399_999_999_999), "2100-02-28T23:59:59.999999999Z");
    }
}
