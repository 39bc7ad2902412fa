//! The line of an aggregate agrees with real time: what is called after a revision was shown stands
//! behind it.
//!
//! That is also what makes a revision lie inside its call's time: all that was shown before the
//! call stands before it, and all that is called after its answer stands behind it.

use super::Index;
use super::reads::aggregate_of_row;
use crate::Anomaly;
use crate::findings::Findings;
use crate::names::number;
use crate::tables::{Meaning, NONE, StateRead, Tables};

/// Something at a point of time that concerns a revision of an aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    aggregate: u32,
    at: u64,
    /// At one time what begins comes first: it is not known to have come later.
    what: What,
    revision: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// A command was sent for the first time: its number.
    Called(u32),
    /// Somebody asked for its outcome and was told that it is unknown: the place of the call.
    Unknown(u32),
    /// Somebody asked for the aggregate's state: the place of the read.
    Read(u32),
    /// The revision was shown.
    Shown,
}

pub(super) fn check(tables: &Tables, index: &Index, found: &mut Findings) {
    let mut points = Vec::new();
    called(tables, index, &mut points);
    answered(tables, index, &mut points);
    read(tables, index, &mut points);
    points.sort_unstable();
    for points in points.chunk_by(|one, next| one.aggregate == next.aggregate) {
        let mut shown = 0;
        for point in points {
            match point.what {
                What::Shown => shown = shown.max(point.revision),
                What::Called(operation) if point.revision <= shown => {
                    let (later, revision) = (tables.named(operation), point.revision);
                    found.add(Anomaly::OutOfTime { later, revision, earlier_revision: shown });
                }
                What::Unknown(call) if point.revision <= shown => {
                    let call = &tables.calls[call as usize];
                    let command = tables.named(call.operation);
                    let (call, revision) = (call.number, point.revision);
                    found.add(Anomaly::FalselyUnknown { command, call, revision, shown });
                }
                What::Read(read) if point.revision < shown => {
                    let StateRead { aggregate, session, revision, .. } =
                        tables.state_reads[read as usize];
                    let aggregate = tables.aggregate(aggregate);
                    found.add(Anomaly::StateBehind { aggregate, session, found: revision, shown });
                }
                What::Called(_) | What::Unknown(_) | What::Read(_) => {}
            }
        }
    }
}

/// When each command was first sent of those sendings that may have been decided.
fn called(tables: &Tables, index: &Index, points: &mut Vec<Point>) {
    let mut firsts = vec![u64::MAX; tables.operations.len()];
    // Without a history of its sending nothing is known of when it was sent.
    for call in tables.calls.iter().filter(|call| call.asked != NONE) {
        let decided = index.commit(tables, call.operation);
        let decided = decided.and_then(|commit| index.record(tables, commit.source));
        let is_other = decided.is_some_and(|record| record.asked != call.asked);
        if call.meaning != Meaning::NotAccepted && !is_other {
            let first = &mut firsts[call.operation as usize];
            *first = (*first).min(call.at);
        }
    }
    for (operation, at) in firsts.into_iter().enumerate().filter(|(_, at)| *at != u64::MAX) {
        let operation = number(operation);
        if let Some(commit) = index.commit(tables, operation) {
            let aggregate = tables.aggregate_of(commit);
            let what = What::Called(operation);
            points.push(Point { aggregate, at, what, revision: commit.revision });
        }
    }
}

fn answered(tables: &Tables, index: &Index, points: &mut Vec<Point>) {
    for (place, call) in tables.calls.iter().enumerate() {
        let Some(commit) = index.commit(tables, call.operation) else { continue };
        let (at, what) = match call.meaning {
            Meaning::Told(_) => (call.answered, What::Shown),
            Meaning::Unknown => (call.at, What::Unknown(number(place))),
            _ => continue,
        };
        let aggregate = tables.aggregate_of(commit);
        points.push(Point { aggregate, at, what, revision: commit.revision });
    }
}

/// What readers of states and views were shown was decided by then.
fn read(tables: &Tables, index: &Index, points: &mut Vec<Point>) {
    for (place, read) in tables.state_reads.iter().enumerate() {
        let StateRead { called, at, aggregate, revision, .. } = *read;
        points.push(Point { aggregate, at, what: What::Shown, revision });
        // There is nothing to be found until the first event.
        let newest = if revision > 0 { revision } else { index.eventless(tables, aggregate) };
        let what = What::Read(number(place));
        points.push(Point { aggregate, at: called, what, revision: newest });
    }
    for read in &tables.view_reads {
        let shown = || {
            let aggregate = aggregate_of_row(tables, &read.view, &read.key)?;
            let (_, event) = index.event(tables, aggregate, read.sequence?)?;
            let commit = index.commit_of_event(tables, event)?;
            Some((aggregate, commit.revision))
        };
        if let Some((aggregate, revision)) = shown() {
            points.push(Point { aggregate, at: read.at, what: What::Shown, revision });
        }
    }
}
