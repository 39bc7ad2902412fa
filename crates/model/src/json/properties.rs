//! Properties over random documents, with `serde_json` as the witness of what a text means.

use std::collections::BTreeMap;
use std::iter::Cycle;
use std::vec::IntoIter;

use proptest::prelude::*;
use serde_json::Value;

use super::{Document, Json, Kind, Limits, Schema, instance};

/// The reasons for which we refuse what `serde_json` accepts.
const OWN_REASONS: [&str; 4] = [
    "duplicate member name",
    "member name contains U+0000",
    "integer is outside the signed 64-bit range",
    "nested too deep",
];

/// What a text means, before anyone chose how to write it.
#[derive(Debug, Clone)]
enum Meaning {
    Literal(&'static str),
    Integer(i64),
    Float(f64),
    String(String),
    Array(Vec<Meaning>),
    Object(BTreeMap<String, Meaning>),
}

fn string() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        proptest::char::range('a', 'd'),
        proptest::char::range('\0', '\u{80}'),
        proptest::char::any(),
        Just('\u{ffff}'),
        Just('\u{10000}'),
    ];
    proptest::collection::vec(character, 0..5)
        .prop_map(|characters| characters.into_iter().collect())
}

fn name() -> impl Strategy<Value = String> {
    string().prop_map(|name| name.replace('\0', "0"))
}

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO,
        (-1000_i32..1000).prop_map(|hundredths| f64::from(hundredths) / 100.0),
        // Around 2^53 and 2^63, and up to where exponents begin.
        (50_i32..72, 0_u32..4, any::<bool>()).prop_map(|(exponent, steps, negative)| {
            let float = f64::from_bits(2_f64.powi(exponent).to_bits() - 2 + u64::from(steps));
            if negative { -float } else { float }
        }),
    ]
}

fn integer() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i64>(),
        -9_i64..9,
        Just(i64::MAX),
        Just(i64::MIN),
        // What the shortest digits of a float close by would look like.
        (50_u32..63, -600_i64..600).prop_map(|(exponent, more)| (1 << exponent) + more),
    ]
}

fn meaning() -> impl Strategy<Value = Meaning> {
    let leaf = prop_oneof![
        prop_oneof![Just("null"), Just("true"), Just("false")].prop_map(Meaning::Literal),
        integer().prop_map(Meaning::Integer),
        float().prop_map(Meaning::Float),
        string().prop_map(Meaning::String),
    ];
    leaf.prop_recursive(5, 40, 20, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..20).prop_map(Meaning::Array),
            proptest::collection::btree_map(name(), inner, 0..20).prop_map(Meaning::Object),
        ]
    })
}

/// Rolls of a die that decide how a meaning is written; all zero is the plainest way.
type Dice = Cycle<IntoIter<u8>>;

fn dice() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 1..40)
}

fn write(meaning: &Meaning, dice: Vec<u8>) -> String {
    let mut text = String::new();
    write_value(meaning, &mut dice.into_iter().cycle(), &mut text);
    text
}

fn roll(dice: &mut Dice, sides: u8) -> u8 {
    dice.next().map_or(0, |rolled| rolled % sides)
}

fn write_space(dice: &mut Dice, text: &mut String) {
    text.push_str(["", "", "", " ", "\n", "\r\n\t "][usize::from(roll(dice, 6))]);
}

fn write_value(meaning: &Meaning, dice: &mut Dice, text: &mut String) {
    write_space(dice, text);
    match meaning {
        Meaning::Literal(literal) => text.push_str(literal),
        Meaning::Integer(value) => text.push_str(&value.to_string()),
        Meaning::Float(value) => write_float(*value, dice, text),
        Meaning::String(value) => write_string(value, dice, text),
        Meaning::Array(elements) => {
            let elements = elements.iter().map(|element| (None, element)).collect();
            write_container(['[', ']'], elements, dice, text);
        }
        Meaning::Object(members) => {
            let mut members: Vec<_> =
                members.iter().map(|(name, value)| (Some(name.as_str()), value)).collect();
            if roll(dice, 2) == 1 {
                members.reverse();
            }
            let first = usize::from(roll(dice, 20)) % members.len().max(1);
            members.rotate_left(first);
            write_container(['{', '}'], members, dice, text);
        }
    }
    write_space(dice, text);
}

fn write_container(
    brackets: [char; 2],
    content: Vec<(Option<&str>, &Meaning)>,
    dice: &mut Dice,
    text: &mut String,
) {
    text.push(brackets[0]);
    for (index, (name, value)) in content.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        if let Some(name) = name {
            write_space(dice, text);
            write_string(name, dice, text);
            write_space(dice, text);
            text.push(':');
        }
        write_value(value, dice, text);
    }
    write_space(dice, text);
    text.push(brackets[1]);
}

