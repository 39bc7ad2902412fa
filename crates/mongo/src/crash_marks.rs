//! The store of crash marks.
//!
//! A call whose answer is lost is made again, and must not count twice: four lost answers would
//! otherwise reject a record that never ended a process. So every call has a name, which it keeps
//! until it is answered, and what was counted under a name is not counted again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bson::oid::ObjectId;
use bson::raw::{RawArrayBuf, RawDocumentBuf};
use bson::{doc, rawdoc};
use ordain_ports::{CrashMarks, Error, Position};

use crate::Mongo;
use crate::fault::Fault;
use crate::read::{Query, Shows};
use crate::record::bounded;
use crate::server::{Server, Writes};
use crate::setup::CRASH_MARKS;

/// The names of calls that are not answered yet, by what they mark.
#[derive(Default)]
pub(crate) struct Unanswered(Mutex<HashMap<Marked, ObjectId>>);

/// What a call marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Marked {
    /// The beginning of a lane at a progress.
    Beginning { partition: u32, progress: u64 },
    /// A record.
    Record(Position),
}

impl Unanswered {
    /// The name of a call, the same until it is answered.
    fn name(&self, of: Marked) -> ObjectId {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *names.entry(of).or_default()
    }

    fn answered(&self, of: Marked) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&of);
    }
}

#[async_trait]
impl CrashMarks for Mongo {
    async fn begin(&self, partition: u32, progress: u64) -> Result<u32, Error> {
        let server = &self.server;
        let beginning = Marked::Beginning { partition, progress };
        let at = bounded(progress);
        let name = server.unanswered.name(beginning);
        // All are worked out from what stood there before.
        let same = rawdoc! { "$eq": ["$progress", at] };
        let again = rawdoc! { "$eq": ["$by", name] };
        let one_more = rawdoc! { "$cond": [again, "$times", { "$add": ["$times", 1] }] };
        let times = rawdoc! { "$cond": [same, one_more, 1] };
        let set = rawdoc! { "$set": { "progress": at, "times": times, "by": name } };
        let lane = rawdoc! { "partition": i64::from(partition) };
        let begun = count(server, "begin_lane", lane, &[set]).await?.saturating_sub(1);
        let is_marked = is_marked(server, partition, at).await?;
        forget_below(server, partition, at).await?;
        server.unanswered.answered(beginning);
        Ok(begun.max(u32::from(is_marked)))
    }

    async fn mark(&self, position: Position) -> Result<u32, Error> {
        let record = Marked::Record(position);
        let name = self.server.unanswered.name(record);
        let before = rawdoc! { "$ifNull": ["$by", []] };
        let by = rawdoc! { "$set": { "by": { "$setUnion": [before, [name]] } } };
        let times = rawdoc! { "$set": { "times": { "$size": "$by" } } };
        let times = count(&self.server, "mark_record", id_of(position), &[by, times]).await?;
        self.server.unanswered.answered(record);
        Ok(times)
    }

    async fn unmark(&self, position: Position) -> Result<(), Error> {
        let one = rawdoc! { "q": { "_id": id_of(position) }, "limit": 1 };
        Ok(remove(&self.server, "unmark_record", one).await?)
    }
}

fn id_of(position: Position) -> RawDocumentBuf {
    let Position { partition, offset } = position;
    rawdoc! { "partition": i64::from(partition), "offset": bounded(offset) }
}

/// Changes a document in stages, made if there is none, and gives the `times` that it then has.
async fn count(
    server: &Server,
    operation: &'static str,
    id: RawDocumentBuf,
    stages: &[RawDocumentBuf],
) -> Result<u32, Fault> {
    let mut update = RawArrayBuf::new();
    for stage in stages {
        update.push(stage.clone());
    }
    let command = rawdoc! {
        "findAndModify": CRASH_MARKS,
        "query": { "_id": id },
        "update": update,
        "upsert": true,
        "new": true,
        "writeConcern": server.durably(),
    };
    let answer = server.command(operation, command).await?;
    if let Ok(error) = answer.get_document("writeConcernError") {
        return Err(Fault::unknown(error.get_str("errmsg").unwrap_or("no majority")));
    }
    let times = answer.get_document("value").ok().and_then(|value| value.get("times"));
    let times = times.and_then(|times| times.as_i64().or_else(|| times.as_i32().map(i64::from)));
    let times = times.and_then(|times| u32::try_from(times).ok());
    times.ok_or_else(|| Fault::unreadable("a crash mark", "it has no count"))
}

/// Whether a record of the partition at or above the progress is marked.
async fn is_marked(server: &Server, partition: u32, from: i64) -> Result<bool, Fault> {
    let partition = i64::from(partition);
    let marks = doc! {
        "$gte": { "partition": partition, "offset": from },
        "$lte": { "partition": partition, "offset": i64::MAX },
    };
    let mut query = Query::new(CRASH_MARKS, doc! { "_id": marks }, Shows::Everything);
    query.limit = Some(1);
    Ok(!server.find("begin_lane", query).await?.is_empty())
}

/// Marks of records below the progress speak of nothing any more.
async fn forget_below(server: &Server, partition: u32, end: i64) -> Result<(), Fault> {
    let partition = i64::from(partition);
    let marks = rawdoc! {
        "$gte": { "partition": partition, "offset": 0_i64 },
        "$lt": { "partition": partition, "offset": end },
    };
    remove(server, "begin_lane", rawdoc! { "q": { "_id": marks }, "limit": 0 }).await
}

async fn remove(
    server: &Server,
    operation: &'static str,
    deletion: RawDocumentBuf,
) -> Result<(), Fault> {
    server.send_each(operation, (Writes::Delete, CRASH_MARKS), &[deletion]).await?;
    Ok(())
}
