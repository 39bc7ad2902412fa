//! Snapshots, and up to where an aggregate's events are published. Both derived, both only ever
//! forward.

use async_trait::async_trait;
use ordain_model::{AggregateKey, Snapshot};

use crate::Error;

/// Keeps what makes aggregates quick to load.
///
/// # Contract
/// 1. A snapshot replaces an older one of the same aggregate and fold version; a newer one stays.
/// 2. Snapshots of other fold versions stay.
/// 3. `published` only ever grows.
/// 4. Once a call returned `Ok`, `load` shows it.
#[async_trait]
pub trait Snapshots: Send + Sync {
    /// Keeps these snapshots.
    async fn save(&self, snapshots: Vec<Snapshot>) -> Result<(), Error>;

    /// Keeps that the events of each aggregate up to this sequence are published.
    async fn save_published(&self, published: Vec<(AggregateKey, u64)>) -> Result<(), Error>;
}
