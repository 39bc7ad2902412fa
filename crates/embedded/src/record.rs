//! How values are written: one byte that says the version, then postcard of the words' own types.

use ordain_model::{AggregateKey, Command, Event, RequestId, Timestamp};
use ordain_ports::{Content, Damaged, Published};
use serde::Serialize;
use serde::de::DeserializeOwned;

const VERSION: u8 = 1;

/// A value that cannot be read or written, and why.
pub(crate) type Unreadable = String;

/// Writes a value.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, Unreadable> {
    encode_behind(Vec::with_capacity(256), value)
}

/// Writes a value behind a number that is read without reading the value.
pub(crate) fn encode_numbered<T: Serialize>(number: u64, value: &T) -> Result<Vec<u8>, Unreadable> {
    let mut bytes = Vec::with_capacity(256);
    bytes.extend_from_slice(&number.to_be_bytes());
    encode_behind(bytes, value)
}

fn encode_behind<T: Serialize>(mut bytes: Vec<u8>, value: &T) -> Result<Vec<u8>, Unreadable> {
    bytes.push(VERSION);
    postcard::to_extend(value, bytes).map_err(|error| error.to_string())
}

/// Reads what `encode` wrote, all of it.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    match postcard::take_from_bytes(unversioned(bytes)?) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(format!("{} bytes too many", rest.len())),
        Err(error) => Err(error.to_string()),
    }
}

/// Reads what `encode_numbered` wrote, all of it.
pub(crate) fn decode_numbered<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    decode(bytes.get(8..).unwrap_or_default())
}

/// The number before a value, or the whole of a value that is only a number.
pub(crate) fn number(bytes: &[u8]) -> Result<u64, Unreadable> {
    let number = bytes.first_chunk().ok_or("shorter than a number")?;
    Ok(u64::from_be_bytes(*number))
}

fn unversioned(bytes: &[u8]) -> Result<&[u8], Unreadable> {
    match bytes.split_first() {
        Some((&VERSION, value)) => Ok(value),
        Some((version, _)) => Err(format!("version {version} is not one that this build reads")),
        None => Err("empty".to_owned()),
    }
}

/// What a log keeps.
pub(crate) trait Recorded: Sized + Clone + Send + Sync + 'static {
    /// Writes it.
    fn encode(&self) -> Result<Vec<u8>, Unreadable>;
    /// Reads it.
    fn decode(bytes: &[u8]) -> Result<Self, Unreadable>;

    /// What the bytes of a record say, as far as they can be read.
    fn content(bytes: &[u8]) -> Content<Self> {
        match Self::decode(bytes) {
            Ok(whole) => Content::Whole(whole),
            Err(why) => {
                Content::Damaged(Damaged { named: named(bytes), why, bytes: bytes.to_vec() })
            }
        }
    }
}

/// Whatever a log keeps begins with whom it is about and under which request id.
fn named(bytes: &[u8]) -> Option<(AggregateKey, RequestId)> {
    postcard::take_from_bytes(unversioned(bytes).ok()?).ok().map(|(named, _)| named)
}

impl Recorded for Command {
    fn encode(&self) -> Result<Vec<u8>, Unreadable> {
        encode(self)
    }

    fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        decode(bytes)
    }
}

impl Recorded for Published {
    fn encode(&self) -> Result<Vec<u8>, Unreadable> {
        encode(&(&self.aggregate, &self.request, &self.event))
    }

    fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let (aggregate, request, event): (AggregateKey, RequestId, Event) = decode(bytes)?;
        Ok(Self { aggregate, request, event })
    }
}

/// A record as it stands in a log: when it was appended, then its own bytes.
pub(crate) fn timed(time: Timestamp, payload: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(8 + payload.len());
    value.extend_from_slice(&time.nanoseconds().to_be_bytes());
    value.extend_from_slice(payload);
    value
}

/// The time and the bytes of a record.
pub(crate) fn untimed(value: &[u8]) -> (Timestamp, &[u8]) {
    match value.split_first_chunk() {
        Some((time, payload)) => (Timestamp::from_nanoseconds(i64::from_be_bytes(*time)), payload),
        None => (Timestamp::default(), value),
    }
}
