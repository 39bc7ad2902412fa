//! How the run before ended: a note stands in the directory from its opening until it is closed in
//! order.
//!
//! A rule that ends the process takes its command with it where that is not durable yet. Nothing
//! tells of such a crash, and a client that sends again could end the process for ever. So a run
//! that finds the note hands over only what is durable: then a command that ends the process is
//! there at the next start, and its crashes are counted.

use fjall::PersistMode;

use crate::batch::Batch;
use crate::key;
use crate::space::{Room, Space};
use crate::tables::{Result, Table, Tables};

/// Notes durably that a run begins; says whether the one before ended in order. Where there is no
/// room to note it, it is as if it had not.
pub(crate) fn begin(tables: &Tables, space: &Space) -> Result<bool> {
    let key = key::open();
    if tables.contains(Table::Notes, &key)? || space.room(key.len()) != Room::Enough {
        return Ok(false);
    }
    let mut batch = tables.database().batch();
    batch.insert(tables.keyspace(Table::Notes), key, []);
    batch.durability(Some(PersistMode::SyncData)).commit()?;
    Ok(true)
}

/// The run ends in order, once this batch is durable.
pub(crate) fn end(batch: &mut Batch) {
    batch.remove(Table::Notes, key::open());
}

#[cfg(test)]
pub(crate) mod tests;
