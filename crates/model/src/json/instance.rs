//! Shows the tape to the schema validator, which walks it in place.

use std::borrow::Cow;

use jsonschema::JsonType;
use jsonschema::json::{
    Array, Json, JsonNumber, Node as Instance, NodeIdentity, Object, cmp, unique,
};
use serde_json::Value;

use super::tape::{Elements, Entry, Kind, Members, Node};

/// The tape as a representation of JSON that the validator reads.
pub(super) struct Tape;

impl Json for Tape {
    type Node<'t> = Node<'t>;
    type PreparedKey = Box<str>;
    type StringBuffer = Vec<Entry<'static>>;

    // A lookup walks the members, so that one walk for several names is as good.
    const KEYS_PER_LOOKUP: usize = 8;

    fn prepare_key(key: &str) -> Box<str> {
        key.into()
    }

    fn with_string_node<T>(
        buffer: &mut Vec<Entry<'static>>,
        string: &str,
        f: impl FnOnce(Node<'_>) -> T,
    ) -> T {
        buffer.clear();
        buffer.push(Entry::String(Cow::Owned(string.to_owned())));
        f(Node::first(buffer))
    }
}

/// A number of a document.
pub(super) enum Number {
    Integer(i64),
    Float(f64),
}

impl JsonNumber for Number {
    fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Integer(value) => u64::try_from(*value).ok(),
            Self::Float(_) => None,
        }
    }

    fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            Self::Float(_) => None,
        }
    }

    fn as_f64(&self) -> Option<f64> {
        match self {
            #[expect(
                clippy::cast_precision_loss,
                reason = "the nearest float is what is asked for"
            )]
            Self::Integer(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
        }
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Owned(self.to_number().to_string())
    }

    fn to_number(&self) -> Cow<'_, serde_json::Number> {
        Cow::Owned(match self {
            Self::Integer(value) => (*value).into(),
            // Every float of a document is finite, so the zero stands for nothing.
            Self::Float(value) => serde_json::Number::from_f64(*value).unwrap_or_else(|| 0.into()),
        })
    }

    // An integer is one by its value, as the draft says: 1.0 is one.
    fn is_integer(&self) -> bool {
        match self {
            Self::Integer(_) => true,
            Self::Float(value) => value.fract() == 0.0,
        }
    }
}

impl<'t> Instance<'t, Tape> for Node<'t> {
    type Object = Members<'t>;
    type Array = Elements<'t>;
    type Number = Number;

    fn as_object(&self) -> Option<Members<'t>> {
        match self.kind() {
            Kind::Object(members) => Some(members),
            _ => None,
        }
    }

    fn as_array(&self) -> Option<Elements<'t>> {
        match self.kind() {
            Kind::Array(elements) => Some(elements),
            _ => None,
        }
    }

    fn as_string(&self) -> Option<Cow<'t, str>> {
        match self.kind() {
            Kind::String(text) => Some(Cow::Borrowed(text)),
            _ => None,
        }
    }

    fn as_number(&self) -> Option<Number> {
        match self.kind() {
            Kind::Integer(value) => Some(Number::Integer(value)),
            Kind::Float(value) => Some(Number::Float(value)),
            _ => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        match self.kind() {
            Kind::Bool(value) => Some(value),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        matches!(self.entry(), Entry::Null)
    }

    fn json_type(&self) -> JsonType {
        match self.entry() {
            Entry::Null => JsonType::Null,
            Entry::Bool(_) => JsonType::Boolean,
            Entry::Integer(_) | Entry::Float(_) => JsonType::Number,
            Entry::String(_) => JsonType::String,
            Entry::Array { .. } => JsonType::Array,
            Entry::Object { .. } => JsonType::Object,
        }
    }

    fn equals_value(&self, expected: &Value) -> bool {
        match (self.entry(), expected) {
            (Entry::String(text), Value::String(expected)) => text == expected,
            (Entry::Array { .. }, Value::Array(_)) | (Entry::Object { .. }, Value::Object(_)) => {
                cmp::equal(&value(*self), expected)
            }
            (Entry::String(_) | Entry::Array { .. } | Entry::Object { .. }, _) => false,
            _ => cmp::equal(&value(*self), expected),
        }
    }

    fn to_value(&self) -> Cow<'t, Value> {
        Cow::Owned(value(*self))
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(self.address()))
    }
}

impl<'t> Object<'t, Tape> for Members<'t> {
    type Node = Node<'t>;
    type MemberName = &'t str;
    type MembersIter = Self;

    fn len(&self) -> usize {
        ExactSizeIterator::len(self)
    }

    fn get(&self, key: &Box<str>) -> Option<Node<'t>> {
        self.clone().find(|(name, _)| *name == key.as_ref()).map(|(_, node)| node)
    }

    fn members(&self) -> Self {
        self.clone()
    }
}

impl<'t> Array<'t, Tape> for Elements<'t> {
    type Node = Node<'t>;
    type ElementsIter = Self;

    fn len(&self) -> usize {
        ExactSizeIterator::len(self)
    }

    fn elements(&self) -> Self {
        self.clone()
    }

    // Lists of distinct ids are the usual case, and need no tree.
    fn is_unique(&self) -> bool {
        let strings: Option<Vec<&str>> = self
            .clone()
            .map(|element| match element.kind() {
                Kind::String(text) => Some(text),
                _ => None,
            })
            .collect();
        if let Some(mut strings) = strings {
            strings.sort_unstable();
            return strings.windows(2).all(|pair| pair[0] != pair[1]);
        }
        let values: Vec<Value> = self.clone().map(value).collect();
        unique::is_unique(&values)
    }
}

/// A value as a tree: for what is asked rarely, and for messages.
pub(super) fn value(node: Node<'_>) -> Value {
    match node.kind() {
        Kind::Null => Value::Null,
        Kind::Bool(value) => Value::Bool(value),
        Kind::Integer(value) => Value::Number(value.into()),
        Kind::Float(value) => Value::from(value),
        Kind::String(text) => Value::String(text.to_owned()),
        Kind::Array(elements) => elements.map(value).collect(),
        Kind::Object(members) => {
            members.map(|(name, node)| (name.to_owned(), value(node))).collect()
        }
    }
}
