//! Durations as people write them.

use std::time::Duration;

const SECONDS_MAX: u64 = 3600;

/// `5s`, `500ms`, `2m`, at most an hour.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let duration: jiff::SignedDuration =
        text.parse().map_err(|_| "a duration is like 5s, 500ms or 2m".to_owned())?;
    Duration::try_from(duration)
        .ok()
        .filter(|duration| *duration <= Duration::from_secs(SECONDS_MAX))
        .ok_or_else(|| "a duration is between 0s and 1h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(parse("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(parse("1h"), Ok(Duration::from_secs(3600)));
        for bad in ["", "5", "five", "-5s", "2h"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
