//! What a run has to show so that being free of anomalies means something.

use super::{Demands, Totals};
use crate::Anomaly;
use crate::findings::Findings;
use crate::tables::Tables;

pub(super) fn check(tables: &Tables, (demands, totals): (&Demands, &Totals), found: &mut Findings) {
    let (succeeded, wanted) = (totals.successes, demands.successes_min);
    if succeeded < wanted {
        found.add(Anomaly::TooFewSucceeded { found: succeeded, wanted });
    }
    for fault in &tables.faults {
        let kinds = [
            ("kills", fault.kills, fault.kills_planned),
            ("pauses", fault.pauses, fault.pauses_planned),
            ("others", fault.others, fault.others_planned),
        ];
        for (what, met, planned) in kinds.into_iter().filter(|(_, met, planned)| met < planned) {
            let name = fault.name.clone();
            found.add(Anomaly::FaultNotMet { name, what, met, planned });
        }
    }
}
