//! The log of events as its writers see it.

use std::sync::Arc;

use async_trait::async_trait;
use ordain_model::Commit;
use ordain_ports::{Content, Error, EventLog, Published, partition_of};

use crate::Home;
use crate::append::now;
use crate::fault::Fault;
use crate::log::Entry;
use crate::record::{self, Recorded as _};

#[async_trait]
impl EventLog for Home {
    async fn publish(&self, commits: &[Arc<Commit>]) -> Result<(), Error> {
        let time = now();
        let mut records = Vec::new();
        let mut bytes = 0;
        for commit in commits {
            let partition = partition_of(&commit.aggregate, self.event_partitions());
            for event in &commit.events {
                let published = Published {
                    aggregate: commit.aggregate.clone(),
                    request: commit.request.clone(),
                    event: event.clone(),
                    trace: commit.trace,
                };
                let payload = published
                    .encode()
                    .map_err(|why| Fault::NotStorable { what: "an event", why })?;
                let value = record::timed(time, &payload);
                bytes += value.len();
                let content = Content::Whole(published);
                let entry = Entry { offset: 0, time, bytes: payload.len(), content };
                records.push((partition, value, entry));
            }
        }
        if records.is_empty() {
            return Ok(());
        }
        let written = self.inner.write_soon(bytes, move |batch| {
            for (partition, value, entry) in records {
                batch.append_event(partition, value, entry);
            }
            Ok(())
        });
        Ok(written.await?)
    }
}
