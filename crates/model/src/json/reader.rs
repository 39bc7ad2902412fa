//! Reads a text onto a tape, strictly. The grammar is `serde_json`'s; the refusals that go beyond
//! it are here.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use thiserror::Error;

use super::tape::{Entry, end};

/// What a document may ask of its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How deep arrays and objects may stand in one another; `[]` has depth 1. At most 127
    /// whatever is set, which is what the grammar's reader allows.
    pub depth_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth_max: 64 }
    }
}

/// A text that is not a document, for a client to read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason} (at byte {offset})")]
pub struct Malformed {
    /// What is wrong, in a few words; of the text it repeats at most a part of one member name.
    pub reason: String,
    /// How many bytes had been read when it was noticed, or one more.
    pub offset: usize,
}

/// An object with more members than this has its names compared once it is complete, by sorting;
/// in a smaller one each name is compared with those before it.
const COMPARED_AT_ONCE_MAX: usize = 16;

/// How much of a member name is repeated in a refusal.
const NAME_CHARS_SHOWN_MAX: usize = 32;

/// 2⁶³: at and beyond it a float may have been written as an integer.
pub(super) const INTEGER_END: f64 = 9_223_372_036_854_775_808.0;

/// The text without the white space around it, and its tape.
pub(super) fn read<'a>(
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<(&'a str, Vec<Entry<'a>>), Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|error| Malformed {
        reason: "text is not utf-8".to_owned(),
        offset: error.valid_up_to(),
    })?;
    let mut reader = Reader {
        tape: Vec::with_capacity((text.len() / 8).clamp(4, 64)),
        depth_left: limits.depth_max,
        large_float: false,
    };
    let mut grammar = serde_json::Deserializer::from_str(text);
    Seed(&mut reader)
        .deserialize(&mut grammar)
        .and_then(|()| grammar.end())
        .map_err(|error| malformed(text, &error))?;
    if reader.large_float
        && let Some(offset) = integer_out_of_range(text)
    {
        return Err(Malformed { reason: OUT_OF_RANGE.to_owned(), offset });
    }
    let text = text.trim_matches([' ', '\t', '\n', '\r']);
    Ok((text, reader.tape))
}

const OUT_OF_RANGE: &str = "integer is outside the signed 64-bit range";

struct Reader<'a> {
    tape: Vec<Entry<'a>>,
    depth_left: usize,
    /// A float was read that may have been written as an integer.
    large_float: bool,
}

impl<'a> Reader<'a> {
    /// Puts a container on the tape, to be completed when its content is known.
    fn open<E: Error>(&mut self) -> Result<usize, E> {
        self.depth_left =
            self.depth_left.checked_sub(1).ok_or_else(|| E::custom("nested too deep"))?;
        self.tape.push(Entry::Null);
        Ok(self.tape.len() - 1)
    }

    fn close(&mut self, at: usize, container: Entry<'a>) {
        self.depth_left += 1;
        self.tape[at] = container;
    }

    /// Puts a member name on the tape, the `count`-th of the object at a place.
    fn name<E: Error>(&mut self, object: usize, count: usize, name: Cow<'a, str>) -> Result<(), E> {
        if name.contains('\0') {
            return Err(E::custom("member name contains U+0000"));
        }
        if count < COMPARED_AT_ONCE_MAX && self.names(object, count).any(|before| before == name) {
            return Err(duplicate(&name));
        }
        self.tape.push(Entry::String(name));
        Ok(())
    }

    /// Compares the names of a complete object that were not compared when they were read.
    fn distinct<E: Error>(&self, object: usize, count: usize) -> Result<(), E> {
        if count <= COMPARED_AT_ONCE_MAX {
            return Ok(());
        }
        let mut names: Vec<&str> = self.names(object, count).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(duplicate(pair[0])),
            None => Ok(()),
        }
    }

    fn names(&self, object: usize, count: usize) -> impl Iterator<Item = &str> {
        let mut at = object + 1;
        (0..count).filter_map(move |_| {
            let name = &self.tape[at];
            at = end(&self.tape, at + 1);
            match name {
                Entry::String(name) => Some(name.as_ref()),
                _ => None,
            }
        })
    }
}

fn duplicate<E: Error>(name: &str) -> E {
    let shown: String = name.chars().take(NAME_CHARS_SHOWN_MAX).collect();
    let more = if shown.len() < name.len() { "…" } else { "" };
    E::custom(format_args!("duplicate member name {shown:?}{more}"))
}

/// Reads one value onto the tape.
struct Seed<'r, 'a>(&'r mut Reader<'a>);

