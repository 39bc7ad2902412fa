//! Schemas of commands and events: JSON Schema, draft 2020-12, compiled once.

use std::fmt::{self, Write as _};

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use super::instance::Tape;
use super::{Document, Json, Limits, Malformed, SchemaHash};

/// How many violations are reported at most.
pub const VIOLATIONS_MAX: usize = 20;

const MESSAGE_CHARS_MAX: usize = 200;

/// The validator collects every violation before the first can be read, at some hundred bytes
/// each, so of a document with more entries than this only the first one is reported.
const ENTRIES_FOR_ALL_VIOLATIONS_MAX: usize = 4096;

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A compiled schema: JSON Schema, draft 2020-12, formats checked, patterns matched in linear
/// time (no look-around, no back references), references within the schema only.
///
/// What it says of numbers is about values: `1.0` is an integer and equals `1`.
pub struct Schema {
    text: Json,
    hash: SchemaHash,
    validator: Validator<Tape>,
}

/// A text that is not a schema.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadSchema {
    /// Not JSON.
    #[error("schema is not json: {0}")]
    Malformed(#[from] Malformed),
    /// Written for another draft.
    #[error("schema must be of {DRAFT}")]
    Draft,
    /// Not a schema of the draft, or one that uses an unknown format, a pattern that cannot be
    /// matched in linear time, or a reference to another document.
    #[error("schema is refused: {0}")]
    Refused(String),
}

/// One way in which a document breaks its schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Where, as a JSON Pointer (RFC 6901); an ellipsis ends one of more than 200 characters.
    pub pointer: String,
    /// What is wrong there, in at most 200 characters, never repeating a value of the document.
    pub message: String,
}

impl Schema {
    /// Compiles a schema.
    ///
    /// # Errors
    /// Why the text is no schema, or not one that can be checked safely.
    pub fn compile(text: &str) -> Result<Self, BadSchema> {
        let document = Document::parse(text.as_bytes(), &Limits::default())?;
        let value = super::instance::value(document.root());
        if value.get("$schema").is_some_and(|draft| draft != DRAFT) {
            return Err(BadSchema::Draft);
        }
        Ok(Self {
            text: Json::from(&document),
            hash: SchemaHash::of(&document),
            validator: build(&value).map_err(|error| {
                BadSchema::Refused(format!(
                    "{} at {:?}",
                    cut(&error),
                    error.instance_path().as_str()
                ))
            })?,
        })
    }

    /// Whether a document fulfils the schema; the fast way to ask.
    #[must_use]
    pub fn is_valid(&self, document: &Document<'_>) -> bool {
        self.validator.is_valid(document.root())
    }

    /// How a document breaks the schema, at most [`VIOLATIONS_MAX`] ways; empty when it does not.
    #[must_use]
    pub fn validate(&self, document: &Document<'_>) -> Vec<Violation> {
        let root = document.root();
        if self.validator.is_valid(root) {
            return Vec::new();
        }
        if document.entries() > ENTRIES_FOR_ALL_VIOLATIONS_MAX {
            return self.validator.validate(root).err().iter().map(violation).collect();
        }
        let errors = self.validator.iter_errors(root);
        errors.take(VIOLATIONS_MAX).map(|error| violation(&error)).collect()
    }

    /// The schema as it was written, without the white space around it.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.as_str()
    }

    /// The schema as it was written, to be embedded in other JSON.
    #[must_use]
    pub fn json(&self) -> &Json {
        &self.text
    }

    /// The name of what the schema says.
    #[must_use]
    pub fn hash(&self) -> SchemaHash {
        self.hash
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Schema").field("hash", &self.hash).finish_non_exhaustive()
    }
}

fn build(schema: &Value) -> Result<Validator<Tape>, ValidationError<'static>> {
    jsonschema::options_for::<Tape>()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(PatternOptions::regex())
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false)
        .offline()
        .build(schema)
}

fn violation(error: &ValidationError<'_>) -> Violation {
    let message = match error.kind() {
        // The message about a member name would repeat the name.
        ValidationErrorKind::PropertyNames { error } => {
            cut(&format_args!("member name: {}", error.masked()))
        }
        _ => cut(&error.masked()),
    };
    Violation { pointer: cut(&error.instance_path().as_str()), message: lowercase(message) }
}

