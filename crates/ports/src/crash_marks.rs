//! Crash marks: how a lane finds the record that ends its process.

use async_trait::async_trait;

use crate::{Error, Position};

/// Remembers, durably, where lanes began and which record one was deciding.
///
/// # Contract
/// 1. `begin` says how often the lane of this partition has begun at this progress before, this
///    time not counted; beginning at another progress starts from 0. While a record of the
///    partition at or above the progress is marked, it says at least 1.
/// 2. `mark` says how often this very record has been marked, this time counted, and is durable
///    before it returns.
/// 3. `unmark` forgets the mark of that record; marks of other records do not add up.
#[async_trait]
pub trait CrashMarks: Send + Sync {
    /// The lane begins its work at this progress.
    async fn begin(&self, partition: u32, progress: u64) -> Result<u32, Error>;

    /// The lane is about to decide this record.
    async fn mark(&self, position: Position) -> Result<u32, Error>;

    /// The record has been decided.
    async fn unmark(&self, position: Position) -> Result<(), Error>;
}