impl<'a> DeserializeSeed<'a> for Seed<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Seed<'_, 'a> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.tape.push(Entry::Null);
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.0.tape.push(Entry::Bool(value));
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.0.tape.push(Entry::Integer(value));
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        let value = i64::try_from(value).map_err(|_| E::custom(OUT_OF_RANGE))?;
        self.visit_i64(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.0.large_float |= value.abs() >= INTEGER_END;
        self.0.tape.push(Entry::Float(value));
        Ok(())
    }

    fn visit_borrowed_str<E: Error>(self, value: &'a str) -> Result<(), E> {
        self.0.tape.push(Entry::String(Cow::Borrowed(value)));
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.0.tape.push(Entry::String(Cow::Owned(value.to_owned())));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut access: A) -> Result<(), A::Error> {
        let at = self.0.open()?;
        let mut count = 0;
        while access.next_element_seed(Seed(self.0))?.is_some() {
            count += 1;
        }
        let end = self.0.tape.len();
        self.0.close(at, Entry::Array { count, end });
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(self, mut access: A) -> Result<(), A::Error> {
        let at = self.0.open()?;
        let mut count = 0;
        while access.next_key_seed(NameSeed { reader: self.0, object: at, count })?.is_some() {
            access.next_value_seed(Seed(self.0))?;
            count += 1;
        }
        self.0.distinct(at, count)?;
        let end = self.0.tape.len();
        self.0.close(at, Entry::Object { count, end });
        Ok(())
    }
}

/// Reads one member name onto the tape.
struct NameSeed<'r, 'a> {
    reader: &'r mut Reader<'a>,
    object: usize,
    count: usize,
}

