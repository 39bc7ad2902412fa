//! Money that moves between accounts is neither made nor lost.

use foldhash::HashSet;
use serde::Deserialize;

use super::Index;
use crate::findings::Findings;
use crate::reference::Event;
use crate::reference::account::Event as AccountEvent;
use crate::tables::{Commit, Tables, Transfer};
use crate::{Anomaly, Outcome};

#[derive(Deserialize)]
struct Funds {
    funds: i64,
}

pub(super) fn check(tables: &Tables, index: &Index, found: &mut Findings) {
    for transfer in &tables.transfers {
        if let Some(became) = broken(tables, index, transfer) {
            let Transfer { from, to, amount } = transfer;
            let (withdrawal, deposit) = (tables.named(*from), tables.named(*to));
            let amount = *amount;
            found.add(Anomaly::TransferBroken { withdrawal, deposit, amount, became });
        }
    }
    let moved: HashSet<u32> = tables.transfers.iter().flat_map(|t| [t.from, t.to]).collect();
    let outside = tables.commits.iter().filter(|commit| !moved.contains(&commit.operation));
    let expected = outside.map(|commit| gain(tables, commit)).sum();
    let rows = tables.rows.iter().filter(|row| row.view == "accounts");
    let funds = rows.filter_map(|row| serde_json::from_str::<Funds>(&row.row).ok());
    let held = funds.map(|row| i128::from(row.funds)).sum();
    if expected != held {
        found.add(Anomaly::TotalDiffers { expected, found: held });
    }
}

/// What a commit adds to its account.
fn gain(tables: &Tables, commit: &Commit) -> i128 {
    let events = tables.happened_of(commit).iter();
    let gains = events.filter_map(|event| match tables.events.value(event.event).as_ref() {
        Event::Account(event @ (AccountEvent::Deposited(_) | AccountEvent::Withdrawn(_))) => {
            event.gain()
        }
        _ => None,
    });
    gains.map(i128::from).sum()
}

/// What became of the deposit, where that does not fit the withdrawal.
fn broken(tables: &Tables, index: &Index, transfer: &Transfer) -> Option<String> {
    let succeeded = |commit: &&Commit| tables.outcome(commit.verdict) == Outcome::Success;
    let withdrawn = index.commit(tables, transfer.from).filter(succeeded);
    let deposited = index.commit(tables, transfer.to);
    let given = withdrawn.map_or(0, |commit| -gain(tables, commit));
    let taken = deposited.filter(succeeded).map_or(0, |commit| gain(tables, commit));
    let whole = if withdrawn.is_some() { i128::from(transfer.amount) } else { 0 };
    if given == whole && taken == whole {
        return None;
    }
    Some(match deposited {
        None => "was never decided".to_owned(),
        Some(commit) => format!("became {}, taking {taken}", tables.verdict(commit.verdict)),
    })
}
