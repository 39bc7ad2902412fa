//! The second opinion on short lines: an order of the commands of an aggregate is searched,
//! whatever the system says of it.

use super::Demands;
use crate::Anomaly;
use crate::findings::Findings;
use crate::linear::{self, Limits, Verdict};
use crate::tables::Tables;

/// So many steps take some milliseconds. A search that gives up says nothing.
const STEPS_MAX: u64 = 20_000;

pub(super) fn check(tables: &Tables, demands: &Demands, found: &mut Findings) {
    let operations_max = demands.searched_commands_max;
    let limits = Limits { operations_max, steps_max: STEPS_MAX };
    for (aggregate, history) in linear::histories_of(tables, operations_max) {
        if let Verdict::NotLinearizable(longest) = linear::search(&history, limits) {
            let aggregate = tables.aggregate(aggregate);
            let (fitting, commands) = (longest.len() as u64, history.len() as u64);
            found.add(Anomaly::NoOrder { aggregate, fitting, commands });
        }
    }
}
