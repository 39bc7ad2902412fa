//! The name of what a schema says, by which nodes of different versions agree on a command.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use super::Document;

const BYTES: usize = 16;

/// The first 128 bits of the BLAKE3 hash of a schema's canonical form: what merely writes a
/// schema differently leaves it alone. As text it is 32 lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SchemaHash([u8; BYTES]);

/// A text that is not a schema hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a schema hash is 32 lowercase hexadecimal digits")]
pub struct BadSchemaHash;

impl SchemaHash {
    /// The hash of a schema.
    #[must_use]
    pub fn of(schema: &Document<'_>) -> Self {
        let mut bytes = [0; BYTES];
        let mut hasher = blake3::Hasher::new();
        hasher.update(schema.canonical().as_bytes());
        hasher.finalize_xof().fill(&mut bytes);
        Self(bytes)
    }
}

impl fmt::Display for SchemaHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for SchemaHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SchemaHash({self})")
    }
}

impl FromStr for SchemaHash {
    type Err = BadSchemaHash;

    fn from_str(text: &str) -> Result<Self, BadSchemaHash> {
        let digits = text.as_bytes();
        if digits.len() != 2 * BYTES {
            return Err(BadSchemaHash);
        }
        let mut bytes = [0; BYTES];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

/// Only lowercase, so that a hash has one text.
fn digit(character: u8) -> Result<u8, BadSchemaHash> {
    match character {
        b'0'..=b'9' => Ok(character - b'0'),
        b'a'..=b'f' => Ok(character - b'a' + 10),
        _ => Err(BadSchemaHash),
    }
}

impl Serialize for SchemaHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for SchemaHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
            text.parse().map_err(de::Error::custom)
        } else {
            Deserialize::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Document, Limits};
    use super::{BadSchemaHash, SchemaHash};

    #[test]
    fn a_hash_is_its_text() {
        let schema = Document::parse(b"{ }", &Limits::default()).expect("an object");
        let hash = SchemaHash::of(&schema);
        let whole = blake3::hash(b"{}").to_hex();
        assert_eq!(hash.to_string(), whole[..32]);
        assert_eq!(whole[..32].parse(), Ok(hash));
        for text in
            ["", &whole[..31], &whole[..33], &whole[..32].to_uppercase(), "éééééééééééééééé"]
        {
            assert_eq!(text.parse::<SchemaHash>(), Err(BadSchemaHash), "{text}");
        }
        let text = serde_json::to_string(&hash).expect("a string");
        assert_eq!(text, format!("\"{hash}\""));
        assert_eq!(serde_json::from_str::<SchemaHash>(&text).expect("a hash"), hash);
        let bytes = postcard::to_allocvec(&hash).expect("bytes");
        assert_eq!(bytes.len(), 16);
        assert_eq!(postcard::from_bytes::<SchemaHash>(&bytes).expect("a hash"), hash);
        let written_oddly =
            text.replacen(&text[1..2], &format!("\\u{:04x}", text.as_bytes()[1]), 1);
        assert_eq!(serde_json::from_str::<SchemaHash>(&written_oddly).expect("a hash"), hash);
        assert!(serde_json::from_str::<SchemaHash>("\"0\"").is_err());
    }
}
