//! What the headers of a command say.

use http::header::{CONTENT_TYPE, IF_MATCH};
use http::{HeaderMap, HeaderName};
use ordain_model::{RequestId, Timestamp, TraceContext};

use crate::Problem;
use crate::routes::answers::{IDEMPOTENCY_KEY, TRACE_PARENT};

const DEADLINE: HeaderName = HeaderName::from_static("ordain-deadline");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// What the headers of a command say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// The client's name for the command.
    pub(crate) request: Option<RequestId>,
    /// The sequence that it expects the aggregate to have.
    pub(crate) expected_sequence: Option<u64>,
    /// When the command must not be taken up any more.
    pub(crate) deadline: Option<Timestamp>,
    /// How it would like to be answered.
    pub(crate) preferred: Preferred,
    /// The trace that it belongs to.
    pub(crate) trace: Option<TraceContext>,
}

/// How a client would like to be answered (RFC 7240).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Preferred {
    /// How long it waits.
    pub(crate) wait_ms: Option<u64>,
    /// It does not wait for the decision.
    pub(crate) respond_async: bool,
}

impl Said {
    /// Reads the headers.
    ///
    /// # Errors
    /// 400 for a header that is given twice, or cannot be read as what it should be.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        single(headers, &CONTENT_TYPE)?;
        let request = single(headers, &IDEMPOTENCY_KEY)?.map(str::parse).transpose();
        let deadline = single(headers, &DEADLINE)?.map(str::parse).transpose();
        Ok(Self {
            request: request.map_err(|bad| Problem::bad_header("Idempotency-Key", bad))?,
            expected_sequence: single(headers, &IF_MATCH)?.map(sequence).transpose()?,
            deadline: deadline.map_err(|bad| Problem::bad_header("Ordain-Deadline", bad))?,
            preferred: Preferred::read(headers)?,
            trace: trace(headers),
        })
    }
}

/// The trace that the request belongs to. A header that is given twice or cannot be read says
/// nothing: no request is refused for it.
pub(crate) fn trace(headers: &HeaderMap) -> Option<TraceContext> {
    single(headers, &TRACE_PARENT).ok().flatten()?.parse().ok()
}

impl Preferred {
    /// Reads all preferences. Several headers are one list; of a preference that is given twice
    /// the first counts; unknown ones are passed over.
    ///
    /// # Errors
    /// 400 for what cannot be read, or a wait that is no number of seconds.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut preferred = Self::default();
        for value in headers.get_all(PREFER) {
            let value = value.to_str().map_err(|_| Problem::bad_header("Prefer", NOT_ASCII))?;
            for preference in split(value, ',') {
                preferred.add(preference)?;
            }
        }
        Ok(preferred)
    }

    fn add(&mut self, preference: &str) -> Result<(), Problem> {
        // What follows a semicolon are parameters, and neither preference has any.
        let preference = split(preference, ';').next().unwrap_or_default();
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "respond-async" => self.respond_async = true,
            "wait" => {
                let wait_ms = milliseconds(value.trim().trim_matches('"'))?;
                self.wait_ms.get_or_insert(wait_ms);
            }
            _ => {}
        }
        Ok(())
    }
}

const NOT_ASCII: &str = "the value has characters that a header cannot carry";

/// The value of a header that may stand there once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Problem::bad_header(name.as_str(), "it is given more than once"));
    }
    value.to_str().map(Some).map_err(|_| Problem::bad_header(name.as_str(), NOT_ASCII))
}

/// The sequence in exactly one strong tag, such as `"3"`; `"0"` says that there is no event yet.
fn sequence(tag: &str) -> Result<u64, Problem> {
    let digits = tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let is_plain = |digits: &&str| {
        digits.bytes().all(|byte| byte.is_ascii_digit())
            && (*digits == "0" || !digits.starts_with('0'))
    };
    digits
        .filter(is_plain)
        .and_then(|digits| digits.parse::<i64>().ok())
        .and_then(|sequence| u64::try_from(sequence).ok())
        .ok_or_else(|| {
            Problem::bad_header("If-Match", "it is exactly one strong tag of a sequence, as \"3\"")
        })
}

fn milliseconds(seconds: &str) -> Result<u64, Problem> {
    if seconds.is_empty() || !seconds.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Problem::bad_header("Prefer", "wait is a whole number of seconds"));
    }
    // A number too large to be read is a long wait, and waits have a limit anyway.
    Ok(seconds.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(1_000))
}

