//! The keys of all tables. Ids and names hold no NUL, so one ends them; numbers are big endian, so
//! that keys stand in their order. No key is the beginning of another, but for those of outcomes.

use ordain_model::{AggregateKey, RequestId};
use ordain_ports::{LetterId, Position};

/// The longest key that the store takes.
const KEY_BYTES_MAX: usize = u16::MAX as usize;

const PROGRESS: u8 = b'p';
const START: u8 = b's';
const LETTER: u8 = b'l';
const BEGUN: u8 = b'b';
const MARKED: u8 = b'm';
const ANNOUNCED: u8 = b'a';
const OPEN: u8 = b'o';

/// A record of a log.
pub(crate) fn record(position: Position) -> [u8; 12] {
    let mut key = [0; 12];
    let (partition, offset) = key.split_at_mut(4);
    partition.copy_from_slice(&position.partition.to_be_bytes());
    offset.copy_from_slice(&position.offset.to_be_bytes());
    key
}

/// All records of a partition.
pub(crate) const fn partition(partition: u32) -> [u8; 4] {
    partition.to_be_bytes()
}

/// The number at the end of a key.
pub(crate) fn last_number(key: &[u8]) -> Option<u64> {
    key.last_chunk().copied().map(u64::from_be_bytes)
}

fn ended(aggregate: &AggregateKey, rest: &[u8]) -> Vec<u8> {
    let text = aggregate.as_str().as_bytes();
    let mut key = Vec::with_capacity(text.len() + 1 + rest.len());
    key.extend_from_slice(text);
    key.push(0);
    key.extend_from_slice(rest);
    key
}

/// All commits or all snapshots of an aggregate.
pub(crate) fn of_aggregate(aggregate: &AggregateKey) -> Vec<u8> {
    ended(aggregate, &[])
}

/// A commit.
pub(crate) fn commit(aggregate: &AggregateKey, revision: u64) -> Vec<u8> {
    ended(aggregate, &revision.to_be_bytes())
}

/// Whose commit or snapshot stands under a key.
pub(crate) fn aggregate_of(key: &[u8]) -> Option<AggregateKey> {
    let text = key.split(|byte| *byte == 0).next()?;
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// An outcome. It is only asked for whole: that of one may begin that of another.
pub(crate) fn outcome(aggregate: &AggregateKey, request: &RequestId) -> Vec<u8> {
    [request.as_str().as_bytes(), &[0], aggregate.as_str().as_bytes()].concat()
}

/// The same, of the key that it had up to format 2.
pub(crate) fn outcome_of_format_2(key: &[u8]) -> Option<Vec<u8>> {
    let end = key.iter().position(|byte| *byte == 0)?;
    let (aggregate, request) = (key.get(..end)?, key.get(end + 1..)?);
    Some([request, &[0], aggregate].concat())
}

/// A snapshot.
pub(crate) fn snapshot(aggregate: &AggregateKey, fold_version: u32) -> Vec<u8> {
    ended(aggregate, &fold_version.to_be_bytes())
}

/// A row or mark of a view; the view is any text, so its length stands first. `None` when that is
/// longer than a key can be.
pub(crate) fn in_view(view: &str, key: &str) -> Option<Vec<u8>> {
    let length = u16::try_from(view.len()).ok()?;
    let bytes = view.len() + key.len() + 2;
    if bytes > KEY_BYTES_MAX {
        return None;
    }
    let mut built = Vec::with_capacity(bytes);
    built.extend_from_slice(&length.to_be_bytes());
    built.extend_from_slice(view.as_bytes());
    built.extend_from_slice(key.as_bytes());
    Some(built)
}

fn note(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = vec![kind];
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

/// The saved progress of a group in a partition of a log.
pub(crate) fn progress(log: u8, group: &str, partition: u32) -> Vec<u8> {
    note(PROGRESS, &[&[log], &partition.to_be_bytes(), group.as_bytes()])
}

/// All progress of all groups on a log.
pub(crate) fn all_progress(log: u8) -> Vec<u8> {
    note(PROGRESS, &[&[log]])
}

/// Which partition and group the key of a progress is of.
pub(crate) fn group_of_progress(key: &[u8]) -> Option<(u32, &str)> {
    let (partition, group) = key.get(2..)?.split_first_chunk()?;
    Some((u32::from_be_bytes(*partition), std::str::from_utf8(group).ok()?))
}

/// The offset below which the records of a partition were deleted.
pub(crate) fn start(log: u8, partition: u32) -> Vec<u8> {
    note(START, &[&[log], &partition.to_be_bytes()])
}

/// All dead letters.
pub(crate) fn letters() -> Vec<u8> {
    vec![LETTER]
}

/// A dead letter. `None` when its topic cannot be kept in order.
pub(crate) fn letter(id: &LetterId) -> Option<Vec<u8>> {
    let topic = id.topic.as_bytes();
    if topic.contains(&0) || topic.len() > KEY_BYTES_MAX / 2 {
        return None;
    }
    Some(note(LETTER, &[topic, &[0], &id.partition.to_be_bytes(), &id.offset.to_be_bytes()]))
}

/// Where the lane of a partition began, and how often.
pub(crate) fn begun(partition: u32) -> Vec<u8> {
    note(BEGUN, &[&partition.to_be_bytes()])
}

/// How often a record was marked.
pub(crate) fn marked(position: Position) -> Vec<u8> {
    note(MARKED, &[&position.partition.to_be_bytes(), &position.offset.to_be_bytes()])
}

/// Everything that was announced.
pub(crate) fn announcements() -> Vec<u8> {
    vec![ANNOUNCED]
}

/// One announcement, by its own encoding.
pub(crate) fn announced(encoded: &[u8]) -> Option<Vec<u8>> {
    (encoded.len() < KEY_BYTES_MAX).then(|| note(ANNOUNCED, &[encoded]))
}

/// That the home is open, or was not closed in order.
pub(crate) fn open() -> Vec<u8> {
    vec![OPEN]
}

/// The first key behind all that begin so.
pub(crate) fn behind(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    vec![u8::MAX; KEY_BYTES_MAX]
}
