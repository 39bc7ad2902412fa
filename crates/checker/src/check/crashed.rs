//! No more commands are rejected for crashing than processes were made to fail.

use std::collections::BTreeMap;

use super::line::RULE_CRASHED;
use crate::Anomaly;
use crate::findings::Findings;
use crate::tables::Tables;

/// A record is rejected when so many processes that had marked it failed before.
const FAILED_BEFORE: u64 = 3;

/// Whatever fails leaves at most one mark in each partition, a process that a rule ended, too: that
/// is a fault like the others.
pub(super) fn check(tables: &Tables, found: &mut Findings) {
    let faults = tables.faults.iter().map(|fault| fault.kills + fault.pauses).sum();
    let mut crashed: BTreeMap<u32, u64> = BTreeMap::new();
    for commit in &tables.commits {
        let (_, code) = tables.verdicts.value(commit.verdict).as_ref();
        if code.as_deref() == Some(RULE_CRASHED) {
            *crashed.entry(commit.source.partition).or_default() += 1;
        }
    }
    for (partition, count) in crashed {
        if count * FAILED_BEFORE > faults {
            found.add(Anomaly::CrashedWithoutFaults { partition, found: count, faults });
        }
    }
}
