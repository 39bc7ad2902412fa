//! Commands and events as records: key, value and headers.

use std::str::FromStr;
use std::sync::Arc;

use ordain_model::{
    AggregateKey, Command, Commit, Event, Json, Name, ReplyAddress, RequestId, Timestamp, contain,
};
use ordain_ports::{Content, Damaged, Position, Published, Record};
use rdkafka::message::{BorrowedMessage, Message as _, OwnedHeaders};

use crate::cloud_event::{Reader, Unreadable, Writer};

/// What a topic keeps.
pub(crate) trait Recorded: Sized + Clone + Send + Sync + 'static {
    /// Whether it is in no other place once its topic has lost it.
    const IS_SOLE: bool;

    /// Reads it from its key, its headers and its value.
    fn read(key: AggregateKey, headers: &Reader<'_>, value: Json) -> Result<Self, Unreadable>;
}

impl Recorded for Command {
    const IS_SOLE: bool = true;

    fn read(key: AggregateKey, headers: &Reader<'_>, value: Json) -> Result<Self, Unreadable> {
        Ok(Self {
            request: headers.parse("ce_requestid")?,
            name: name(headers.name(&key)?)?,
            schema: headers.parse("ce_schemahash")?,
            data: value,
            fingerprint: headers.parse::<Hex>("ce_fingerprint")?.0.into(),
            expected_sequence: headers.parse_some("ce_expectedsequence")?,
            deadline: headers.parse_some("ce_deadline")?,
            reply_to: ReplyAddress {
                channel: Arc::from(headers.text("ce_replyto")?),
                nonce: headers.parse("ce_nonce")?,
            },
            time: headers.parse("ce_time")?,
            trace: headers.trace(),
            aggregate: key,
        })
    }
}

impl Recorded for Published {
    /// The commits have all events.
    const IS_SOLE: bool = false;

    fn read(key: AggregateKey, headers: &Reader<'_>, value: Json) -> Result<Self, Unreadable> {
        let event = Event {
            sequence: headers.parse("ce_sequence")?,
            name: name(headers.name(&key)?)?,
            version: headers.parse("ce_eventversion")?,
            data: value,
            time: headers.parse("ce_time")?,
        };
        let (request, trace) = (headers.parse("ce_requestid")?, headers.trace());
        Ok(Self { request, aggregate: key, event, trace })
    }
}

/// The headers of a command. Key and value are its aggregate and its data.
pub(crate) fn command_headers(command: &Command) -> OwnedHeaders {
    let names = [command.request.as_str(), command.name.as_str()];
    Writer::about(&command.aggregate, &command.request, names, command.time)
        .with_shown("ce_fingerprint", &command.fingerprint)
        .with_shown("ce_schemahash", &command.schema)
        .with_some("ce_expectedsequence", command.expected_sequence.as_ref())
        .with_some("ce_deadline", command.deadline.as_ref())
        .with("ce_replyto", &command.reply_to.channel)
        .with_shown("ce_nonce", &command.reply_to.nonce)
        .of_trace(command.trace)
        .finish()
}

/// The headers of an event of this commit. Key and value are its aggregate and its data.
pub(crate) fn event_headers(commit: &Commit, event: &Event) -> OwnedHeaders {
    let Commit { aggregate, request, trace, .. } = commit;
    let sequence = event.sequence.to_string();
    Writer::about(aggregate, request, [&sequence, event.name.as_str()], event.time)
        .with("ce_sequence", &sequence)
        .with_shown("ce_eventversion", &event.version)
        .of_trace(*trace)
        .finish()
}

fn name(text: &str) -> Result<Name, Unreadable> {
    text.parse().map_err(|error| format!("the type: {error}"))
}

/// 32 bytes as 64 hexadecimal digits.
struct Hex([u8; 32]);

impl FromStr for Hex {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const BAD: &str = "not 64 hexadecimal digits";
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() {
            return Err(BAD);
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let mut bytes = [0; 32];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(*high).ok_or(BAD)? << 4 | digit(*low).ok_or(BAD)?;
        }
        Ok(Self(bytes))
    }
}

/// A message of the driver as the record that it is. Whatever it holds, this gives a record.
pub(crate) fn record<R: Recorded>(message: &BorrowedMessage<'_>) -> Record<R> {
    let position = Position {
        partition: u32::try_from(message.partition()).unwrap_or_default(),
        offset: u64::try_from(message.offset()).unwrap_or_default(),
    };
    let milliseconds = message.timestamp().to_millis().unwrap_or_default();
    let time = Timestamp::from_nanoseconds(milliseconds.saturating_mul(1_000_000));
    let value = message.payload().unwrap_or_default();
    let body = message.key_len() + value.len();
    // The driver panics on names of headers that are not UTF-8.
    let read = contain(|| {
        let headers = Reader::new(message.headers());
        (content(message.key(), &headers, value), headers.bytes())
    });
    let (content, more) = read.unwrap_or_else(|_| {
        let why = "its headers cannot be read".to_owned();
        (Content::Damaged(Damaged { named: None, why, bytes: value.to_vec() }), 0)
    });
    Record { position, time, bytes: body + more, content }
}

fn content<R: Recorded>(key: Option<&[u8]>, headers: &Reader<'_>, value: &[u8]) -> Content<R> {
    let aggregate = read_key(key);
    let whole = |key| {
        let text = std::str::from_utf8(value).map_err(|_| "the value is not UTF-8".to_owned())?;
        let json = Json::try_from(text.to_owned());
        let json = json.map_err(|error| format!("the value is not JSON: {error}"))?;
        R::read(key, headers, json)
    };
    match aggregate.clone().and_then(whole) {
        Ok(whole) => Content::Whole(whole),
        Err(why) => {
            let request = headers.parse::<RequestId>("ce_requestid").ok();
            let named = aggregate.ok().zip(request);
            Content::Damaged(Damaged { named, why, bytes: value.to_vec() })
        }
    }
}

fn read_key(key: Option<&[u8]>) -> Result<AggregateKey, Unreadable> {
    let key = key.ok_or("there is no key")?;
    let text = std::str::from_utf8(key).map_err(|_| "the key is not UTF-8")?;
    text.parse().map_err(|error| format!("the key: {error}"))
}

#[cfg(test)]
mod tests {
    use ordain_model::Fingerprint;

    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_it_is_shown() {
        let one = Fingerprint::of_unreadable(b"x");
        assert_eq!(Fingerprint::from(one.to_string().parse::<Hex>().unwrap().0), one);
        for bad in ["", "0", &"0".repeat(63), &"0".repeat(66), &"g".repeat(64), &"é".repeat(32)] {
            assert!(bad.parse::<Hex>().is_err(), "{bad}");
        }
    }
}