fn write_float(value: f64, dice: &mut Dice, text: &mut String) {
    let decimal = format!("{value:.1}");
    text.push_str(&match roll(dice, 4) {
        // Rust writes the exact value here, when one decimal is enough for it.
        1 if decimal.parse() == Ok(value) => decimal,
        2 => format!("{value:E}"),
        3 => format!("{value:?}"),
        _ => format!("{value:e}"),
    });
}

fn write_string(value: &str, dice: &mut Dice, text: &mut String) {
    text.push('"');
    for character in value.chars() {
        if character < ' ' || matches!(character, '"' | '\\') || roll(dice, 4) == 1 {
            for unit in character.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04X}"));
            }
        } else {
            text.push(character);
        }
    }
    text.push('"');
}

fn parse(text: &[u8]) -> Result<Document<'_>, super::Malformed> {
    Document::parse(text, &Limits::default())
}

fn canonical(text: &str) -> String {
    parse(text.as_bytes()).expect(text).canonical()
}

/// Accepted means that `serde_json` reads the same and can write it; refused means that it
/// refuses too, or that the reason is one of ours.
fn agrees_with_serde_json(text: &[u8]) -> Result<(), TestCaseError> {
    let witness = serde_json::from_slice::<Value>(text);
    match parse(text) {
        Ok(document) => {
            let value = witness.expect("serde_json refuses what we accept");
            prop_assert_eq!(&instance::value(document.root()), &value);
            let written = serde_json::to_string(&value).expect("a value");
            prop_assert_eq!(&serde_json::from_str::<Value>(&written).expect("json"), &value);
            let json = Json::from(&document);
            prop_assert_eq!(&json.decode::<Value>().expect("json"), &value);
            prop_assert_eq!(json.as_str().trim(), std::str::from_utf8(text).expect("utf-8").trim());
            let canonical = Json::canonical(&document).decode::<Value>().expect("json");
            prop_assert!(jsonschema::json::cmp::equal(&canonical, &value));
        }
        Err(malformed) => {
            prop_assert!(malformed.offset <= text.len());
            let own = OWN_REASONS.iter().any(|reason| malformed.reason.starts_with(reason));
            prop_assert!(witness.is_err() || own, "{malformed}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn accepted_implies_decodable(meaning in meaning(), dice in dice()) {
        let text = write(&meaning, dice);
        prop_assert!(parse(text.as_bytes()).is_ok());
        agrees_with_serde_json(text.as_bytes())?;
    }

    #[test]
    fn damaged_text_is_judged_like_serde_json_does(
        meaning in meaning(),
        dice in dice(),
        damage in proptest::collection::vec(
            (any::<proptest::sample::Index>(), any::<bool>(), damage()),
            1..4,
        ),
    ) {
        let mut text = write(&meaning, dice).into_bytes();
        for (at, replaced, new) in damage {
            let at = at.index(text.len());
            text.splice(at..at + usize::from(replaced), new.iter().copied());
        }
        agrees_with_serde_json(&text)?;
    }

    #[test]
    fn the_canonical_form_ignores_how_a_text_is_written(
        meaning in meaning(),
        one in dice(),
        other in dice(),
    ) {
        let form = canonical(&write(&meaning, one));
        prop_assert_eq!(&form, &canonical(&write(&meaning, other)));
        prop_assert_eq!(&form, &canonical(&form));
    }

    #[test]
    fn numbers_share_a_form_exactly_when_they_are_equal(one in number(), other in number()) {
        let (one, other) = (write(&one, vec![0]), write(&other, vec![0]));
        prop_assert_eq!(canonical(&one) == canonical(&other), equal(&one, &other), "{} {}", one, other);
    }

    #[test]
    fn the_validator_judges_the_tape_like_a_tree(meaning in near_the_schemas()) {
        let text = write(&meaning, vec![0]);
        let document = parse(text.as_bytes()).expect("a document");
        let value: Value = serde_json::from_str(&text).expect("json");
        for schema in SCHEMAS {
            let tree = jsonschema::draft202012::new(&serde_json::from_str(schema).expect("json")).expect("a schema");
            let mut expected: Vec<_> =
                tree.iter_errors(&value).map(|error| error.instance_path().to_string()).collect();
            let mut found: Vec<_> = Schema::compile(schema).expect("a schema").validate(&document)
                .into_iter().map(|violation| violation.pointer).collect();
            expected.sort();
            found.sort();
            prop_assert_eq!(found, expected, "{}", schema);
        }
    }
}

fn damage() -> impl Strategy<Value = &'static [u8]> {
    proptest::sample::select(vec![
        &b""[..],
        b",",
        b":",
        b"[",
        b"]",
        b"{",
        b"}",
        b"\"",
        b"\\",
        b"\\ud800",
        b"\\u0000",
        b"\0",
        b"\xff",
        b"-",
        b"0",
        b".",
        b"e9",
        b"null",
        b" ",
        b"99999999999999999999",
        b"\"a\":",
        b"1e999",
    ])
}

fn number() -> impl Strategy<Value = Meaning> {
    prop_oneof![
        integer().prop_map(Meaning::Integer),
        float().prop_map(Meaning::Float),
        #[expect(clippy::cast_precision_loss, reason = "the float next to an integer is wanted")]
        integer().prop_map(|value| Meaning::Float(value as f64)),
        (50_i32..63).prop_map(|exponent| Meaning::Float(2_f64.powi(exponent))),
        (50_u32..63).prop_map(|exponent| Meaning::Integer(1 << exponent)),
        (50_i32..63).prop_map(|exponent| {
            // The shortest digits of a power of two, filled up with zeros, as an integer.
            Meaning::Integer(
                ryu_js::Buffer::new().format(2_f64.powi(exponent)).parse().expect("an integer"),
            )
        }),
    ]
}

/// Whether two numbers are equal, compared exactly.
fn equal(one: &str, other: &str) -> bool {
    let exact = |text: &str| match parse(text.as_bytes()).expect(text).root().kind() {
        Kind::Integer(value) => Ok(i128::from(value)),
        #[expect(clippy::cast_possible_truncation, reason = "below 2^126")]
        Kind::Float(value) if value.fract() == 0.0 && value.abs() < 2_f64.powi(126) => {
            Ok(value as i128)
        }
        Kind::Float(value) => Err(value.to_bits()),
        other => panic!("{other:?} is no number"),
    };
    exact(one) == exact(other)
}

/// Schemas that between them use every way in which the validator looks at an instance.
const SCHEMAS: [&str; 11] = [
    r#"{"type":"object","properties":{"a":{"type":"integer","minimum":-3,"multipleOf":2}},"required":["a"],"additionalProperties":false}"#,
    r#"{"type":["array","object","null"],"items":{"type":"number"},"uniqueItems":true,"maxItems":3}"#,
    r#"{"properties":{"a":{"const":1},"b":{"enum":["", "a", 1, {"a":1}, [1]]},"c":true,"d":false}}"#,
    r#"{"uniqueItems":true,"contains":{"type":"string"},"minItems":1}"#,
    r#"{"propertyNames":{"maxLength":1,"pattern":"^[a-c]*$"},"minProperties":1,"maxProperties":2}"#,
    r#"{"anyOf":[{"type":"string","minLength":1},{"type":"integer","exclusiveMaximum":4}]}"#,
    r#"{"oneOf":[{"type":"number"},{"type":"integer"},{"type":"object","required":["a","b"]}]}"#,
    r#"{"prefixItems":[{"type":"integer"}],"items":{"type":"boolean"},"unevaluatedItems":false}"#,
    r#"{"allOf":[{"properties":{"a":true}}],"unevaluatedProperties":{"type":"array"}}"#,
    r##"{"$defs":{"n":{"properties":{"a":{"$ref":"#/$defs/n"},"b":{"not":{"type":"object"}}}}},"$ref":"#/$defs/n"}"##,
    r#"{"if":{"required":["a"]},"then":{"required":["b"]},"patternProperties":{"^c":{"type":"string"}},"dependentRequired":{"d":["a"]}}"#,
];

/// Small documents of the names and values that the schemas speak of.
fn near_the_schemas() -> impl Strategy<Value = Meaning> {
    let leaf = prop_oneof![
        prop_oneof![Just("null"), Just("true"), Just("false")].prop_map(Meaning::Literal),
        (-4_i64..5).prop_map(Meaning::Integer),
        (-8_i32..10).prop_map(|halves| Meaning::Float(f64::from(halves) / 2.0)),
        "[a-c]{0,2}".prop_map(Meaning::String),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Meaning::Array),
            proptest::collection::vec("[a-c]{0,2}".prop_map(Meaning::String), 1..4)
                .prop_map(Meaning::Array),
            proptest::collection::btree_map(prop_oneof!["[a-d]", "[a-d]{2}"], inner, 0..5)
                .prop_map(Meaning::Object),
        ]
    })
}
