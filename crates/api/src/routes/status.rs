//! How far the work has come: per partition who works it and how much is not done, per member
//! whether it lives.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use ordain_model::Timestamp;

use crate::routes::json;
use crate::submit::{Member, Partition};
use crate::writer::ObjectWriter;
use crate::{Api, Problem};

/// `GET /v1/admin/status`
pub(crate) async fn show(State(api): State<Arc<Api>>) -> Result<Response, Problem> {
    let log = &api.parts.ports.log;
    // Progress first: read after the ends, it could seem to be ahead of them.
    let progress = log.progress().await.map_err(|error| Problem::unavailable(&error))?;
    let ends = log.ends().await.map_err(|error| Problem::unavailable(&error))?;
    let table = api.submitter.owners().table();
    let later = table.read.elapsed();
    let partitions = ends.iter().enumerate().map(|(number, end)| {
        let done = progress.get(number).copied().flatten();
        let object = ObjectWriter::new().number("partition", number as u64).number("end", *end);
        let object = nullable(object, "progress", done);
        let object = object.number("behind", end.saturating_sub(done.unwrap_or(0)));
        match table.partitions.get(number) {
            Some(owned) => owner(object, owned, later),
            None => object,
        }
        .finish()
    });
    let now = api.parts.ports.clock.now();
    let object = ObjectWriter::new()
        .text("version", &api.parts.version)
        .number("uptimeSeconds", api.begun.elapsed().as_secs())
        .array("partitions", partitions)
        .array("members", table.members.iter().map(|one| member(one, now, later)));
    let object = match &table.unread {
        Some(why) => object.text("ownersUnknown", why),
        None => object,
    };
    Ok(json(object.finish()))
}

fn owner(object: ObjectWriter, partition: &Partition, later: Duration) -> ObjectWriter {
    let lane = partition.owner.as_ref().map(|(_, lane)| lane);
    let object = match &partition.owner {
        Some((owner, _)) => object.text("owner", owner),
        None => object.json("owner", b"null"),
    };
    let oldest = if partition.behind == 0 { Duration::ZERO } else { partition.oldest + later };
    let object = object.number("oldestWaitMs", ms(oldest));
    let object = decimal(object, "perSecond", lane.map(|lane| lane.handled_per_second));
    let object = decimal(object, "perSecondMax", partition.capacity_per_second);
    let object = nullable(object, "waitMs", partition.wait(later).map(ms));
    let object = object.json("refusing", if partition.is_missing { b"true" } else { b"false" });
    match lane.and_then(|lane| lane.stopped.as_ref()) {
        Some(why) => object.text("stopped", why),
        None => object.json("stopped", b"null"),
    }
}

fn member(member: &Member, now: Timestamp, later: Duration) -> Vec<u8> {
    let beat = &member.heartbeat;
    let mut partitions: Vec<u32> = beat.lanes.iter().map(|lane| lane.partition).collect();
    partitions.sort_unstable();
    let object = ObjectWriter::new()
        .text("member", &beat.member)
        .text("role", &beat.role)
        .text("version", &beat.version)
        .number("uptimeSeconds", now.milliseconds_since(beat.started) / 1_000)
        .number("beatAgeMs", ms(member.still + later))
        .json("alive", if member.is_alive { b"true" } else { b"false" })
        .array("partitions", partitions.iter().map(|number| number.to_string().into_bytes()));
    match &beat.last_error {
        Some(error) => object.text("lastError", error),
        None => object.json("lastError", b"null"),
    }
    .finish()
}

fn nullable(object: ObjectWriter, name: &str, number: Option<u64>) -> ObjectWriter {
    match number {
        Some(number) => object.number(name, number),
        None => object.json(name, b"null"),
    }
}

fn decimal(object: ObjectWriter, name: &str, number: Option<f64>) -> ObjectWriter {
    match number.filter(|number| number.is_finite()) {
        Some(number) => object.json(name, format!("{number:.1}").as_bytes()),
        None => object.json(name, b"null"),
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
