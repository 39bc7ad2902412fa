//! The store of heartbeats. They only say how things are, so a write is acknowledged by the
//! primary alone, and none may take long. A member that has left is one whose last beat is the
//! highest there is; the store removes what has not changed for some minutes.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use bson::raw::RawDocumentBuf;
use bson::{doc, rawdoc};
use ordain_model::Timestamp;
use ordain_ports::{Announced, Error, Heartbeat, Heartbeats, LaneBeat};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::Mongo;
use crate::fault::Fault;
use crate::read::{Query, Shows};
use crate::record::{self, Wrong, bounded};
use crate::reply::Reply;
use crate::server::Server;
use crate::setup::HEARTBEATS;

/// The beat of a member that has left.
const LEFT: i64 = i64::MAX;

#[derive(Debug, Serialize, Deserialize)]
struct HeartbeatRecord {
    #[serde(rename = "_id")]
    member: String,
    beat: i64,
    said: Said,
}

#[derive(Debug, Serialize, Deserialize)]
struct Said {
    role: String,
    version: String,
    /// Nanoseconds since 1970.
    started: i64,
    lanes: Vec<LaneRecord>,
    announced: Vec<AnnouncedRecord>,
    error: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct LaneRecord {
    partition: u32,
    progress: Option<i64>,
    capacity: Option<f64>,
    handled: f64,
    oldest_wait_ms: i64,
    stopped: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct AnnouncedRecord {
    #[serde(rename = "type")]
    aggregate_type: String,
    command: String,
    schema: String,
}

#[async_trait]
impl Heartbeats for Mongo {
    async fn beat(&self, heartbeat: Heartbeat) -> Result<(), Error> {
        // The highest beat is kept for those that have left.
        let beat = bounded(heartbeat.beat).min(LEFT - 1);
        let member = heartbeat.member.clone();
        let said = bson::serialize_to_raw_document_buf(&Said::from(heartbeat));
        let said = said.map_err(|error| Fault::unreadable("a heartbeat", error.to_string()))?;
        Ok(self.of_beats.in_time(self.of_beats.replace(&member, beat, said)).await?)
    }

    async fn leave(&self, member: &str) -> Result<(), Error> {
        Ok(self.of_beats.in_time(self.of_beats.replace(member, LEFT, rawdoc! {})).await?)
    }

    async fn beats(&self) -> Result<Vec<Heartbeat>, Error> {
        let query = Query::new(HEARTBEATS, doc! { "beat": { "$ne": LEFT } }, Shows::Local);
        let found = self.of_beats.in_time(self.of_beats.find("heartbeats", query)).await?;
        let read = |document: &RawDocumentBuf| {
            let record: HeartbeatRecord = record::read(document)?;
            Heartbeat::try_from(record)
        };
        let beats: Result<Vec<_>, Wrong> = found.iter().map(read).collect();
        Ok(beats.map_err(|why| Fault::unreadable("a heartbeat", why))?)
    }
}

impl Server {
    async fn in_time<T>(
        &self,
        call: impl Future<Output = Result<T, Fault>> + Send,
    ) -> Result<T, Fault> {
        let most = Duration::from_millis(self.settings.beat_ms_max);
        match timeout(most, call).await {
            Ok(called) => called,
            Err(_) => Err(Fault::unknown(format!("no answer within {most:?}"))),
        }
    }

    /// Puts this in the place of the member's last heartbeat, unless that is later.
    async fn replace(&self, member: &str, beat: i64, said: RawDocumentBuf) -> Result<(), Fault> {
        let change = rawdoc! {
            "$set": { "beat": beat, "said": said },
            "$currentDate": { "at": true },
        };
        let earlier = rawdoc! { "_id": member, "beat": { "$lt": beat } };
        for may_make in [true, false] {
            let (earlier, change) = (earlier.clone(), change.clone());
            let command = rawdoc! {
                "update": HEARTBEATS,
                "updates": [{ "q": earlier, "u": change, "upsert": may_make }],
                "writeConcern": { "w": 1 },
            };
            let reply = Reply::read(self.command("beat", command).await?)?;
            match reply.refused.values().find(|refusal| !refusal.is_duplicate()) {
                Some(refusal) => return Err(refusal.into()),
                None if reply.refused.is_empty() => break,
                // The name is taken: by a later one, or just now by an earlier one.
                None => {}
            }
        }
        Ok(())
    }
}

impl From<Heartbeat> for Said {
    fn from(heartbeat: Heartbeat) -> Self {
        let Heartbeat { role, version, started, lanes, announced, last_error, .. } = heartbeat;
        let lane = |lane: LaneBeat| LaneRecord {
            partition: lane.partition,
            progress: lane.progress.map(bounded),
            capacity: lane.capacity_per_second,
            handled: lane.handled_per_second,
            oldest_wait_ms: bounded(lane.oldest_wait_ms),
            stopped: lane.stopped,
        };
        let command = |announced: Announced| AnnouncedRecord {
            aggregate_type: announced.aggregate_type,
            command: announced.command,
            schema: announced.schema.to_string(),
        };
        Self {
            role,
            version,
            started: started.nanoseconds(),
            lanes: lanes.into_iter().map(lane).collect(),
            announced: announced.into_iter().map(command).collect(),
            error: last_error,
        }
    }
}

impl TryFrom<HeartbeatRecord> for Heartbeat {
    type Error = Wrong;

    fn try_from(record: HeartbeatRecord) -> Result<Self, Wrong> {
        let HeartbeatRecord { member, beat, said } = record;
        let lane = |lane: LaneRecord| LaneBeat {
            partition: lane.partition,
            progress: lane.progress.map(i64::unsigned_abs),
            capacity_per_second: lane.capacity,
            handled_per_second: lane.handled,
            oldest_wait_ms: lane.oldest_wait_ms.unsigned_abs(),
            stopped: lane.stopped,
        };
        let command = |record: AnnouncedRecord| {
            let AnnouncedRecord { aggregate_type, command, schema } = record;
            Ok(Announced { aggregate_type, command, schema: record::parsed(&schema)? })
        };
        let announced: Result<_, Wrong> = said.announced.into_iter().map(command).collect();
        Ok(Self {
            member,
            beat: beat.unsigned_abs(),
            role: said.role,
            version: said.version,
            started: Timestamp::from_nanoseconds(said.started),
            lanes: said.lanes.into_iter().map(lane).collect(),
            announced: announced?,
            last_error: said.error,
        })
    }
}
