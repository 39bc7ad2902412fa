//! What travels: one byte that says the version, then postcard. In version 2 the trace of the
//! commit stands before the rest; what has none is written in version 1, for processes that know no
//! other.

use std::sync::Arc;

use ordain_model::{AggregateKey, Commit, ReplyAddress, RequestId, TraceContext};
use ordain_ports::{Answer, Reply};
use serde::{Deserialize, Serialize};

const VERSION: u8 = 1;
const TRACED: u8 = 2;

/// What a frame that arrived says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Frame {
    /// A reply.
    Reply(Reply),
    /// Its sender had replies for this channel that it could not send.
    Lost,
}

/// As it is written. Its cases are numbered by their order, which must stay.
#[derive(Serialize)]
enum Written<'a> {
    Reply {
        nonce: u64,
        aggregate: &'a AggregateKey,
        request: &'a RequestId,
        commit: Option<&'a Commit>,
    },
    Lost,
}

/// The same as it is read.
#[derive(Deserialize)]
enum Read {
    Reply { nonce: u64, aggregate: AggregateKey, request: RequestId, commit: Option<Arc<Commit>> },
    Lost,
}

/// Writes a reply. The channel is not in it: who reads it knows its own.
pub(crate) fn reply(reply: &Reply) -> Result<Vec<u8>, postcard::Error> {
    let commit = match &reply.answer {
        Answer::Commit(commit) => Some(&**commit),
        Answer::LookUp => None,
    };
    let written = Written::Reply {
        nonce: reply.to.nonce,
        aggregate: &reply.aggregate,
        request: &reply.request,
        commit,
    };
    match commit.and_then(|commit| commit.trace) {
        Some(trace) => postcard::to_extend(&(trace, written), vec![TRACED]),
        None => write(&written),
    }
}

/// Writes that replies were lost.
pub(crate) fn lost() -> Result<Vec<u8>, postcard::Error> {
    write(&Written::Lost)
}

fn write(frame: &Written<'_>) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_extend(frame, vec![VERSION])
}

/// Reads what arrived at a channel; none when it is damaged or of a version that is not known.
pub(crate) fn read(channel: &Arc<str>, bytes: &[u8]) -> Option<Frame> {
    let (trace, content) = traced(bytes)?;
    let (frame, []) = postcard::take_from_bytes(content).ok()? else { return None };
    Some(match frame {
        Read::Lost => Frame::Lost,
        Read::Reply { nonce, aggregate, request, commit } => Frame::Reply(Reply {
            to: ReplyAddress { channel: Arc::clone(channel), nonce },
            aggregate,
            request,
            answer: commit.map_or(Answer::LookUp, |mut commit| {
                // Nobody else has it yet, so this copies nothing.
                Arc::make_mut(&mut commit).trace = trace;
                Answer::Commit(commit)
            }),
        }),
    })
}

/// The trace that a frame begins with, and the rest of it.
fn traced(bytes: &[u8]) -> Option<(Option<TraceContext>, &[u8])> {
    match bytes.split_first()? {
        (&VERSION, content) => Some((None, content)),
        (&TRACED, content) => {
            let (trace, content) = postcard::take_from_bytes(content).ok()?;
            Some((Some(trace), content))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ordain_ports::contract::samples::{Line, aggregate, request};

    use super::*;

    fn replies(channel: &Arc<str>) -> Vec<Reply> {
        let to = ReplyAddress { channel: Arc::clone(channel), nonce: u64::MAX };
        let mut line = Line::of("a");
        let commits = [line.success(3), line.refusal()];
        let mut replies: Vec<Reply> = commits
            .into_iter()
            .map(|commit| Reply {
                to: to.clone(),
                aggregate: commit.aggregate.clone(),
                request: commit.request.clone(),
                answer: Answer::Commit(commit),
            })
            .collect();
        let answer = Answer::LookUp;
        replies.push(Reply { to, aggregate: aggregate("a"), request: request("r"), answer });
        replies
    }

    #[test]
    fn what_is_written_is_read() {
        let channel = Arc::from("c");
        for sent in replies(&channel) {
            let bytes = reply(&sent).unwrap();
            assert_eq!(read(&channel, &bytes), Some(Frame::Reply(sent)));
        }
        assert_eq!(read(&channel, &lost().unwrap()), Some(Frame::Lost));
    }

    #[test]
    fn what_is_damaged_is_not_read() {
        let channel = Arc::from("c");
        for sent in replies(&channel) {
            let whole = reply(&sent).unwrap();
            for length in 0..whole.len() {
                assert_eq!(read(&channel, &whole[..length]), None, "cut to {length} bytes");
            }
            let longer = [&whole[..], &[0]].concat();
            assert_eq!(read(&channel, &longer), None, "a byte too many");
            let newer = [&[TRACED + 1], &whole[1..]].concat();
            assert_eq!(read(&channel, &newer), None, "another version");
        }
    }

    /// Processes of two builds speak with each other: what is on the wire must not change under
    /// the same version.
    #[test]
    fn the_format_stays() {
        assert_eq!(lost().unwrap(), [1, 1]);
        let to = ReplyAddress { channel: Arc::from("c"), nonce: 5 };
        let answer = Answer::LookUp;
        let sent = Reply { to, aggregate: aggregate("a"), request: request("r"), answer };
        let key = sent.aggregate.as_str().as_bytes();
        let expected = [&[1, 0, 5, key.len() as u8], key, &[1, b'r', 0]].concat();
        assert_eq!(reply(&sent).unwrap(), expected);
    }

    #[test]
    fn only_what_belongs_to_a_trace_is_in_the_newer_version() {
        let versions: Vec<u8> =
            replies(&Arc::from("c")).iter().map(|sent| reply(sent).unwrap()[0]).collect();
        assert_eq!(versions, [TRACED, VERSION, VERSION]);
    }
}
