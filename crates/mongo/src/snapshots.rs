//! Snapshots, and up to where events are published: written only where they are newer.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bson::raw::RawDocumentBuf;
use bson::rawdoc;
use ordain_model::{AggregateKey, Snapshot};
use ordain_ports::{Error, Snapshots};

use crate::Mongo;
use crate::fault::Fault;
use crate::record::{self, bounded};
use crate::server::Writes;
use crate::setup::AGGREGATES;

#[async_trait]
impl Snapshots for Mongo {
    async fn save(&self, snapshots: Vec<Snapshot>) -> Result<(), Error> {
        let updates: Result<Vec<_>, Fault> = snapshots.iter().map(replace_older).collect();
        Ok(self.server.write_newer("snapshots", &updates?).await?)
    }

    async fn save_published(&self, published: Vec<(AggregateKey, u64)>) -> Result<(), Error> {
        let mut highest: BTreeMap<String, u64> = BTreeMap::new();
        for (aggregate, sequence) in published {
            let there = highest.entry(aggregate.into()).or_default();
            *there = sequence.max(*there);
        }
        let updates: Vec<_> = highest.into_iter().map(raise).collect();
        Ok(self.server.write_newer("published", &updates).await?)
    }
}

/// Puts the snapshot in the place of one with a lower revision, or of none. Where there is one
/// that is no older, it is refused as a duplicate of that.
fn replace_older(snapshot: &Snapshot) -> Result<RawDocumentBuf, Fault> {
    let not_storable = |why| Fault::NotStorable { what: "a snapshot", why };
    let document = record::encode_snapshot(snapshot).map_err(not_storable)?;
    let id = record::snapshot_id(&snapshot.aggregate, snapshot.fold_version);
    let older = rawdoc! { "_id": id, "r": { "$lt": bounded(snapshot.revision) } };
    Ok(rawdoc! { "q": older, "u": document, "upsert": true })
}

fn raise((aggregate, sequence): (String, u64)) -> RawDocumentBuf {
    let higher = rawdoc! { "$max": { "published": bounded(sequence) } };
    rawdoc! { "q": { "_id": aggregate }, "u": higher, "upsert": true }
}

impl crate::server::Server {
    /// Sends updates that a newer document refuses as duplicates of it.
    async fn write_newer(
        &self,
        operation: &'static str,
        updates: &[RawDocumentBuf],
    ) -> Result<(), Fault> {
        let into = (Writes::Update, AGGREGATES);
        let first = self.send_each(operation, into, updates).await?;
        // Of two that made the document at once, the newer may have been refused. Now there is
        // one, and it is never removed: who is refused again is older.
        let again: Vec<RawDocumentBuf> = first
            .iter()
            .zip(updates)
            .filter(|(done, _)| !done.is_done())
            .map(|(_, update)| update.clone())
            .collect();
        self.send_each(operation, into, &again).await?;
        Ok(())
    }
}
