//! The log of requests as its writers see it.

use async_trait::async_trait;
use ordain_model::{Command, Timestamp};
use ordain_ports::{CommandLog, Content, Delivery, Error, NotAccepted, Position, partition_of};

use crate::Home;
use crate::fault::Fault;
use crate::home::Inner;
use crate::key;
use crate::log::Kind;
use crate::record::{self, Recorded as _};
use crate::tables::{Table, Tables};

/// So many records are deleted at once, so that writing goes on between.
const PRUNE_RECORDS_MAX: usize = 1_000;

#[async_trait]
impl CommandLog for Home {
    fn append(&self, command: Command) -> Result<Delivery, NotAccepted> {
        let partition = partition_of(&command.aggregate, self.partitions());
        let payload = command.encode().map_err(|why| {
            tracing::error!(why, "command_not_writable");
            NotAccepted::Full
        })?;
        self.inner.append(partition, &payload, Content::Whole(command))
    }

    async fn ends(&self) -> Result<Vec<u64>, Error> {
        Ok(self.inner.requests.ends())
    }

    async fn progress(&self) -> Result<Vec<Option<u64>>, Error> {
        Ok(self.inner.workers.progress())
    }

    async fn prune(&self, before: Timestamp) -> Result<(), Error> {
        for (partition, progress) in (0..).zip(self.inner.workers.progress()) {
            while self.inner.prune(partition, progress.unwrap_or(0), before).await? {}
        }
        Ok(())
    }
}

impl Inner {
    /// Deletes some records of a partition; says whether there may be more to delete.
    async fn prune(&self, partition: u32, progress: u64, before: Timestamp) -> Result<bool, Fault> {
        let from = Position { partition, offset: self.requests.start(partition) };
        let old = self.read(move |tables| old(tables, from, progress, before)).await?;
        let Some(&last) = old.last() else {
            return Ok(false);
        };
        let more = old.len() == PRUNE_RECORDS_MAX;
        let requests = std::sync::Arc::clone(&self.requests);
        let deleted = self.write(old.len() * 16, move |batch| {
            for offset in old {
                let key = key::record(Position { partition, offset });
                batch.remove(Table::Requests, key.to_vec());
            }
            let start = last + 1;
            let key = key::start(Kind::Requests.byte(), partition);
            let before = batch.get(Table::Notes, &key)?;
            let before = before.and_then(|before| record::number(&before).ok());
            // Another call may have read later and deleted more: the start never goes back, or
            // the offsets behind it would be given out again.
            if before.is_none_or(|before| before < start) {
                batch.put(Table::Notes, key, start.to_be_bytes());
            }
            batch.show_then(move || requests.show_start(partition, start));
            Ok(())
        });
        deleted.await?;
        Ok(more)
    }
}

/// The offsets of the oldest records, as far as they may be deleted. It ends at the first that is
/// not old enough: what is left has no gap.
fn old(
    tables: &Tables,
    from: Position,
    progress: u64,
    before: Timestamp,
) -> Result<Vec<u64>, Fault> {
    let to = key::record(Position { offset: progress, ..from });
    let mut old = Vec::new();
    if from.offset >= progress {
        return Ok(old);
    }
    for pair in tables.view().range(Table::Requests, &key::record(from), &to) {
        let (key, value) = pair?;
        if record::untimed(&value).0 >= before {
            break;
        }
        old.extend(key::last_number(&key));
        if old.len() == PRUNE_RECORDS_MAX {
            break;
        }
    }
    Ok(old)
}
