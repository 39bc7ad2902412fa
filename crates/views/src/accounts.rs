//! The view `accounts`: what is in each account, and when something last happened to it.

use ordain_model::{AggregateKey, Json, Timestamp, Unprocessable};
use ordain_ports::{Published, SoleRow};
use serde::{Deserialize, Serialize};

use crate::view::{bad_row, data, unknown};
use crate::{Change, View};

/// A row an account, under its id: `{"funds": 1250, "timestamps": ["2026-05-04T…Z", …]}`, with
/// the times of its last 100 events, oldest first.
#[derive(Debug, Clone, Copy)]
pub struct Accounts;

const TIMESTAMPS_MAX: usize = 100;

/// The times stay text, as they stand in the row: they are only carried along.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row<'r> {
    funds: i64,
    #[serde(borrow)]
    timestamps: Vec<&'r str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Opened {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Moved {
    amount: i64,
}

impl View for Accounts {
    fn name(&self) -> &'static str {
        "accounts"
    }

    fn follows(&self) -> &'static [&'static str] {
        &["account"]
    }

    fn sole_row(&self) -> Option<SoleRow> {
        Some(AggregateKey::id)
    }

    fn changes(&self, event: &Published) -> Result<Vec<Change>, Unprocessable> {
        let gain = match (event.event.name.as_str(), event.event.version) {
            ("opened", 1) => data::<Opened>(event).map(|Opened {}| 0)?,
            ("deposited", 1) => data::<Moved>(event)?.amount,
            ("withdrawn", 1) => data::<Moved>(event)?.amount.saturating_neg(),
            _ => return Err(unknown(event)),
        };
        let time = event.event.time;
        let fold = move |row: Option<&Json>| fold(row, gain, time).map(Some);
        Ok(vec![Change::new(event.aggregate.id(), fold)])
    }
}

fn fold(row: Option<&Json>, gain: i64, time: Timestamp) -> Result<Json, Unprocessable> {
    let time = time.to_string();
    let mut row: Row<'_> = match row {
        Some(row) => serde_json::from_str(row.as_str()).map_err(bad_row)?,
        None => Row { funds: 0, timestamps: Vec::new() },
    };
    row.funds = row.funds.checked_add(gain).ok_or_else(|| bad_row("funds out of range"))?;
    row.timestamps.push(&time);
    let old = row.timestamps.len().saturating_sub(TIMESTAMPS_MAX);
    row.timestamps.drain(..old);
    Json::of(&row).map_err(bad_row)
}
