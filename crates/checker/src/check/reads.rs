//! What readers of views saw: a row never goes back for one reader, and a view that says it has
//! come as far as a receipt shows it.

use foldhash::HashMap;

use super::Index;
use super::rows::cleaner_sequences;
use crate::Anomaly;
use crate::findings::Findings;
use crate::history::{TENANT_DEFAULT, ViewRead};
use crate::tables::Tables;

pub(super) fn check(tables: &Tables, index: &Index, found: &mut Findings) {
    let mut reads: Vec<&ViewRead> = tables.view_reads.iter().collect();
    reads.sort_by_key(|read| (read.session, read.called));
    // Per row, what the session had seen of it, and when.
    let mut seen: HashMap<(u32, &str, &str), (u64, u64)> = HashMap::default();
    for read in reads {
        let ViewRead { session, view, key, .. } = read;
        let after = read.sequence.unwrap_or(0);
        let (at, before) = seen.entry((*session, view, key)).or_insert((read.at, after));
        if *at < read.called && after < *before {
            let (view, key) = (view.clone(), key.clone());
            let (session, before) = (*session, *before);
            found.add(Anomaly::WentBack { view, key, session, before, after });
        }
        if after >= *before {
            (*at, *before) = (read.at, after);
        }
        reached(tables, index, read, found);
    }
}

fn reached(tables: &Tables, index: &Index, read: &ViewRead, found: &mut Findings) {
    let Some(reached) = read.reached else { return };
    let Some(aggregate) = aggregate_of_row(tables, &read.view, &read.key) else { return };
    let expected = match read.view.as_str() {
        "cleaner-jobs" => {
            let cleaner = read.key.split('/').next().unwrap_or_default();
            let touched = cleaner_sequences(tables, index, (aggregate, cleaner));
            touched.filter(|sequence| *sequence <= reached).max().unwrap_or(0)
        }
        _ => reached.min(index.event_count(aggregate)),
    };
    let shown = read.sequence.unwrap_or(0);
    if shown < expected {
        let (view, key) = (read.view.clone(), read.key.clone());
        found.add(Anomaly::ReceiptNotReached { view, key, reached, found: shown });
    }
}

/// The aggregate from which a row of a view follows; none where the view is not modelled.
pub(super) fn aggregate_of_row(tables: &Tables, view: &str, key: &str) -> Option<u32> {
    let (kind, id) = match view {
        "accounts" => ("account", key),
        "job-requests" => ("job-request", key),
        "cleaner-jobs" => ("job-request", key.split_once('/')?.1),
        _ => return None,
    };
    tables.aggregates.find(&format!("{TENANT_DEFAULT}/{kind}/{id}"))
}
