//! What a store keeps of an aggregate beside its commits, and what it gives back of both.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{AggregateKey, Commit, Json, Timestamp};

/// An aggregate's state as of a revision, folded by one version of its rules. Derived: it can be
/// folded again from the commits at any time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Whose state it is.
    pub aggregate: AggregateKey,
    /// The version of the fold that made it.
    pub fold_version: u32,
    /// The revision it includes.
    pub revision: u64,
    /// The sequence at that revision.
    pub sequence: u64,
    /// The last time in the commits up to that revision.
    pub time: Timestamp,
    /// The state.
    pub state: Json,
}

/// An aggregate as a store gives it back.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stored {
    /// The newest snapshot of the fold version asked for.
    pub snapshot: Option<Snapshot>,
    /// The sequence up to which its events are known to be published; 0 when nothing is known.
    pub published: u64,
    /// All commits after the snapshot (all, without one), in the order of their revisions.
    pub tail: Vec<Arc<Commit>>,
}
