//! The canonical form: one text for everything that means the same, to be hashed and compared.

use std::cmp::Ordering;
use std::fmt::Write as _;

use super::reader::INTEGER_END;
use super::tape::{Document, Kind, Node};

/// From here on ECMAScript writes a number with an exponent.
const EXPONENT_START: f64 = 1e21;

impl Document<'_> {
    /// The canonical form: RFC 8785 (no white space, members sorted by the UTF-16 code units of
    /// their names, shortest escapes, numbers as ECMAScript writes them), with a rule of its own
    /// for integers, because RFC 8785 knows only `f64` and would let 2⁵³ + 1 and 2⁵³ be one.
    ///
    /// A number whose value is an integer within `i64` is written out in full, however the text
    /// wrote it: `1`, `1.0` and `10e-1` are `1`; `-0`, `-0.0` and `0` are `0`; `1e18` is
    /// `1000000000000000000`. Up to 2⁵³ that is what RFC 8785 says; beyond it is the float's exact
    /// value and not its shortest digits (2⁶² is `4611686018427387904`, never
    /// `4611686018427388000`, which is another integer). A float from 2⁶³ to below 10²¹ is written
    /// with an exponent (`1e+20`), because written out it would be an integer outside `i64`, which
    /// no document may contain. Every other number is as RFC 8785 says.
    ///
    /// So equal forms mean equal values, equal values have equal forms, and the canonical form is
    /// itself a document with the same canonical form. An integer that was written as `1e2`
    /// decodes into an integer type from its canonical form, not from its text: decode from the
    /// canonical form what a schema called an integer.
    #[must_use]
    pub fn canonical(&self) -> String {
        let mut out = String::with_capacity(self.text().len());
        self.write_canonical(&mut out);
        out
    }

    /// Appends the [canonical form](Self::canonical).
    pub fn write_canonical(&self, out: &mut String) {
        Writer { out, members: Vec::new() }.value(self.root());
    }
}

struct Writer<'o, 't> {
    out: &'o mut String,
    /// The members of all objects that are being written, the innermost last.
    members: Vec<(&'t str, Node<'t>)>,
}

impl<'t> Writer<'_, 't> {
    fn value(&mut self, node: Node<'t>) {
        match node.kind() {
            Kind::Null => self.out.push_str("null"),
            Kind::Bool(true) => self.out.push_str("true"),
            Kind::Bool(false) => self.out.push_str("false"),
            Kind::Integer(value) => integer(value, self.out),
            Kind::Float(value) => float(value, self.out),
            Kind::String(value) => string(value, self.out),
            Kind::Array(elements) => {
                self.out.push('[');
                for (index, element) in elements.enumerate() {
                    if index > 0 {
                        self.out.push(',');
                    }
                    self.value(element);
                }
                self.out.push(']');
            }
            Kind::Object(members) => {
                let start = self.members.len();
                self.members.extend(members);
                self.object(start);
                self.members.truncate(start);
            }
        }
    }

    /// Writes the members from `start` on as one object.
    fn object(&mut self, start: usize) {
        self.members[start..].sort_unstable_by(|(one, _), (other, _)| utf16_order(one, other));
        self.out.push('{');
        for index in start..self.members.len() {
            if index > start {
                self.out.push(',');
            }
            let (name, value) = self.members[index];
            string(name, self.out);
            self.out.push(':');
            self.value(value);
        }
        self.out.push('}');
    }
}

/// The order of the UTF-16 code units of two texts: that of their bytes, except that UTF-16 has
/// what lies beyond U+FFFF (in UTF-8 from byte F0 on) before U+E000 to U+FFFF (bytes EE and EF).
fn utf16_order(one: &str, other: &str) -> Ordering {
    match one.bytes().zip(other.bytes()).find(|(one, other)| one != other) {
        None => one.len().cmp(&other.len()),
        Some((0xf0.., 0xee | 0xef)) => Ordering::Less,
        Some((0xee | 0xef, 0xf0..)) => Ordering::Greater,
        Some((one, other)) => one.cmp(&other),
    }
}

fn integer(value: i64, out: &mut String) {
    // Writing into a string cannot fail.
    let _ = write!(out, "{value}");
}

fn float(value: f64, out: &mut String) {
    if value.fract() == 0.0 && (-INTEGER_END..INTEGER_END).contains(&value) {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "an integer within i64, by the condition"
        )]
        return integer(value as i64, out);
    }
    let mut buffer = ryu_js::Buffer::new();
    let text = buffer.format_finite(value);
    if value.fract() == 0.0 && value.abs() < EXPONENT_START {
        exponent(text, out);
    } else {
        out.push_str(text);
    }
}

