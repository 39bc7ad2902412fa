//! JSON for people and for pipes, from the text itself: the order of members and the digits of
//! numbers stay as the server wrote them.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::output::printable;

const COLUMNS: usize = 80;

/// The same JSON in one line. A raw line break in JSON only ever stands between tokens.
pub(crate) fn one_line(text: &str) -> String {
    text.trim().replace(['\r', '\n'], " ")
}

/// The JSON laid out for reading: what fits into the width stays in one line.
pub(crate) fn pretty(text: &str) -> String {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(value) => {
            let mut out = String::new();
            write(&mut out, value, Place { depth: 0, used: 0 });
            printable(&out).into_owned()
        }
        Err(_) => printable(text).into_owned(),
    }
}

/// The JSON in one line with a blank after each colon and comma.
pub(crate) fn compact(value: &RawValue) -> String {
    printable(&flat(value)).into_owned()
}

#[derive(Clone, Copy)]
struct Place {
    depth: usize,
    used: usize,
}

fn write(out: &mut String, value: &RawValue, place: Place) {
    let short = flat(value);
    let entries = match Entries::of(value) {
        Some(entries) if place.depth * 2 + place.used + short.chars().count() > COLUMNS => entries,
        _ => return out.push_str(&short),
    };
    let (open, close) = if value.get().starts_with('{') { ('{', '}') } else { ('[', ']') };
    out.push(open);
    let last = entries.0.len().saturating_sub(1);
    for (at, (name, inner)) in entries.0.iter().enumerate() {
        indent(out, place.depth + 1);
        if let Some(name) = name {
            out.push_str(name);
            out.push_str(": ");
        }
        let used = name.as_ref().map_or(1, |name| name.chars().count() + 3);
        write(out, inner, Place { depth: place.depth + 1, used });
        if at != last {
            out.push(',');
        }
    }
    indent(out, place.depth);
    out.push(close);
}

fn indent(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

fn flat(value: &RawValue) -> String {
    let Some(entries) = Entries::of(value) else {
        return value.get().to_owned();
    };
    let object = value.get().starts_with('{');
    let inner: Vec<_> = entries
        .0
        .iter()
        .map(|(name, inner)| match name {
            Some(name) => format!("{name}: {}", flat(inner)),
            None => flat(inner),
        })
        .collect();
    let inner = inner.join(", ");
    if object { format!("{{{inner}}}") } else { format!("[{inner}]") }
}

/// The members of an object with their names as JSON, or the items of an array.
struct Entries<'a>(Vec<(Option<String>, &'a RawValue)>);

impl<'a> Entries<'a> {
    fn of(value: &'a RawValue) -> Option<Self> {
        let text = value.get();
        text.starts_with(['{', '[']).then_some(())?;
        serde_json::Deserializer::from_str(text).deserialize_any(EntriesVisitor).ok()
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
            let name = serde_json::to_string(&name).unwrap_or_default();
            entries.push((Some(name), value));
        }
        Ok(Entries(entries))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(value) = items.next_element()? {
            entries.push((None, value));
        }
        Ok(Entries(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_digits_stay_as_they_came() {
        let text = r#"{"z":1.10,"a":[18446744073709551615,1e2],"e":{},"n":null}"#;
        assert_eq!(
            pretty(text),
            r#"{"z": 1.10, "a": [18446744073709551615, 1e2], "e": {}, "n": null}"#
        );
    }

    #[test]
    fn what_is_too_wide_is_broken_into_lines_and_the_rest_is_not() {
        let wide = "x".repeat(70);
        let text = format!(r#"{{"tasks":[{{"id":"1"}},{{"id":"2"}}],"name":"{wide}"}}"#);
        assert_eq!(
            pretty(&text),
            format!(
                "{{\n  \"tasks\": [{{\"id\": \"1\"}}, {{\"id\": \"2\"}}],\n  \"name\": \"{wide}\"\n}}"
            )
        );
    }

    #[test]
    fn line_breaks_between_tokens_go_and_those_in_texts_stay_escaped() {
        assert_eq!(one_line("{\n \"a\":\r\n \"b\\nc\"}\n"), r#"{  "a":   "b\nc"}"#);
    }
}