impl<'a> DeserializeSeed<'a> for NameSeed<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for NameSeed<'_, 'a> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a member name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'a str) -> Result<(), E> {
        self.reader.name(self.object, self.count, Cow::Borrowed(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<(), E> {
        self.reader.name(self.object, self.count, Cow::Owned(name.to_owned()))
    }
}

/// Where the first integer outside `i64` ends. `serde_json` reads one that is also outside `u64`
/// as a float, so a well-formed text with a float that large is looked through once more.
fn integer_out_of_range(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        at += 1;
        match bytes[start] {
            b'"' => at = string_end(bytes, at),
            b'-' | b'0'..=b'9' => {
                while at < bytes.len()
                    && matches!(bytes[at], b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
                {
                    at += 1;
                }
                let token = &text[start..at];
                if !token.contains(['.', 'e', 'E']) && token.parse::<i64>().is_err() {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The place behind the closing quote of a well-formed string, from behind its opening one.
fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// Turns `serde_json`'s error, which counts lines and columns, into one that counts bytes.
fn malformed(text: &str, error: &serde_json::Error) -> Malformed {
    let mut reason = error.to_string();
    if let Some(position) = reason.rfind(" at line ") {
        reason.truncate(position);
    }
    if let Some(rest) = reason.strip_prefix("EOF") {
        reason = format!("end of text{rest}");
    }
    let lines_before = error.line().saturating_sub(1);
    let line: usize = text.split_inclusive('\n').take(lines_before).map(str::len).sum();
    Malformed { reason, offset: (line + error.column()).min(text.len()) }
}

#[cfg(test)]
mod tests {
    use super::super::{Document, Kind, Limits, Malformed};

    fn parse(text: &str) -> Result<Document<'_>, Malformed> {
        Document::parse(text.as_bytes(), &Limits::default())
    }

    fn refusal(text: &str) -> (String, usize) {
        let malformed = parse(text).expect_err(text);
        (malformed.reason, malformed.offset)
    }

    #[test]
    fn malformed_text_is_refused_with_its_place() {
        for (text, reason, offset) in [
            ("", "end of text while parsing a value", 0),
            ("{\"a\":1,}", "trailing comma", 8),
            ("[1] [2]", "trailing characters", 5),
            ("[1,\n 2,\n x]", "expected value", 10),
            ("[01]", "invalid number", 3),
            ("nul", "end of text while parsing a value", 3),
            ("\u{feff}{}", "expected value", 1),
            ("[\"\u{1}\"]", "control character (\\u0000-\\u001F) found while parsing a string", 3),
        ] {
            assert_eq!(refusal(text), (reason.to_owned(), offset), "{text:?}");
        }
    }

    #[test]
    fn text_that_is_not_utf8_is_refused() {
        let malformed =
            Document::parse(b"[\"ab\xff\"]", &Limits::default()).expect_err("not utf-8");
        assert_eq!((malformed.reason.as_str(), malformed.offset), ("text is not utf-8", 4));
        assert_eq!(malformed.to_string(), "text is not utf-8 (at byte 4)");
    }

    #[test]
    fn duplicate_names_are_refused_after_unescaping() {
        assert_eq!(
            refusal(r#"{"a":1,"\u0061":2}"#),
            ("duplicate member name \"a\"".to_owned(), 15)
        );
        assert_eq!(refusal(r#"[{"b":{"a":1,"c":{},"a":[]}}]"#).0, "duplicate member name \"a\"");
        assert!(parse(r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}"#).is_ok());
    }

    #[test]
    fn duplicate_names_are_refused_in_objects_of_every_size() {
        for size in [2, 3, 15, 16, 17, 18, 100, 50_000] {
            let names: Vec<String> = (0..size).map(|i| format!("\"n{i}\":[{{}}]")).collect();
            assert!(parse(&format!("{{{}}}", names.join(","))).is_ok(), "{size} distinct");
            for double in [0, (size - 1) / 2, size - 2] {
                let mut names = names.clone();
                names[size - 1] = format!("\"n{double}\":0");
                let (reason, _) = refusal(&format!("{{{}}}", names.join(",")));
                assert_eq!(reason, format!("duplicate member name \"n{double}\""), "{size}");
            }
        }
    }

    #[test]
    fn a_refusal_repeats_only_a_part_of_a_name() {
        let name = "long ".repeat(1000);
        let (reason, _) = refusal(&format!("{{\"{name}\":1,\"{name}\":2}}"));
        assert!(reason.len() < 80, "{reason}");
        let (reason, offset) = refusal(r#"{"x at line 7 column 9":1,"x at line 7 column 9":2}"#);
        assert_eq!(
            (reason.as_str(), offset),
            ("duplicate member name \"x at line 7 column 9\"", 48)
        );
    }

    #[test]
    fn lone_surrogates_and_nul_in_names_are_refused() {
        for text in [
            r#"["\ud800"]"#,
            r#"["\udc00"]"#,
            r#"["\ud800x"]"#,
            r#"["\ud800\ud800"]"#,
            r#"{"\ud800":1}"#,
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(refusal(r#"{"a\u0000b":1}"#).0, "member name contains U+0000");
        assert!(parse(r#"["\u0000", "\ud83d\ude00"]"#).is_ok());
    }

    #[test]
    fn integers_are_exact_or_refused() {
        for value in [0, 1, -1, i64::MAX, i64::MIN, (1 << 53) + 1] {
            let text = value.to_string();
            let document = parse(&text).expect("within i64");
            assert!(
                matches!(document.root().kind(), Kind::Integer(read) if read == value),
                "{value}"
            );
        }
        for text in [
            "9223372036854775808",
            "-9223372036854775809",
            "18446744073709551615",
            "18446744073709551616",
            "-18446744073709551616",
            "123456789012345678901234567890",
        ] {
            assert_eq!(refusal(text), (super::OUT_OF_RANGE.to_owned(), text.len()), "{text}");
            let inside = format!("[1e300, \"-1\\\"\", {{\"a\": [1.5, {text}]}}]");
            assert_eq!(refusal(&inside).0, super::OUT_OF_RANGE, "{inside}");
        }
    }

    #[test]
    fn floats_are_kept_or_refused_when_they_overflow() {
        for (text, value) in [
            ("1.0", 1.0),
            ("1e3", 1000.0),
            ("1E+2", 100.0),
            ("18446744073709551616.0", 18_446_744_073_709_551_616.0),
            ("1e20", 1e20),
            ("-1e300", -1e300),
            ("1e-400", 0.0),
            ("-0.0", -0.0),
            ("-0", -0.0),
            ("[\"99999999999999999999\", 1e20]", f64::NAN),
        ] {
            let document = parse(text).expect(text);
            if let Kind::Float(read) = document.root().kind() {
                assert_eq!(read.to_bits(), f64::to_bits(value), "{text}");
            } else {
                assert!(value.is_nan(), "{text}");
            }
        }
        assert_eq!(refusal("1e309").0, "number out of range");
        assert_eq!(refusal("[-1e400]").0, "number out of range");
    }

    #[test]
    fn depth_is_limited_and_breadth_is_not() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nested(64)).is_ok());
        assert_eq!(refusal(&nested(65)).0, "nested too deep");
        let wide = format!("[{}[]]", "{\"a\":[]},".repeat(1000));
        assert!(Document::parse(wide.as_bytes(), &Limits { depth_max: 3 }).is_ok());
        assert!(Document::parse(wide.as_bytes(), &Limits { depth_max: 2 }).is_err());
        assert!(Document::parse(b"1", &Limits { depth_max: 0 }).is_ok());
        assert!(Document::parse(b"[]", &Limits { depth_max: 0 }).is_err());
        let unlimited = Limits { depth_max: usize::MAX };
        assert!(Document::parse(nested(127).as_bytes(), &unlimited).is_ok());
        assert!(Document::parse(nested(100_000).as_bytes(), &unlimited).is_err());
    }

    #[test]
    fn the_text_is_kept_without_the_white_space_around_it() {
        assert_eq!(parse(" \r\n\t[ 1 ] \n").expect("an array").text(), "[ 1 ]");
    }

    #[test]
    fn members_are_found_by_name() {
        let document = parse(r#"{"a":[{"x":1},2],"b\n":true}"#).expect("an object");
        let root = document.root();
        assert!(matches!(root.get("b\n").map(|node| node.kind()), Some(Kind::Bool(true))));
        assert!(root.get("x").is_none());
        assert!(root.get("a").and_then(|array| array.get("x")).is_none());
    }
}
