//! The store of announcements.

use async_trait::async_trait;
use bson::{doc, rawdoc};
use ordain_ports::{Announced, Announcements, Error};
use serde::Deserialize;

use crate::Mongo;
use crate::fault::Fault;
use crate::read::{Query, Shows};
use crate::record;
use crate::server::Writes;
use crate::setup::ANNOUNCEMENTS;

#[derive(Deserialize)]
struct AnnouncedRecord {
    #[serde(rename = "_id")]
    id: AnnouncedId,
}

#[derive(Deserialize)]
struct AnnouncedId {
    #[serde(rename = "type")]
    aggregate_type: String,
    command: String,
    schema: String,
}

#[async_trait]
impl Announcements for Mongo {
    async fn announce(&self, commands: Vec<Announced>) -> Result<(), Error> {
        let documents: Vec<_> = commands
            .into_iter()
            .map(|Announced { aggregate_type, command, schema }| {
                let schema = schema.to_string();
                rawdoc! { "_id": { "type": aggregate_type, "command": command, "schema": schema } }
            })
            .collect();
        // What was announced before refuses the second.
        self.server.send_each("announce", (Writes::Insert, ANNOUNCEMENTS), &documents).await?;
        Ok(())
    }

    async fn known(&self) -> Result<Vec<Announced>, Error> {
        let query = Query::new(ANNOUNCEMENTS, doc! {}, Shows::Everything);
        let found = self.server.find("announced", query).await?;
        let read = |document: &bson::raw::RawDocumentBuf| {
            let AnnouncedRecord { id } = record::read(document)?;
            let AnnouncedId { aggregate_type, command, schema } = id;
            Ok(Announced { aggregate_type, command, schema: record::parsed(&schema)? })
        };
        let known: Result<Vec<_>, String> = found.iter().map(read).collect();
        Ok(known.map_err(|why| Fault::unreadable("an announcement", why))?)
    }
}