/// Writes an integer's digits with an exponent, in the manner of ECMAScript: `1200` as `1.2e+3`.
fn exponent(text: &str, out: &mut String) {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (first, rest) = digits.split_at(1);
    let rest = rest.trim_end_matches('0');
    let point = if rest.is_empty() { "" } else { "." };
    let _ = write!(out, "{sign}{first}{point}{rest}e+{}", digits.len() - 1);
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[plain..at]);
        plain = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            control => {
                let _ = write!(out, "\\u{control:04x}");
            }
        }
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Document, Limits};

    fn canonical(text: &str) -> String {
        Document::parse(text.as_bytes(), &Limits::default()).expect(text).canonical()
    }

    /// RFC 8785, section 3.2.2 and 3.2.3.
    #[test]
    fn the_example_of_the_rfc() {
        let text = r#"{
            "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
            "literals": [null, true, false]
        }"#;
        let expected = r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#;
        assert_eq!(canonical(text), expected);
    }

    /// RFC 8785, section 3.2.3.
    #[test]
    fn members_are_sorted_by_utf16() {
        let text = r#"{
            "\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh",
            "1": "One", "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control",
            "\u00f6": "Latin Small Letter O With Diaeresis"
        }"#;
        let expected = [
            r#""\r":"Carriage Return""#,
            r#""1":"One""#,
            "\"\u{80}\":\"Control\"",
            r#""ö":"Latin Small Letter O With Diaeresis""#,
            r#""€":"Euro Sign""#,
            r#""😀":"Emoji: Grinning Face""#,
            "\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"",
        ];
        assert_eq!(canonical(text), format!("{{{}}}", expected.join(",")));
        assert_eq!(
            canonical(r#"{"b":{"z":1,"y":[{"d":1,"c":2}]},"a":2}"#),
            r#"{"a":2,"b":{"y":[{"c":2,"d":1}],"z":1}}"#
        );
    }

    /// RFC 8785, appendix B: the bits of an `f64` and how it is written; but the three between
    /// 2⁶³ and 10²¹ have an exponent, in place of `295147905179352830000` and its like.
    #[test]
    fn floats_are_written_as_the_rfc_says() {
        for (bits, expected) in [
            (0x0000_0000_0000_0000_u64, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "2.9514790517935283e+20"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "9.999999999999997e+20"),
            (0x444b_1ae4_d6e2_ef4f, "9.999999999999999e+20"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            let text = format!("{:e}", f64::from_bits(bits));
            assert_eq!(canonical(&text), expected, "{text}");
        }
    }

    #[test]
    fn a_value_has_one_form() {
        for (texts, expected) in [
            (&["1", "1.0", "1e0", "10e-1", "0.1E1"][..], "1"),
            (&["0", "-0", "0.0", "-0.0", "0e5", "1e-400"], "0"),
            (&["1000000000000000000", "1e18", "1.0e18"], "1000000000000000000"),
            (
                &["4611686018427387904", "4611686018427387904.0", "4.611686018427388e18"],
                "4611686018427387904",
            ),
            (&["-9223372036854775808", "-9223372036854775808.0"], "-9223372036854775808"),
            (&["9223372036854775808.0", "9.223372036854776e18"], "9.223372036854776e+18"),
            (&["100000000000000000000.0", "1e20"], "1e+20"),
            (&["-1.5e20"], "-1.5e+20"),
            (&["1e21"], "1e+21"),
        ] {
            for text in texts {
                assert_eq!(canonical(text), expected, "{text}");
                assert_eq!(canonical(&canonical(text)), expected, "{text}");
            }
        }
    }

    #[test]
    fn integers_beyond_two_to_the_53_stay_apart() {
        for text in
            ["9007199254740993", "-9007199254740993", "9223372036854775807", "4611686018427388000"]
        {
            assert_eq!(canonical(text), text);
        }
        assert_ne!(canonical("4611686018427388000"), canonical("4611686018427388000.0"));
    }

    #[test]
    fn only_what_must_be_is_escaped() {
        let text =
            r#""\u0000\u0008\u0009\u000a\u000c\u000d\u001f\u0022\u005c\u002f\u007f\u00e9\u2028""#;
        assert_eq!(canonical(text), "\"\\u0000\\b\\t\\n\\f\\r\\u001f\\\"\\\\/\u{7f}é\u{2028}\"");
        assert_eq!(canonical(r#""é\\é\"""#), r#""é\\é\"""#);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn names_are_in_the_order_of_their_utf16(
            one in "[a\u{7f}\u{80}é\u{7ff}\u{800}\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}]{0,3}",
            other in "[a\u{7f}\u{80}é\u{7ff}\u{800}\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}]{0,3}",
        ) {
            let expected = one.encode_utf16().cmp(other.encode_utf16());
            prop_assert_eq!(super::utf16_order(&one, &other), expected);
        }
    }
}
