//! Every accepted command has exactly one outcome, and each outcome one cause.

use foldhash::HashMap;

use super::Index;
use crate::findings::Findings;
use crate::tables::{Commit, Meaning, NONE, Tables};
use crate::{Anomaly, Outcome, Place};

pub(super) fn check(tables: &Tables, index: &Index, found: &mut Findings) {
    for record in &tables.records {
        if index.commit(tables, record.operation).is_none() {
            let command = tables.named(record.operation);
            found.add(Anomaly::Lost { command, place: record.place });
        }
    }
    causes(tables, index, found);
    refusals(tables, found);
}

fn causes(tables: &Tables, index: &Index, found: &mut Findings) {
    let mut caused: HashMap<Place, u32> = HashMap::default();
    for commit in &tables.commits {
        let other = *caused.entry(commit.source).or_insert(commit.operation);
        // A command that was decided twice from one record is told as such.
        if other != commit.operation {
            let (first, second) = (tables.named(other), tables.named(commit.operation));
            found.add(Anomaly::SharedCause { place: commit.source, first, second });
        }
        cause(tables, (index, commit), found);
    }
}

fn cause(tables: &Tables, (index, commit): (&Index, &Commit), found: &mut Findings) {
    let place = commit.source;
    let command = || tables.named(commit.operation);
    if index.is_unreadable(place) {
        if tables.outcome(commit.verdict) != Outcome::Rejected {
            let stored = tables.verdict(commit.verdict);
            found.add(Anomaly::PlantedDecided { command: command(), place, stored });
        }
        return;
    }
    let Some(record) = index.record(tables, place) else {
        found.add(Anomaly::CauseMissing { command: command(), place });
        return;
    };
    let what = if record.operation != commit.operation {
        "aggregate or request id"
    } else if record.command != commit.command {
        "command"
    } else if record.fingerprint != commit.fingerprint {
        "fingerprint"
    } else if record.nonce != commit.nonce {
        "nonce"
    } else {
        return;
    };
    found.add(Anomaly::CauseDiffers { command: command(), place, what });
}

/// No more sendings of a command may stand in the log than were not refused. Records that say the
/// same nonce are copies of one sending.
fn refusals(tables: &Tables, found: &mut Findings) {
    // Of each command: whether it was sent at all, and how many sendings were not refused.
    let mut sent = vec![(false, 0_u64); tables.operations.len()];
    for call in tables.calls.iter().filter(|call| call.asked != NONE) {
        let (was_sent, possible) = &mut sent[call.operation as usize];
        *was_sent = true;
        *possible += u64::from(call.meaning != Meaning::NotAccepted);
    }
    let mut sendings: Vec<(u32, u64)> =
        tables.records.iter().map(|record| (record.operation, record.nonce)).collect();
    sendings.sort_unstable();
    sendings.dedup();
    for sendings in sendings.chunk_by(|one, next| one.0 == next.0) {
        let (operation, records) = (sendings[0].0, sendings.len() as u64);
        let (was_sent, possible) = sent[operation as usize];
        if was_sent && records > possible {
            let command = tables.named(operation);
            found.add(Anomaly::RefusedYetAccepted { command, records, possible });
        }
    }
}
