//! The values: commands, commits, rows and all else, each a function of its writer and number.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use ordain_model::{
    AggregateKey, Code, Command, Commit, Event, Fingerprint, Json, Outcome, ReplyAddress,
    RequestId, Snapshot, Source, Timestamp,
};
use ordain_ports::{Announced, DeadLetter, LetterId, Position, Row};

use super::{FILLER, LARGE_BYTES};

const BEGINNING: i64 = 1_780_000_000_000_000_000;

/// The version of the snapshots.
pub(super) const FOLD_VERSION: u32 = 1;

/// An aggregate of a writer.
pub(super) fn aggregate(writer: u32, which: usize) -> Result<AggregateKey> {
    Ok(AggregateKey::new("default", "account", &format!("w{writer}-{which}"))?)
}

/// A request id: who wrote it, what it is about, and its number.
pub(super) fn request(writer: u32, what: &str, number: u64) -> Result<RequestId> {
    Ok(format!("{writer}:{what}:{number}").parse()?)
}

/// What a request id says: writer, what it is about, number.
#[must_use]
pub fn request_of(request: &RequestId) -> Option<(u32, &str, u64)> {
    let mut parts = request.as_str().splitn(3, ':');
    Some((parts.next()?.parse().ok()?, parts.next()?, parts.next()?.parse().ok()?))
}

fn text(seed: u64, bytes: usize) -> String {
    // A few different letters a value, so that one cannot be taken for another.
    (0..bytes as u64)
        .map(|at| char::from(b'a' + ((seed + at * (1 + seed % 5)) % 26) as u8))
        .collect()
}

fn data(seed: u64) -> Result<Json> {
    let bytes = if seed.is_multiple_of(7) { 3_000 } else { 40 };
    Ok(Json::try_from(format!("{{\"amount\":{seed},\"note\":\"{}\"}}", text(seed, bytes)))?)
}

/// The command that a writer appends in a cycle.
pub(super) fn command(writer: u32, cycle: u64) -> Result<Command> {
    Ok(Command {
        aggregate: aggregate(writer, usize::from(cycle % 2 == 1))?,
        request: request(writer, "c", cycle)?,
        name: "deposit".parse()?,
        schema: format!("{:032x}", 7).parse().ok().context("a schema's hash has another form")?,
        data: if writer >= super::APPENDER {
            Json::of(&text(cycle, super::APPENDED_BYTES))?
        } else {
            data(cycle)?
        },
        fingerprint: Fingerprint::from([1; 32]),
        expected_sequence: None,
        deadline: None,
        reply_to: ReplyAddress { channel: Arc::from("channel"), nonce: cycle },
        time: time(cycle),
        trace: None,
    })
}

fn time(number: u64) -> Timestamp {
    Timestamp::from_nanoseconds(BEGINNING.saturating_add_unsigned(number * 1_000))
}

/// The revisions that an aggregate of a writer has after so many cycles.
pub(super) fn revisions_after(writer: u32, which: usize, cycles: u64) -> u64 {
    match (writer, which) {
        (FILLER, 0) => cycles,
        (FILLER.., _) => 0,
        (_, 0) => (0..cycles).map(|cycle| 1 + cycle % 3).sum(),
        _ => cycles / 2,
    }
}

/// The cycle in which a revision is inserted.
#[must_use]
pub fn cycle_of(writer: u32, which: usize, revision: u64) -> u64 {
    (0..).take_while(|cycle| revisions_after(writer, which, cycle + 1) < revision).count() as u64
}

const fn events_of(revision: u64) -> u64 {
    if revision % 5 == 4 { 0 } else { 1 + revision % 2 }
}

/// The sequence of an aggregate at a revision.
pub(super) fn sequence_at(writer: u32, revision: u64) -> u64 {
    if writer == FILLER { revision } else { (1..=revision).map(events_of).sum() }
}

/// A commit of an aggregate of a writer.
///
/// # Errors
/// Never, unless ids have got another form.
pub fn commit(writer: u32, which: usize, revision: u64) -> Result<Commit> {
    let before = sequence_at(writer, revision - 1);
    let sequence = sequence_at(writer, revision);
    let event = |sequence: u64| -> Result<Event> {
        let data = if writer == FILLER {
            Json::of(&text(revision, LARGE_BYTES))?
        } else {
            data(revision * 10 + sequence)?
        };
        let time = time(revision * 10 + (sequence - before));
        Ok(Event { sequence, name: "deposited".parse()?, version: 1, data, time })
    };
    let refused = Outcome::Fail(Code::new("INSUFFICIENT_FUNDS"));
    Ok(Commit {
        aggregate: aggregate(writer, which)?,
        request: request(writer, &which.to_string(), revision)?,
        command: "deposit".parse()?,
        fingerprint: Fingerprint::from([2; 32]),
        revision,
        sequence,
        outcome: if sequence == before { refused } else { Outcome::Success },
        events: (before + 1..=sequence).map(event).collect::<Result<_>>()?,
        time: time(revision * 10),
        source: Source { partition: 0, offset: revision, nonce: revision },
        trace: None,
    })
}

/// The commits that a writer inserts in a cycle.
pub(super) fn commits(writer: u32, cycle: u64) -> Result<Vec<Arc<Commit>>> {
    let mut commits = Vec::new();
    for which in 0..super::AGGREGATES {
        let from = revisions_after(writer, which, cycle) + 1;
        let to = revisions_after(writer, which, cycle + 1);
        for revision in from..=to {
            commits.push(Arc::new(commit(writer, which, revision)?));
        }
    }
    Ok(commits)
}

/// The row of an aggregate at a sequence.
pub(super) fn row(writer: u32, which: usize, sequence: u64) -> Result<Row> {
    Ok(Row {
        key: format!("w{writer}-{which}"),
        aggregate: aggregate(writer, which)?,
        sequence,
        body: Some(data(sequence)?),
    })
}

/// The snapshot of an aggregate at a revision.
pub(super) fn snapshot(writer: u32, which: usize, revision: u64) -> Result<Snapshot> {
    Ok(Snapshot {
        aggregate: aggregate(writer, which)?,
        fold_version: FOLD_VERSION,
        revision,
        sequence: sequence_at(writer, revision),
        time: time(revision * 10),
        state: data(revision)?,
    })
}

/// The two dead letters of a cycle.
pub(super) fn letters(writer: u32, cycle: u64) -> Result<Vec<DeadLetter>> {
    let letter = |partition: u32| -> Result<DeadLetter> {
        Ok(DeadLetter {
            id: LetterId::new(&format!("w{writer}"), Position { partition, offset: cycle }),
            named: Some((aggregate(writer, 0)?, request(writer, "l", cycle)?)),
            command: Some("deposit".to_owned()),
            code: Code::new("NOT_STORABLE"),
            why: "as told".to_owned(),
            data: text(cycle, 50).into_bytes(),
            time: time(cycle),
            retries: Vec::new(),
        })
    };
    (0..2).map(letter).collect()
}

/// The two announcements of a cycle.
pub(super) fn announced(writer: u32, cycle: u64) -> Result<Vec<Announced>> {
    let announced = |number: u64| -> Result<Announced> {
        let schema = format!("{:032x}", cycle * 2 + number).parse().ok();
        Ok(Announced {
            aggregate_type: format!("w{writer}"),
            command: format!("c{number}"),
            schema: schema.context("a schema's hash has another form")?,
        })
    };
    (0..2).map(announced).collect()
}

/// The record that is marked in a cycle.
pub(super) const fn marked(writer: u32, cycle: u64) -> Position {
    Position { partition: 100 + writer, offset: cycle }
}
