//! A view: which rows an event touches, and what becomes of each. Pure.

use std::fmt;
use std::sync::Arc;

use ordain_model::{Json, Unprocessable};
use ordain_ports::{Published, SoleRow};

use crate::{Accounts, CleanerJobs, JobRequests};

/// All views of this build, one line each.
#[must_use]
pub fn views() -> Vec<Arc<dyn View>> {
    vec![
        Arc::new(Accounts), //
        Arc::new(CleanerJobs),
        Arc::new(JobRequests),
    ]
}

/// Rows folded from events.
///
/// # Contract
/// 1. Pure: the same event and row give the same row, on every machine and in every run.
/// 2. A row belongs to the aggregate of the event that touched it first, for good: no event of
///    another aggregate ever touches that key.
/// 3. An event that the view cannot read is an error, never passed over. An event that it can
///    read and that changes nothing gives no changes.
/// 4. Where the view names a sole row, every event of an aggregate changes that row of it and no
///    other.
pub trait View: Send + Sync + 'static {
    /// The view's name. Its feed's group is `view-<name>`.
    fn name(&self) -> &'static str;

    /// The aggregate types that it follows; events of others do not concern it.
    fn follows(&self) -> &'static [&'static str];

    /// Names the one row that every event of an aggregate changes, if the view is of that kind. Its
    /// sequence says how far the view has come with the aggregate: no mark is kept beside it, and
    /// there is half as much to write.
    fn sole_row(&self) -> Option<SoleRow> {
        None
    }

    /// Which rows the event touches, each key at most once, and what becomes of each.
    ///
    /// # Errors
    /// The event is not one that this build of the view can read.
    fn changes(&self, event: &Published) -> Result<Vec<Change>, Unprocessable>;
}

/// What an event does to one row: a function from what the row says to what it says then.
pub struct Change {
    key: String,
    fold: Box<Fold>,
}

type Fold = dyn Fn(Option<&Json>) -> Result<Option<Json>, Unprocessable> + Send + Sync;

impl Change {
    /// The change of the row under `key`. `fold` is given what the row says, `None` when there is
    /// none or it was removed, and gives what it says then, `None` to remove it.
    pub fn new(
        key: impl Into<String>,
        fold: impl Fn(Option<&Json>) -> Result<Option<Json>, Unprocessable> + Send + Sync + 'static,
    ) -> Self {
        Self { key: key.into(), fold: Box::new(fold) }
    }

    /// The row's key in the view.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What the row says after the event.
    ///
    /// # Errors
    /// What the row says cannot be read by this build of the view.
    pub fn apply(&self, row: Option<&Json>) -> Result<Option<Json>, Unprocessable> {
        (self.fold)(row)
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change").field("key", &self.key).finish_non_exhaustive()
    }
}

/// The data of an event, as the type that its name and version promise.
pub(crate) fn data<T: serde::de::DeserializeOwned>(event: &Published) -> Result<T, Unprocessable> {
    event.event.data.decode().map_err(|why| Unprocessable {
        what: format!("event {} of {}", event.event.sequence, event.aggregate),
        why: why.to_string(),
    })
}

/// The error for an event that the view does not know.
pub(crate) fn unknown(event: &Published) -> Unprocessable {
    let Published { aggregate, event, .. } = event;
    Unprocessable {
        what: format!("event {} of {aggregate}", event.sequence),
        why: format!("this build knows no {} version {}", event.name, event.version),
    }
}

/// The error for a row that cannot be read or written.
pub(crate) fn bad_row(why: impl fmt::Display) -> Unprocessable {
    Unprocessable { what: "row".to_owned(), why: why.to_string() }
}
