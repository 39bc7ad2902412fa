//! How the changes of several events become the new content of rows. Pure.

use foldhash::HashMap;
use ordain_model::{AggregateKey, Unprocessable, contain};
use ordain_ports::{Published, Row, RowWrite};

use super::broken::is_broken;
use crate::{Change, View};

/// What some events of one aggregate, in order, do to its rows.
#[derive(Debug, Default)]
pub(super) struct Touched {
    rows: Vec<Changes>,
    by_key: HashMap<String, usize>,
    count: usize,
}

/// What these events do to one row.
#[derive(Debug)]
pub(super) struct Changes {
    pub(super) key: String,
    changes: Vec<(u64, Change)>,
}

impl Touched {
    /// Adds what the next event does.
    pub(super) fn add(&mut self, view: &dyn View, event: &Published) -> Result<(), Unprocessable> {
        let sequence = event.event.sequence;
        let changes = contained(|| view.changes(event))?;
        if let Some(sole_row) = view.sole_row() {
            only_that(sole_row(&event.aggregate), &changes)?;
        }
        for change in changes {
            self.count += 1;
            let row = *self.by_key.entry(change.key().to_owned()).or_insert_with(|| {
                self.rows.push(Changes { key: change.key().to_owned(), changes: Vec::new() });
                self.rows.len() - 1
            });
            if let Some(row) = self.rows.get_mut(row) {
                row.changes.push((sequence, change));
            }
        }
        Ok(())
    }

    pub(super) fn rows(&self) -> &[Changes] {
        &self.rows
    }

    /// How many changes there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }
}

impl Changes {
    /// The row with every event folded in that is not in it already; `None` when all are.
    pub(super) fn fold(
        &self,
        aggregate: &AggregateKey,
        stored: Option<Row>,
    ) -> Result<Option<RowWrite>, Unprocessable> {
        let expected = stored.as_ref().map(|row| row.sequence);
        let mut row = stored.unwrap_or_else(|| Row {
            key: self.key.clone(),
            aggregate: aggregate.clone(),
            sequence: 0,
            body: None,
        });
        if row.aggregate != *aggregate {
            let why = format!("belongs to {}, and {aggregate} touches it", row.aggregate);
            return Err(self.wrong(why));
        }
        for (sequence, change) in &self.changes {
            if *sequence > row.sequence || is_broken("broken-fold-twice") {
                row.body = contained(|| change.apply(row.body.as_ref()))
                    .map_err(|why| self.wrong(why.to_string()))?;
                row.sequence = row.sequence.max(*sequence);
            }
        }
        Ok((expected != Some(row.sequence)).then_some(RowWrite { expected, row }))
    }

    fn wrong(&self, why: String) -> Unprocessable {
        Unprocessable { what: format!("row {}", self.key), why }
    }
}

/// Whether these are the changes of a view's sole row: else an event would be taken for folded
/// that is not.
fn only_that(key: &str, changes: &[Change]) -> Result<(), Unprocessable> {
    match changes {
        [change] if change.key() == key => Ok(()),
        _ => Err(Unprocessable {
            what: format!("row {key}"),
            why: format!("is the sole row, and these are changed: {changes:?}"),
        }),
    }
}

/// A panic of a view is an error of that view like any other.
fn contained<T>(fold: impl FnOnce() -> Result<T, Unprocessable>) -> Result<T, Unprocessable> {
    contain(fold).unwrap_or_else(|panicked| {
        let why = format!("it panicked: {panicked}");
        Err(Unprocessable { what: "the view".to_owned(), why })
    })
}
