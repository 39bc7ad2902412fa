//! The view store: rows folded from events, and up to where each view has come per aggregate.

use async_trait::async_trait;
use ordain_model::{AggregateKey, Json};
use serde::{Deserialize, Serialize};

use crate::Error;

/// A row of a view. It belongs to one aggregate for good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The row's key in the view.
    pub key: String,
    /// The aggregate whose events it is folded from.
    pub aggregate: AggregateKey,
    /// The sequence of the last event folded into it.
    pub sequence: u64,
    /// What it says; `None` is a tombstone: removed, and remembered.
    pub body: Option<Json>,
}

impl Row {
    /// The row's sequence, if it belongs to this aggregate.
    #[must_use]
    pub fn place_of(&self, aggregate: &AggregateKey) -> Option<u64> {
        (self.aggregate == *aggregate).then_some(self.sequence)
    }
}

/// A row to be written, on condition.
#[derive(Debug, Clone, PartialEq)]
pub struct RowWrite {
    /// The sequence that the stored row must have; `None`: there must be no row.
    pub expected: Option<u64>,
    /// The row, with a larger sequence.
    pub row: Row,
}

/// A mark to be written, on condition: the view has come to this sequence of the aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Whose events.
    pub aggregate: AggregateKey,
    /// The sequence that the stored mark must have; `None`: there must be no mark.
    pub expected: Option<u64>,
    /// The new sequence, larger.
    pub sequence: u64,
}

/// Names the one row that every event of an aggregate changes, in a view that has such a row.
/// The row is called what the aggregate is called, or a part of that.
pub type SoleRow = fn(&AggregateKey) -> &str;

/// Which rows to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RowRange {
    /// What their keys begin with; empty for all.
    pub prefix: String,
    /// The key to begin behind.
    pub after: Option<String>,
    /// How many at most.
    pub limit: usize,
}

/// A page of rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RowList {
    /// Rows in the order of their keys, without tombstones.
    pub rows: Vec<Row>,
    /// The key to go on after, when there may be more.
    pub next: Option<String>,
}

/// Keeps the rows and marks of all views.
///
/// # Contract
/// 1. A write or mark whose condition does not hold changes nothing and is answered `false`; the
///    others of the call are not touched by that.
/// 2. What was answered `true` is durable and shown by every later read.
/// 3. Reads show only what is durable.
/// 4. Tombstones are given by `rows` and left out by `list`.
/// 5. `list` gives the rows whose key begins with the prefix, by the bytes of their keys, page by
///    page, each row that was there all the time exactly once.
/// 6. Views do not see one another.
#[async_trait]
pub trait ViewStore: Send + Sync {
    /// The rows under these keys, tombstones too, in the order asked for.
    async fn rows(&self, view: &str, keys: &[String]) -> Result<Vec<Option<Row>>, Error>;

    /// Writes rows, each on its condition; says which were written.
    async fn write(&self, view: &str, writes: Vec<RowWrite>) -> Result<Vec<bool>, Error>;

    /// The marks of these aggregates.
    async fn marks(&self, view: &str, of: &[AggregateKey]) -> Result<Vec<Option<u64>>, Error>;

    /// Writes marks, each on its condition; says which were written.
    async fn set_marks(&self, view: &str, marks: Vec<Mark>) -> Result<Vec<bool>, Error>;

    /// A page of the rows of a range.
    async fn list(&self, view: &str, range: &RowRange) -> Result<RowList, Error>;
}

impl dyn ViewStore {
    /// Up to which sequence of the aggregate the view has come; `None`: it has nothing of it yet.
    /// Where every event changes the aggregate's sole row, that row says it, else the mark.
    ///
    /// # Errors
    /// The store cannot be read now.
    pub async fn reached(
        &self,
        view: &str,
        sole_row: Option<SoleRow>,
        aggregate: &AggregateKey,
    ) -> Result<Option<u64>, Error> {
        let Some(sole_row) = sole_row else {
            let marks = self.marks(view, std::slice::from_ref(aggregate)).await?;
            return Ok(marks.into_iter().next().flatten());
        };
        let rows = self.rows(view, &[sole_row(aggregate).to_owned()]).await?;
        Ok(rows.into_iter().next().flatten().and_then(|row| row.place_of(aggregate)))
    }
}
