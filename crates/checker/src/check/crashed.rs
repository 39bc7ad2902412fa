//! No more commands are rejected for crashing than processes were made to fail.

use std::collections::BTreeMap;

use super::{Index, RULE_CRASHED};
use crate::Anomaly;
use crate::findings::Findings;
use crate::reference::Command;
use crate::reference::broken::Command::{Abort, Hang};
use crate::tables::{Commit, Tables};

/// A record is rejected when so many processes that had marked it failed before.
const FAILED_BEFORE: u64 = 3;

/// Whatever fails leaves at most one mark in each partition, a process that a rule ended, too: that
/// is a fault like the others. Commands whose own rule ends no process are counted apart as well,
/// against what failed for another reason: that a rule ended one must cost nobody else a command.
pub(super) fn check(tables: &Tables, index: &Index, found: &mut Findings) {
    let met = |is_counted: fn(&bool) -> bool| -> u64 {
        let faults = tables.faults.iter().filter(|fault| is_counted(&fault.by_rule));
        faults.map(|fault| fault.kills + fault.pauses).sum()
    };
    let (all, others) = (met(|_| true), met(|is_by_rule| !is_by_rule));
    let mut crashed: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for commit in &tables.commits {
        let (_, code) = tables.verdicts.value(commit.verdict).as_ref();
        if code.as_deref() == Some(RULE_CRASHED) {
            let (count, innocent) = crashed.entry(commit.source.partition).or_default();
            *count += 1;
            *innocent += u64::from(!ends_its_process(tables, index, commit));
        }
    }
    for (partition, (count, innocent)) in crashed {
        if count * FAILED_BEFORE > all {
            found.add(Anomaly::CrashedWithoutFaults { partition, found: count, faults: all });
        } else if innocent * FAILED_BEFORE > others {
            found.add(Anomaly::InnocentCrashed { partition, found: innocent, faults: others });
        }
    }
}

/// Whether the command of a commit has a rule that takes its process with it.
fn ends_its_process(tables: &Tables, index: &Index, commit: &Commit) -> bool {
    let record = index.record(tables, commit.source);
    record.filter(|record| record.operation == commit.operation).is_some_and(|record| {
        let asked = tables.asked.value(record.asked);
        matches!(asked.command, Command::Broken(Abort | Hang))
    })
}