/// The first 200 characters of what something displays; no more than that is ever written.
fn cut(shown: &impl fmt::Display) -> String {
    let mut short = Short { text: String::new(), left: MESSAGE_CHARS_MAX };
    if write!(short, "{shown}").is_err() {
        short.text.pop();
        short.text.push('…');
    }
    short.text
}

struct Short {
    text: String,
    left: usize,
}

impl fmt::Write for Short {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let end = more.char_indices().nth(self.left).map(|(at, _)| at);
        let taken = &more[..end.unwrap_or(more.len())];
        self.text.push_str(taken);
        self.left -= taken.chars().count();
        if end.is_some() { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Messages begin with a lowercase letter everywhere else.
fn lowercase(mut message: String) -> String {
    if let Some(first) = message.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::super::{Document, Limits};
    use super::{BadSchema, MESSAGE_CHARS_MAX, Schema, VIOLATIONS_MAX, Violation};

    const DEPOSIT: &str = r#"{
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"amount": {"type": "integer", "minimum": 1}},
        "required": ["amount"],
        "additionalProperties": false
    }"#;

    fn violations(schema: &str, text: &str) -> Vec<Violation> {
        let schema = Schema::compile(schema).expect("a schema");
        let document = Document::parse(text.as_bytes(), &Limits::default()).expect(text);
        let violations = schema.validate(&document);
        assert_eq!(violations.is_empty(), schema.is_valid(&document), "{text}");
        violations
    }

    fn pairs(schema: &str, text: &str) -> Vec<(String, String)> {
        violations(schema, text).into_iter().map(|v| (v.pointer, v.message)).collect()
    }

    fn pair(pointer: &str, message: &str) -> Vec<(String, String)> {
        vec![(pointer.to_owned(), message.to_owned())]
    }