/// Splits at a separator that does not stand inside a quoted text.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |letter| {
        let was_escaped = std::mem::take(&mut is_escaped);
        match letter {
            '"' if !was_escaped => is_quoted = !is_quoted,
            '\\' if is_quoted && !was_escaped => is_escaped = true,
            _ => {}
        }
        letter == separator && !is_quoted
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(given: &[(&'static str, &str)]) -> HeaderMap {
        let header = |(name, value): &(&'static str, &str)| {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            (HeaderName::from_static(name), value)
        };
        let mut headers = HeaderMap::new();
        for (name, value) in given.iter().map(header) {
            headers.append(name, value);
        }
        headers
    }

    fn read(given: &[(&'static str, &str)]) -> Result<Said, u16> {
        Said::read(&headers(given)).map_err(|problem| problem.status().as_u16())
    }

    #[test]
    fn everything_is_read() {
        let said = read(&[
            ("idempotency-key", "r-1"),
            ("if-match", "\"7\""),
            ("ordain-deadline", "1970-01-01T00:00:01Z"),
            ("prefer", "wait=2"),
        ]);
        let preferred = Preferred { wait_ms: Some(2_000), respond_async: false };
        assert_eq!(
            said,
            Ok(Said {
                request: Some("r-1".parse().unwrap()),
                expected_sequence: Some(7),
                deadline: Some(Timestamp::from_nanoseconds(1_000_000_000)),
                preferred,
                trace: None,
            })
        );
        let nothing = read(&[]).unwrap();
        assert_eq!(
            (nothing.request, nothing.expected_sequence, nothing.deadline),
            (None, None, None)
        );
    }

    #[test]
    fn a_header_given_twice_or_not_readable_is_refused() {
        for name in ["idempotency-key", "if-match", "ordain-deadline", "content-type"] {
            let good = match name {
                "if-match" => "\"1\"",
                "ordain-deadline" => "1970-01-01T00:00:01Z",
                _ => "a",
            };
            assert!(read(&[(name, good)]).is_ok(), "{name}");
            assert_eq!(read(&[(name, good), (name, good)]), Err(400), "{name}");
            assert_eq!(read(&[(name, "ä")]), Err(400), "{name}");
        }
        assert_eq!(read(&[("prefer", "wait=ä")]), Err(400));
        for bad in ["", "a b", "\"a\"", "a,b"] {
            assert_eq!(read(&[("idempotency-key", bad)]), Err(400), "{bad}");
        }
        assert_eq!(read(&[("ordain-deadline", "tomorrow")]), Err(400));
    }

    #[test]
    fn a_trace_is_read_and_one_that_cannot_be_read_is_none() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace = read(&[("traceparent", parent)]).unwrap().trace;
        assert_eq!(trace.map(|trace| trace.to_string()).as_deref(), Some(parent));
        let zeros = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        for bad in ["", "ä", zeros, &parent.to_uppercase(), &parent[1..]] {
            assert_eq!(read(&[("traceparent", bad)]).unwrap().trace, None, "{bad}");
        }
        let twice = read(&[("traceparent", parent), ("traceparent", parent)]).unwrap();
        assert_eq!(twice.trace, None);
    }

    #[test]
    fn only_one_strong_tag_of_a_sequence_is_a_match() {
        for (tag, expected) in [("\"0\"", 0), ("\"9223372036854775807\"", i64::MAX as u64)] {
            assert_eq!(read(&[("if-match", tag)]).unwrap().expected_sequence, Some(expected));
        }
        for bad in [
            "*",
            "W/\"1\"",
            "\"1\", \"2\"",
            "1",
            "\"\"",
            "\"01\"",
            "\"+1\"",
            "\"-1\"",
            "\"a\"",
            "\"1",
            "",
            "\"9223372036854775808\"",
            "\"1\" ",
        ] {
            let is_refused = read(&[("if-match", bad)]) == Err(400);
            assert!(is_refused, "{bad}");
        }
    }

    #[test]
    fn preferences_are_a_list_of_which_the_first_counts() {
        let of = |values: &[&str]| {
            let given: Vec<_> = values.iter().map(|value| ("prefer", *value)).collect();
            read(&given).map(|said| (said.preferred.wait_ms, said.preferred.respond_async))
        };
        assert_eq!(of(&["respond-async"]), Ok((None, true)));
        assert_eq!(of(&["Respond-Async, wait=10"]), Ok((Some(10_000), true)));
        assert_eq!(of(&["wait=10", "wait=20"]), Ok((Some(10_000), false)));
        assert_eq!(of(&["foo; bar=\"a, wait=1\", wait=\"3\"; x=1"]), Ok((Some(3_000), false)));
        assert_eq!(of(&["foo=\"\\\", wait=1\", , handling=strict"]), Ok((None, false)));
        assert_eq!(of(&["wait=99999999999999999999"]), Ok((Some(u64::MAX), false)));
        for bad in ["wait", "wait=", "wait=-1", "wait=1.5", "wait=a", "wait=+1"] {
            assert_eq!(of(&[bad]), Err(400), "{bad}");
        }
    }
}
