//! The trace context: which trace a command belongs to, and which span is the parent of what is
//! done next for it. As W3C Trace Context, level 1, has it
//! (<https://www.w3.org/TR/trace-context/>).

use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A place in a trace: what a header `traceparent` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TraceContext {
    trace: NonZeroU128,
    span: NonZeroU64,
    is_sampled: bool,
}

/// A text that is no `traceparent`. It is ignored, as if there were none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no traceparent that this build can read")]
pub struct BadTraceContext;

/// The only flag that level 1 defines: whoever came before records the trace.
const SAMPLED: u8 = 1;
/// `00-`, 32 digits, `-`, 16 digits, `-`, 2 digits.
const BYTES: usize = 55;

impl TraceContext {
    /// The place of a span in a trace.
    #[must_use]
    pub const fn new(trace: NonZeroU128, span: NonZeroU64, is_sampled: bool) -> Self {
        Self { trace, span, is_sampled }
    }

    /// The place of another span in the same trace.
    #[must_use]
    pub const fn with_span(self, span: NonZeroU64) -> Self {
        Self { span, ..self }
    }

    /// The trace.
    #[must_use]
    pub const fn trace(self) -> NonZeroU128 {
        self.trace
    }

    /// The span that is the parent of what is done next.
    #[must_use]
    pub const fn span(self) -> NonZeroU64 {
        self.span
    }

    /// Whether the trace is recorded.
    #[must_use]
    pub const fn is_sampled(self) -> bool {
        self.is_sampled
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace, span, is_sampled } = self;
        write!(f, "00-{trace:032x}-{span:016x}-{:02x}", u8::from(*is_sampled))
    }
}

impl FromStr for TraceContext {
    type Err = BadTraceContext;

    /// Reads version 00, and of every later version what it has in common with that.
    fn from_str(text: &str) -> Result<Self, BadTraceContext> {
        let (known, more) = text.split_at_checked(BYTES).ok_or(BadTraceContext)?;
        let mut fields = known.split('-');
        let mut field = |digits| fields.next().and_then(|field| hexadecimal(field, digits));
        let (version, trace) = (field(2), field(32));
        let (span, flags) = (field(16), field(2));
        let is_whole = match version {
            Some(0) => more.is_empty(),
            Some(0xff) | None => false,
            Some(_) => more.is_empty() || more.starts_with('-'),
        };
        let trace = trace.and_then(NonZeroU128::new);
        let span = span.and_then(|span| NonZeroU64::new(u64::try_from(span).ok()?));
        let flags = flags.and_then(|flags| u8::try_from(flags).ok());
        match (is_whole, trace, span, flags) {
            (true, Some(trace), Some(span), Some(flags)) => {
                Ok(Self { trace, span, is_sampled: flags & SAMPLED != 0 })
            }
            _ => Err(BadTraceContext),
        }
    }
}

/// So many hexadecimal digits, in lower case, as a number.
fn hexadecimal(text: &str, digits: usize) -> Option<u128> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != digits || !text.bytes().all(is_digit) {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn read(version: &str, flags_and_more: &str) -> Option<TraceContext> {
        format!("{version}-{TRACE}-{SPAN}-{flags_and_more}").parse().ok()
    }

    #[test]
    fn what_is_read_is_shown_as_it_was() {
        for (flags, is_sampled) in [("01", true), ("00", false)] {
            let context = read("00", flags).unwrap();
            assert_eq!(context.to_string(), format!("00-{TRACE}-{SPAN}-{flags}"));
            assert_eq!(format!("{:032x}", context.trace()), TRACE);
            assert_eq!(format!("{:016x}", context.span()), SPAN);
            assert_eq!(context.is_sampled(), is_sampled);
        }
        let other = read("00", "01").unwrap().with_span(NonZeroU64::MIN);
        assert_eq!(other.to_string(), format!("00-{TRACE}-0000000000000001-01"));
    }

    #[test]
    fn only_the_flag_that_is_defined_counts_and_goes_on() {
        for (flags, shown) in [("ff", "01"), ("03", "01"), ("fe", "00"), ("02", "00")] {
            let context = read("00", flags).unwrap();
            assert_eq!(context.to_string(), format!("00-{TRACE}-{SPAN}-{shown}"));
        }
    }

    #[test]
    fn of_a_later_version_what_is_known_is_read() {
        for (version, rest) in [("cc", "01"), ("01", "01-what-the-future-brings"), ("fe", "01-")] {
            assert_eq!(read(version, rest), read("00", "01"), "{version} {rest}");
        }
        for (version, rest) in [("cc", "01.what"), ("cc", "01what"), ("ff", "01"), ("cc", "0")] {
            assert_eq!(read(version, rest), None, "{version} {rest}");
        }
    }

    #[test]
    fn what_is_not_as_it_has_to_be_is_not_read() {
        let zeros = "0".repeat(32);
        for bad in [
            String::new(),
            "00".to_owned(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-01-"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("00-{TRACE}-{SPAN}-01 "),
            format!(" 00-{TRACE}-{SPAN}-01"),
            format!("00-{zeros}-{SPAN}-01"),
            format!("00-{TRACE}-{}-01", &zeros[..16]),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-{}-01", SPAN.to_uppercase()),
            format!("00-{TRACE}-{SPAN}-0A"),
            format!("0A-{TRACE}-{SPAN}-01"),
            format!("0-{TRACE}-{SPAN}-01-"),
            format!("00-{TRACE}-{SPAN}-0g"),
            format!("00-{}g-{SPAN}-01", &TRACE[1..]),
            format!("00-+{}-{SPAN}-01", &TRACE[1..]),
            format!("00-{TRACE}-{}.-01", &SPAN[1..]),
            format!("00_{TRACE}_{SPAN}_01"),
            format!("00-{SPAN}-{TRACE}-01"),
            format!("00-{TRACE}-{SPAN}é-01"),
        ] {
            assert_eq!(bad.parse::<TraceContext>(), Err(BadTraceContext), "{bad}");
        }
    }
}