    #[test]
    fn a_valid_document_has_no_violations() {
        for text in [r#"{"amount":100}"#, r#"{"amount":9223372036854775807}"#, r#"{"amount":1e2}"#]
        {
            assert_eq!(violations(DEPOSIT, text), [], "{text}");
        }
    }

    #[test]
    fn a_violation_says_where_and_what() {
        assert_eq!(pairs(DEPOSIT, "{}"), pair("", "\"amount\" is a required property"));
        assert_eq!(
            pairs(DEPOSIT, r#"{"amount":0}"#),
            pair("/amount", "value is less than the minimum of 1")
        );
        assert_eq!(
            pairs(DEPOSIT, r#"{"amount":1.5}"#),
            pair("/amount", "value is not of type \"integer\"")
        );
        assert_eq!(pairs(DEPOSIT, "[]"), pair("", "value is not of type \"object\""));
        assert_eq!(
            pairs(DEPOSIT, r#"{"amount":1,"x":2}"#),
            pair("", "additional properties are not allowed ('x' was unexpected)")
        );
        assert_eq!(
            pairs(r#"{"items":{"properties":{"a/b":{"type":"null"}}}}"#, r#"[1,{"a/b":2}]"#)[0].0,
            "/1/a~1b"
        );
    }

    #[test]
    fn a_body_is_never_repeated_back() {
        let secret = "s3cret ".repeat(100);
        let schemas = [
            r#"{"type":"integer"}"#,
            r#"{"enum":["a","b"]}"#,
            r#"{"const":1}"#,
            r#"{"pattern":"^a$"}"#,
            r#"{"maxLength":3,"format":"uuid"}"#,
            r#"{"anyOf":[{"type":"null"},{"type":"boolean"}]}"#,
            r#"{"not":{}}"#,
            "false",
        ];
        for schema in schemas {
            let found = violations(schema, &format!("{secret:?}"));
            assert!(!found.is_empty(), "{schema}");
            assert!(found.iter().all(|v| !v.message.contains("s3cret")), "{found:?}");
        }
        let name =
            violations(r#"{"propertyNames":{"pattern":"^a$"}}"#, &format!("{{{secret:?}:1}}"));
        assert_eq!(name[0].message, "member name: value does not match \"^a$\"");
    }

    #[test]
    fn messages_and_pointers_are_cut() {
        let name = "ä".repeat(10_000);
        let found = violations(DEPOSIT, &format!("{{\"amount\":1,\"{name}\":2}}"));
        assert_eq!(found[0].message.chars().count(), MESSAGE_CHARS_MAX);
        assert!(found[0].message.ends_with('…'));
        let found =
            violations(r#"{"additionalProperties":{"type":"null"}}"#, &format!("{{\"{name}\":2}}"));
        assert_eq!(found[0].pointer.chars().count(), MESSAGE_CHARS_MAX);
    }

    #[test]
    fn violations_are_limited_and_few_of_a_large_document() {
        let schema = r#"{"items":{"type":"string"}}"#;
        let items = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
        assert_eq!(violations(schema, &items(19)).len(), 19);
        assert_eq!(violations(schema, &items(4000)).len(), VIOLATIONS_MAX);
        assert_eq!(violations(schema, &items(100_000)).len(), 1);
    }

    #[test]
    fn what_cannot_be_checked_safely_is_no_schema() {
        for (text, expected) in [
            (r#"{"format":"made-up"}"#, "made-up"),
            (r#"{"pattern":"(?=a)b"}"#, "regex"),
            (r#"{"pattern":"(a)\\1"}"#, "regex"),
            (r#"{"$ref":"https://example.com/schema.json"}"#, "example.com"),
            (r#"{"$ref":"file:///etc/passwd"}"#, "passwd"),
            (r##"{"$ref":"#/$defs/none"}"##, "none"),
            (r#"{"type":"text"}"#, "text"),
        ] {
            let Err(BadSchema::Refused(message)) = Schema::compile(text) else { panic!("{text}") };
            assert!(message.contains(expected), "{message}");
        }
        assert!(matches!(Schema::compile("{\"type\":}"), Err(BadSchema::Malformed(_))));
        assert!(matches!(Schema::compile(r#"{"a":1,"a":1}"#), Err(BadSchema::Malformed(_))));
        let other = r#"{"$schema":"http://json-schema.org/draft-07/schema#"}"#;
        assert_eq!(Schema::compile(other).expect_err("another draft"), BadSchema::Draft);
    }

    #[test]
    fn formats_are_checked() {
        assert_eq!(violations(r#"{"format":"date-time"}"#, r#""2024-02-30T00:00:00Z""#).len(), 1);
        assert_eq!(violations(r#"{"format":"date-time"}"#, r#""2024-02-29T00:00:00Z""#).len(), 0);
    }

    #[test]
    fn elements_are_distinct_by_value() {
        let schema = r#"{"uniqueItems":true}"#;
        for text in ["[]", r#"["b","a"]"#, r#"["1",1]"#, "[[1],[2]]", r#"["a","B","b"]"#] {
            assert_eq!(violations(schema, text), [], "{text}");
        }
        for text in [r#"["a","b","\u0061"]"#, "[1,1.0]", r#"[{"a":1,"b":2},{"b":2,"a":1}]"#] {
            assert_eq!(violations(schema, text).len(), 1, "{text}");
        }
    }

    #[test]
    fn numbers_are_compared_exactly() {
        let schema = r#"{"minimum":-3,"maximum":9007199254740993}"#;
        for (text, broken) in [
            ("-3", 0),
            ("-4", 1),
            ("-3.5", 1),
            ("9007199254740993", 0),
            ("9007199254740994", 1),
            ("9007199254740994.0", 1),
            ("1e300", 1),
        ] {
            assert_eq!(violations(schema, text).len(), broken, "{text}");
        }
    }

    #[test]
    fn references_within_a_schema_may_recurse() {
        let list = r##"{"type":"object","properties":{"next":{"$ref":"#"}},"additionalProperties":false}"##;
        assert_eq!(violations(list, r#"{"next":{"next":{}}}"#), []);
        assert_eq!(violations(list, r#"{"next":{"next":{"x":1}}}"#)[0].pointer, "/next/next");
    }

    #[test]
    fn the_hash_names_what_the_schema_says() {
        let hash = |text: &str| Schema::compile(text).expect("a schema").hash();
        assert_eq!(
            hash(r#"{"type":"object","minProperties":1}"#),
            hash(" {\"minProperties\": 1.0,\n\"t\\u0079pe\":\"object\"}")
        );
        assert_ne!(hash(r#"{"minProperties":1}"#), hash(r#"{"minProperties":2}"#));
        let schema = Schema::compile(&format!("\n{DEPOSIT} ")).expect("a schema");
        assert_eq!(schema.text(), DEPOSIT);
        assert_eq!(schema.json().as_str(), DEPOSIT);
    }
}
