//! Ids: the names of aggregates, of commands to them, and of types, commands and events.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The tenant of everything, until there is authorisation.
pub const TENANT_DEFAULT: &str = "default";

const ID_CHARS_MAX: usize = 128;
const NAME_CHARS_MAX: usize = 64;

/// A text that is not an id; the message says what an id looks like.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadId {
    /// Not a request id.
    #[error("a request id is 1 to 128 characters of A-Z a-z 0-9 . _ : ~ -")]
    Request,
    /// Not an aggregate id.
    #[error(
        "an aggregate id is 1 to 128 characters of A-Z a-z 0-9 . _ : ~ -, begins with a letter or \
         digit, and does not begin with x~ or h~"
    )]
    Aggregate,
    /// Not the name of a type, command or event.
    #[error("a name is 1 to 64 characters of a-z 0-9 -, and begins with a letter")]
    Name,
    /// Not `tenant/type/id`.
    #[error("an aggregate key is tenant/type/id")]
    Key,
}

fn is_id_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'~' | b'-')
}

fn is_aggregate_id(text: &str) -> bool {
    text.len() <= ID_CHARS_MAX
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && text.bytes().all(is_id_char)
        && !text.starts_with("x~")
        && !text.starts_with("h~")
}

fn is_name(text: &str) -> bool {
    text.len() <= NAME_CHARS_MAX
        && text.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// The client's name for one command to one aggregate: 1–128 characters of `[A-Za-z0-9._:~-]`,
/// compared as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequestId(Arc<str>);

/// The name of an aggregate type, a command or an event: kebab case, `[a-z][a-z0-9-]{0,63}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Arc<str>);

macro_rules! text_id {
    ($id:ident, $check:expr, $bad:expr) => {
        impl $id {
            /// The text, as the client wrote it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $id {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(Arc::from(text))) } else { Err($bad) }
            }
        }
        impl TryFrom<String> for $id {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                text.parse()
            }
        }
        impl From<$id> for String {
            fn from(id: $id) -> Self {
                id.0.as_ref().to_owned()
            }
        }
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl Borrow<str> for $id {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

text_id!(
    RequestId,
    |text| !text.is_empty() && text.len() <= ID_CHARS_MAX && text.bytes().all(is_id_char),
    BadId::Request
);
text_id!(Name, is_name, BadId::Name);

/// What rules guard: `tenant/type/id`. Cheap to clone; equal and ordered as its text.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AggregateKey {
    text: Arc<str>,
    type_at: u16,
    id_at: u16,
}

impl AggregateKey {
    /// The key of an aggregate.
    ///
    /// # Errors
    /// Says which part is not a name or an id.
    pub fn new(tenant: &str, aggregate_type: &str, id: &str) -> Result<Self, BadId> {
        if !is_name(tenant) || !is_name(aggregate_type) {
            return Err(BadId::Name);
        }
        if !is_aggregate_id(id) {
            return Err(BadId::Aggregate);
        }
        let mut text = String::with_capacity(tenant.len() + aggregate_type.len() + id.len() + 2);
        text.push_str(tenant);
        text.push('/');
        let type_at = at(&text)?;
        text.push_str(aggregate_type);
        text.push('/');
        let id_at = at(&text)?;
        text.push_str(id);
        Ok(Self { text: text.into(), type_at, id_at })
    }

    /// `tenant/type/id`: the key of its records in a log and of its documents in a store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whose aggregate it is.
    #[must_use]
    pub fn tenant(&self) -> &str {
        self.text.get(..usize::from(self.type_at) - 1).unwrap_or_default()
    }

    /// The name of its type.
    #[must_use]
    pub fn aggregate_type(&self) -> &str {
        self.text.get(usize::from(self.type_at)..usize::from(self.id_at) - 1).unwrap_or_default()
    }

    /// Its name within tenant and type.
    #[must_use]
    pub fn id(&self) -> &str {
        self.text.get(usize::from(self.id_at)..).unwrap_or_default()
    }
}

fn at(text: &str) -> Result<u16, BadId> {
    u16::try_from(text.len()).map_err(|_| BadId::Key)
}

impl FromStr for AggregateKey {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        let mut parts = text.splitn(3, '/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(tenant), Some(kind), Some(id)) => Self::new(tenant, kind, id),
            _ => Err(BadId::Key),
        }
    }
}

impl TryFrom<String> for AggregateKey {
    type Error = BadId;
    fn try_from(text: String) -> Result<Self, BadId> {
        text.parse()
    }
}

impl From<AggregateKey> for String {
    fn from(key: AggregateKey) -> Self {
        key.text.as_ref().to_owned()
    }
}

impl fmt::Display for AggregateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for AggregateKey {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for AggregateKey {}

impl std::hash::Hash for AggregateKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl PartialOrd for AggregateKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for AggregateKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gives_back_its_parts() {
        let key = AggregateKey::new("default", "job-request", "7:a.b~c-d_E").unwrap();
        assert_eq!(
            (key.tenant(), key.aggregate_type(), key.id(), key.as_str()),
            ("default", "job-request", "7:a.b~c-d_E", "default/job-request/7:a.b~c-d_E")
        );
        assert_eq!(key.as_str().parse::<AggregateKey>().unwrap(), key);
    }

    #[test]
    fn ids_outside_the_alphabet_are_refused() {
        let long = "a".repeat(129);
        for bad in ["", ".a", "-a", "a b", "a/b", "ä", "x~YQ", "h~00", "a\0", long.as_str()] {
            assert_eq!(
                AggregateKey::new("default", "account", bad),
                Err(BadId::Aggregate),
                "{bad}"
            );
        }
        for bad in ["", "a b", "a/b", "ä", "a\n", long.as_str()] {
            assert_eq!(bad.parse::<RequestId>(), Err(BadId::Request), "{bad}");
        }
        for bad in ["", "Account", "1a", "a_b", "a.b"] {
            assert_eq!(bad.parse::<Name>(), Err(BadId::Name), "{bad}");
        }
        assert!("~.:-_".parse::<RequestId>().is_ok());
        assert!("a".repeat(128).parse::<RequestId>().is_ok());
    }
}
