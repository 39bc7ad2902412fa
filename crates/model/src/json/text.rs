//! A piece of JSON as text, kept as it was written.

use std::fmt;
use std::sync::Arc;

use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};
use serde_json::value::RawValue;

use super::Document;

/// One JSON value as text that never changes: what goes in comes out byte for byte, through every
/// store and every answer. White space around the value is not part of it.
///
/// In JSON it is embedded as it is; formats that people do not read (postcard) carry it as a
/// string, and are trusted to bring back what they were given. Only `serde_json` itself embeds
/// it, and reads it back: not through `#[serde(flatten)]`, untagged or internally tagged enums.
///
/// Two texts are equal when their bytes are; [`Document::canonical`] compares meanings.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(Arc<str>);

impl Json {
    /// What a value serialises to.
    ///
    /// # Errors
    /// When the value cannot be JSON, for example because a map's keys are no strings.
    pub fn of(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(|text| Self(text.into()))
    }

    /// The [canonical form](Document::canonical) of a document.
    #[must_use]
    pub fn canonical(document: &Document<'_>) -> Self {
        Self(document.canonical().into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value as a type of its own.
    ///
    /// # Errors
    /// When the text is not what the type expects.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }
}

impl From<&Document<'_>> for Json {
    fn from(document: &Document<'_>) -> Self {
        Self(document.text().into())
    }
}

/// Checks that the text is JSON; what else a [`Document`] refuses is not looked for.
impl TryFrom<String> for Json {
    type Error = serde_json::Error;

    fn try_from(text: String) -> Result<Self, serde_json::Error> {
        let value = serde_json::from_str::<&RawValue>(&text)?.get();
        Ok(if value.len() == text.len() { Self(text.into()) } else { Self(value.into()) })
    }
}

impl From<Json> for String {
    fn from(json: Json) -> Self {
        json.0.as_ref().to_owned()
    }
}

impl AsRef<str> for Json {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Json({})", self.0)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            let raw: &RawValue = serde_json::from_str(&self.0).map_err(ser::Error::custom)?;
            raw.serialize(serializer)
        } else {
            serializer.serialize_str(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let raw = Box::<RawValue>::deserialize(deserializer).map_err(de::Error::custom)?;
            Ok(Self(raw.get().into()))
        } else {
            Arc::<str>::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::Json;

    /// White space, escapes, order and digits that a reader and writer would change.
    const ODD: &str = "{ \"b\":\t1.0,\n\"a\": [1e2, -0, 0.10], \"\\u0061b\": \"\\/\\u00e9\", \"big\": 18446744073709551616 }";

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Carrier {
        before: u8,
        data: Json,
        more: Vec<Json>,
    }

    fn carrier() -> Carrier {
        let json = |text: &str| Json::try_from(text.to_owned()).expect(text);
        Carrier { before: 7, data: json(ODD), more: vec![json("null"), json(ODD), json("\"x\"")] }
    }

    #[test]
    fn bytes_survive_json() {
        let text = serde_json::to_string(&carrier()).expect("json");
        assert_eq!(text, format!("{{\"before\":7,\"data\":{ODD},\"more\":[null,{ODD},\"x\"]}}"));
        let back: Carrier = serde_json::from_str(&text).expect("a carrier");
        assert_eq!(back, carrier());
        assert_eq!(back.data.as_str(), ODD);
        assert_eq!(serde_json::from_slice::<Carrier>(text.as_bytes()).expect("a carrier"), back);
        assert_eq!(
            serde_json::from_reader::<_, Carrier>(text.as_bytes()).expect("a carrier"),
            back
        );
    }

    #[test]
    fn bytes_survive_postcard() {
        let bytes = postcard::to_allocvec(&carrier()).expect("bytes");
        let back: Carrier = postcard::from_bytes(&bytes).expect("a carrier");
        assert_eq!(back, carrier());
        assert_eq!(back.data.as_str(), ODD);
    }

    #[test]
    fn a_text_is_checked_and_trimmed() {
        for text in ["", "{", "1 2", "{\"a\":}", "nul", "'a'"] {
            assert!(Json::try_from(text.to_owned()).is_err(), "{text}");
        }
        let json = Json::try_from(format!("\n {ODD}\t")).expect("json");
        assert_eq!(json.as_str(), ODD);
        assert_eq!(String::from(json), ODD);
    }

    #[test]
    fn values_go_in_and_out() {
        let json = Json::of(&vec![Some(1), None]).expect("json");
        assert_eq!(json.as_str(), "[1,null]");
        assert_eq!(json.decode::<Vec<Option<i64>>>().expect("a list"), [Some(1), None]);
        assert!(json.decode::<String>().is_err());
        assert!(Json::of(&std::collections::BTreeMap::from([(vec![1], 1)])).is_err());
    }
}
