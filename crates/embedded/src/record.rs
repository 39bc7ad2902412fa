//! How values are written: one byte that says the version, then postcard of the words' own types.
//! In version 2 the trace that the value belongs to stands before it; what belongs to none is
//! written in version 1, as ever.

use ordain_model::{AggregateKey, Command, Commit, Event, RequestId, Timestamp, TraceContext};
use ordain_ports::{Content, Damaged, Published};
use serde::Serialize;
use serde::de::DeserializeOwned;

const VERSION: u8 = 1;
const TRACED: u8 = 2;

/// A value that cannot be read or written, and why.
pub(crate) type Unreadable = String;

/// Writes a value.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, Unreadable> {
    encode_behind(Vec::with_capacity(256), None, value)
}

/// Writes a value behind a number that is read without reading the value.
pub(crate) fn encode_numbered<T: Serialize>(number: u64, value: &T) -> Result<Vec<u8>, Unreadable> {
    encode_behind(numbered(number), None, value)
}

/// Writes a commit behind its sequence, with its trace.
pub(crate) fn encode_commit(commit: &Commit) -> Result<Vec<u8>, Unreadable> {
    encode_behind(numbered(commit.sequence), commit.trace, commit)
}

fn numbered(number: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes
}

fn encode_behind<T: Serialize>(
    mut bytes: Vec<u8>,
    trace: Option<TraceContext>,
    value: &T,
) -> Result<Vec<u8>, Unreadable> {
    let written = match trace {
        None => {
            bytes.push(VERSION);
            postcard::to_extend(value, bytes)
        }
        Some(trace) => {
            bytes.push(TRACED);
            postcard::to_extend(&(trace, value), bytes)
        }
    };
    written.map_err(|error| error.to_string())
}

/// Reads what `encode` wrote, all of it.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    decode_traced(bytes).map(|(_, value)| value)
}

/// Reads what `encode` wrote, all of it, and its trace.
fn decode_traced<T: DeserializeOwned>(
    bytes: &[u8],
) -> Result<(Option<TraceContext>, T), Unreadable> {
    let (trace, value) = unversioned(bytes)?;
    match postcard::take_from_bytes(value) {
        Ok((value, [])) => Ok((trace, value)),
        Ok((_, rest)) => Err(format!("{} bytes too many", rest.len())),
        Err(error) => Err(error.to_string()),
    }
}

/// Reads what `encode_numbered` wrote, all of it.
pub(crate) fn decode_numbered<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    decode(bytes.get(8..).unwrap_or_default())
}

/// Reads what `encode_commit` wrote, all of it.
pub(crate) fn decode_commit(bytes: &[u8]) -> Result<Commit, Unreadable> {
    let (trace, commit) = decode_traced(bytes.get(8..).unwrap_or_default())?;
    Ok(Commit { trace, ..commit })
}

/// The number before a value, or the whole of a value that is only a number.
pub(crate) fn number(bytes: &[u8]) -> Result<u64, Unreadable> {
    let number = bytes.first_chunk().ok_or("shorter than a number")?;
    Ok(u64::from_be_bytes(*number))
}

fn unversioned(bytes: &[u8]) -> Result<(Option<TraceContext>, &[u8]), Unreadable> {
    match bytes.split_first() {
        Some((&VERSION, value)) => Ok((None, value)),
        Some((&TRACED, value)) => {
            let (trace, value) = postcard::take_from_bytes(value).map_err(|why| why.to_string())?;
            Ok((Some(trace), value))
        }
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
    postcard::take_from_bytes(unversioned(bytes).ok()?.1).ok().map(|(named, _)| named)
}

impl Recorded for Command {
    fn encode(&self) -> Result<Vec<u8>, Unreadable> {
        encode_behind(Vec::with_capacity(256), self.trace, self)
    }

    fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let (trace, command) = decode_traced(bytes)?;
        Ok(Self { trace, ..command })
    }
}

impl Recorded for Published {
    fn encode(&self) -> Result<Vec<u8>, Unreadable> {
        let value = (&self.aggregate, &self.request, &self.event);
        encode_behind(Vec::with_capacity(256), self.trace, &value)
    }

    fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        type Value = (AggregateKey, RequestId, Event);
        let (trace, (aggregate, request, event)) = decode_traced::<Value>(bytes)?;
        Ok(Self { aggregate, request, event, trace })
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

#[cfg(test)]
mod tests {
    use ordain_ports::contract::samples::{Line, trace};

    use super::*;
    use crate::home::tests::command;

    /// What was written before traces were kept, or belongs to none, is in version 1.
    #[test]
    fn what_belongs_to_no_trace_is_written_as_ever() {
        let command = command("a", "r");
        let written = command.encode().unwrap();
        let bytes = postcard::to_stdvec(&command).unwrap();
        assert_eq!(written, [&[1], &bytes[..]].concat());
        assert_eq!(Command::decode(&written), Ok(command));
    }

    #[test]
    fn a_trace_is_read_as_it_was_written() {
        let traced = Command { trace: Some(trace(9)), ..command("a", "r") };
        let written = traced.encode().unwrap();
        assert_eq!(written[0], 2);
        assert_eq!(named(&written), Some((traced.aggregate.clone(), traced.request.clone())));
        assert_eq!(Command::decode(&written), Ok(traced));
        let mut line = Line::of("a");
        for commit in [line.success(2), line.success(1)] {
            let written = encode_commit(&commit).unwrap();
            assert_eq!(number(&written), Ok(commit.sequence));
            assert_eq!(decode_commit(&written).as_ref(), Ok(&*commit));
            let event = commit.events[0].clone();
            let (aggregate, request) = (commit.aggregate.clone(), commit.request.clone());
            let published = Published { aggregate, request, event, trace: commit.trace };
            assert_eq!(Published::decode(&published.encode().unwrap()), Ok(published));
        }
    }
}
