//! The commit store: where a decision becomes true.

use std::sync::Arc;

use async_trait::async_trait;
use ordain_model::{AggregateKey, Commit, Stored};

use crate::Error;

/// The commits of all aggregates.
///
/// # Contract
/// 1. `insert` takes the commits one after the other; what it reports as stored is durable and
///    stays as it is for good.
/// 2. It ends at the first commit that cannot be stored: all before it are stored, none behind.
/// 3. A second commit under the same aggregate and request id is a `Repeat`, a second one with
///    the same aggregate and revision a `Conflict`. When both hold, it is a `Repeat`.
/// 4. Two inserts at once never both store the same (aggregate, request id) or (aggregate,
///    revision).
/// 5. After `Unknown`, some prefix is stored or will be, even after a later read has not shown it.
/// 6. `load` and `history` show only what is durable, and everything that an insert reported as
///    stored before they were called.
/// 7. A commit reads back equal to what was inserted; event data byte for byte.
/// 8. `load` gives the newest snapshot of the fold version asked for, and all commits behind it
///    by revision, without gap.
/// 9. `history` gives the commits that hold events after `after`, and the refusals among them, in
///    the order of revisions, as many as `limit` allows and at least one if there is one.
/// 10. `aggregates` gives every aggregate that has commits, once, by the bytes of their keys from
///    the last one down, at most `limit` at a time and at least one if there is one. With it
///    stands a sequence that its commits had reached when it was read.
#[async_trait]
pub trait Commits: Send + Sync {
    /// Stores the commits in this order; the result is a value, not an error.
    async fn insert(&self, commits: &[Arc<Commit>]) -> Inserted;

    /// The aggregates, in the order asked for, in one round trip.
    async fn load(&self, aggregates: &[Load]) -> Result<Vec<Stored>, Error>;

    /// The commits of one aggregate whose sequence is above `after`.
    async fn history(
        &self,
        aggregate: &AggregateKey,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Commit>>, Error>;

    /// Aggregates that have commits, from the one before `before` down, or from the last one, and
    /// the sequence that each has come to.
    async fn aggregates(
        &self,
        before: Option<&AggregateKey>,
        limit: usize,
    ) -> Result<Vec<(AggregateKey, u64)>, Error>;
}

/// Which aggregate to load, and which fold version its snapshot shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// Which one.
    pub aggregate: AggregateKey,
    /// The fold version of the snapshot to begin from.
    pub fold_version: u32,
}

/// What became of an insert.
#[derive(Debug)]
#[must_use = "a stop is a value, and must be acted on"]
pub struct Inserted {
    /// How many commits, from the first on, are certainly stored.
    pub stored: usize,
    /// Why it ended before the last one.
    pub stop: Option<Stop>,
}

impl Inserted {
    /// All were stored.
    pub const fn all(stored: usize) -> Self {
        Self { stored, stop: None }
    }

    /// It ended at the commit behind the first `stored` ones.
    pub const fn until(stored: usize, stop: Stop) -> Self {
        Self { stored, stop: Some(stop) }
    }
}

/// Why an insert ended at a commit.
#[derive(Debug)]
pub enum Stop {
    /// There is a commit under this request id.
    Repeat,
    /// There is a commit with this revision.
    Conflict,
    /// This commit can never be stored; the text says why.
    NotStorable(String),
    /// The store takes nothing at the moment; nothing behind the prefix was stored or will be.
    Unavailable(Error),
    /// Whether this commit and those behind it are stored, or will be, is unknown.
    Unknown(Error),
}
