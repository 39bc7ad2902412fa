//! The log of events has every event, in the order of its first occurrences. Repeats may stand
//! anywhere behind.

use super::Index;
use crate::Anomaly;
use crate::findings::Findings;
use crate::names::number;
use crate::tables::{NONE, Published, Tables};

/// How far the log has been followed for one aggregate.
#[derive(Clone, Copy)]
struct Seen {
    partition: u32,
    sequence: u64,
}

pub(super) fn check(tables: &Tables, index: &Index, found: &mut Findings) {
    let mut seen = vec![Seen { partition: NONE, sequence: 0 }; tables.aggregates.len()];
    let mut order: Vec<&Published> = tables.published.iter().collect();
    order.sort_unstable_by_key(|published| published.place);
    for published in order {
        follow(tables, published, &mut seen, found);
        content(tables, index, published, found);
    }
    for (aggregate, seen) in seen.iter().enumerate() {
        let aggregate = number(aggregate);
        if seen.sequence < index.event_count(aggregate) {
            let (aggregate, sequence) = (tables.aggregate(aggregate), seen.sequence + 1);
            found.add(Anomaly::EventMissing { aggregate, sequence });
        }
    }
}

fn follow(tables: &Tables, published: &Published, seen: &mut [Seen], found: &mut Findings) {
    let Published { place, aggregate, happened, .. } = published;
    let seen = &mut seen[*aggregate as usize];
    if seen.partition == NONE {
        seen.partition = place.partition;
    }
    if seen.partition != place.partition {
        let (aggregate, first) = (tables.aggregate(*aggregate), seen.partition);
        found.add(Anomaly::EventsScattered { aggregate, first, place: *place });
    }
    let (sequence, expected) = (happened.sequence, seen.sequence + 1);
    if sequence > expected {
        let aggregate = tables.aggregate(*aggregate);
        found.add(Anomaly::EventOvertakes { aggregate, sequence, expected, place: *place });
    }
    seen.sequence = seen.sequence.max(sequence);
}

/// Whether the event says what its commit says.
fn content(tables: &Tables, index: &Index, published: &Published, found: &mut Findings) {
    let Published { place, aggregate, request, happened } = published;
    let (sequence, place) = (happened.sequence, *place);
    let name = || tables.aggregate(*aggregate);
    let Some((stored, event)) = index.event(tables, *aggregate, sequence) else {
        found.add(Anomaly::EventUnknown { aggregate: name(), sequence, place });
        return;
    };
    let cause = index.commit_of_event(tables, event);
    let cause = cause.map(|commit| tables.operations[commit.operation as usize].request);
    let what = if stored.text != happened.text {
        "type or data"
    } else if stored.time != happened.time {
        "time"
    } else if cause != Some(*request) {
        "request id"
    } else {
        return;
    };
    found.add(Anomaly::EventDiffers { aggregate: name(), sequence, place, what });
}
