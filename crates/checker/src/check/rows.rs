//! The rows of the views are what the events amount to.

use foldhash::HashMap;
use serde::{Deserialize, Serialize};

use super::Index;
use crate::Anomaly;
use crate::evidence::Row;
use crate::findings::Findings;
use crate::history::TENANT_DEFAULT;
use crate::names::number;
use crate::reference::job::{Event as JobEvent, Job};
use crate::reference::time::rfc_3339;
use crate::reference::{Event, State};
use crate::tables::Tables;

/// So many times of events an account's row says.
const TIMESTAMPS_MAX: usize = 100;
const VIEWS: [&str; 3] = ["accounts", "job-requests", "cleaner-jobs"];

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountRow {
    funds: i64,
    timestamps: Vec<String>,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CleanerRow {
    cleaner: String,
    job: String,
    status: String,
}

/// Rows that nothing was compared with yet, by view and key.
type Rows<'t> = HashMap<&'t str, HashMap<&'t str, &'t Row>>;

pub(super) fn check(tables: &Tables, (index, states): (&Index, &[State]), found: &mut Findings) {
    let mut rows: Rows<'_> = VIEWS.into_iter().map(|view| (view, HashMap::default())).collect();
    for row in &tables.rows {
        if let Some(rows) = rows.get_mut(row.view.as_str()) {
            rows.insert(&row.key, row);
        }
    }
    for (aggregate, state) in states.iter().enumerate() {
        let aggregate = number(aggregate);
        let name = tables.aggregates.value(aggregate);
        let mut parts = name.splitn(3, '/');
        let (Some(TENANT_DEFAULT), _, Some(id)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let mut compare = Compare { rows: &mut rows, found, id };
        match state {
            State::Nothing | State::Broken(_) => {}
            State::Account(funds) => {
                let row = account_row(tables, index, (aggregate, *funds));
                compare.row("accounts", id, (index.event_count(aggregate), &row));
            }
            State::Job(job) => {
                let sequence = index.event_count(aggregate);
                compare.row::<Job>("job-requests", id, (sequence, job));
                compare.cleaners(tables, (index, aggregate), job);
            }
        }
    }
    let mut left: Vec<&Row> = rows.into_values().flat_map(HashMap::into_values).collect();
    left.sort_by_key(|row| (&row.view, &row.key));
    for row in left {
        let Row { view, key, sequence, .. } = row.clone();
        found.add(Anomaly::RowUnknown { view, key, sequence });
    }
}

fn account_row(tables: &Tables, index: &Index, (aggregate, funds): (u32, i64)) -> AccountRow {
    let events = index.events(tables, aggregate);
    let old = events.len().saturating_sub(TIMESTAMPS_MAX);
    AccountRow { funds, timestamps: events.skip(old).map(|event| rfc_3339(event.time)).collect() }
}

/// What an event makes of the row of a cleaner.
fn status(event: &Event, cleaner: &str) -> Option<&'static str> {
    let Event::Job(event) = event else { return None };
    match event {
        JobEvent::Created { cleaners, .. } if cleaners.iter().any(|c| c == cleaner) => {
            Some("offered")
        }
        JobEvent::Accepted(who) if who == cleaner => Some("accepted"),
        JobEvent::Declined(who) if who == cleaner => Some("declined"),
        JobEvent::Finished(who) if who == cleaner => Some("finished"),
        _ => None,
    }
}

/// The sequences of the events that change the row of a cleaner, in order.
pub(super) fn cleaner_sequences<'t>(
    tables: &'t Tables,
    index: &'t Index,
    (aggregate, cleaner): (u32, &'t str),
) -> impl DoubleEndedIterator<Item = u64> + 't {
    let touches = move |event: u32| status(tables.events.value(event), cleaner).is_some();
    let events = index.events(tables, aggregate).filter(move |event| touches(event.event));
    events.map(|event| event.sequence)
}

/// Compares rows of one aggregate.
struct Compare<'a, 't> {
    rows: &'a mut Rows<'t>,
    found: &'a mut Findings,
    id: &'a str,
}

impl Compare<'_, '_> {
    /// Compares a row with what it must say, as of which sequence.
    fn row<T>(&mut self, view: &'static str, key: &str, (sequence, expected): (u64, &T))
    where
        T: PartialEq + Serialize + for<'de> Deserialize<'de>,
    {
        let Some(row) = self.rows.get_mut(view).and_then(|rows| rows.remove(key)) else {
            let (view, key) = (view.to_owned(), key.to_owned());
            self.found.add(Anomaly::RowMissing { view, key, sequence });
            return;
        };
        let said = serde_json::from_str::<T>(&row.row).ok();
        if said.as_ref() != Some(expected) || row.sequence != sequence {
            let text = serde_json::to_string(expected).unwrap_or_default();
            self.found.add(Anomaly::RowDiffers {
                view: view.to_owned(),
                key: key.to_owned(),
                sequence: row.sequence,
                found: row.row.clone(),
                expected: format!("{text} at {sequence}"),
            });
        }
    }

    fn cleaners(&mut self, tables: &Tables, (index, aggregate): (&Index, u32), job: &Job) {
        for cleaner in &job.cleaners {
            let mut events = index.events(tables, aggregate).rev();
            let last = events.find_map(|event| {
                let status = status(tables.events.value(event.event), cleaner)?;
                Some((event.sequence, status.to_owned()))
            });
            let Some((sequence, status)) = last else { continue };
            let row = CleanerRow { cleaner: cleaner.clone(), job: self.id.to_owned(), status };
            self.row("cleaner-jobs", &format!("{cleaner}/{}", self.id), (sequence, &row));
        }
    }
}
