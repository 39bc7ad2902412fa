//! Loading aggregates: their snapshots, then the commits behind them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bson::raw::RawDocumentBuf;
use bson::{Bson, Document, doc};
use ordain_model::{AggregateKey, Commit, Snapshot, Stored};
use ordain_ports::Load;
use serde::Deserialize;

use crate::fault::Fault;
use crate::read::{Query, Shows, with_ids};
use crate::record::{self, bounded};
use crate::server::Server;
use crate::setup::{AGGREGATES, COMMITS};

/// So many aggregates are asked for in one query; larger ones take the server long to plan.
const AGGREGATES_A_QUERY: usize = 1_000;

pub(crate) async fn load(server: &Server, aggregates: &[Load]) -> Result<Vec<Stored>, Fault> {
    let mut loaded = Vec::with_capacity(aggregates.len());
    for some in aggregates.chunks(AGGREGATES_A_QUERY) {
        // First the snapshots: what is stored in between stands behind them.
        let mut stored = derived(server, some).await?;
        let tails = tails(server, some, &stored).await?;
        for (wanted, stored) in some.iter().zip(&mut stored) {
            let after = stored.snapshot.as_ref().map_or(0, |snapshot| snapshot.revision);
            let tail = tails.get(wanted.aggregate.as_str()).map_or(&[][..], Vec::as_slice);
            stored.tail = behind(&wanted.aggregate, after, tail)?;
        }
        loaded.append(&mut stored);
    }
    Ok(loaded)
}

#[derive(Deserialize)]
struct Published {
    published: u64,
}

/// Snapshots and what is known to be published.
async fn derived(server: &Server, aggregates: &[Load]) -> Result<Vec<Stored>, Fault> {
    let mut ids = Vec::with_capacity(2 * aggregates.len());
    for Load { aggregate, fold_version } in aggregates {
        ids.push(Bson::String(aggregate.as_str().to_owned()));
        ids.push(Bson::String(record::snapshot_id(aggregate, *fold_version)));
    }
    let query = Query::new(AGGREGATES, with_ids(ids), Shows::Durable);
    let found = server.find("load", query).await?;
    let by_id: HashMap<&str, &RawDocumentBuf> =
        found.iter().filter_map(|found| Some((found.get_str("_id").ok()?, found))).collect();
    aggregates.iter().map(|wanted| derived_of(wanted, &by_id)).collect()
}

fn derived_of(wanted: &Load, by_id: &HashMap<&str, &RawDocumentBuf>) -> Result<Stored, Fault> {
    let Load { aggregate, fold_version } = wanted;
    let unreadable = |why| Fault::unreadable(&format!("what is derived of {aggregate}"), why);
    let snapshot: Option<Snapshot> = by_id
        .get(record::snapshot_id(aggregate, *fold_version).as_str())
        .map(|found| record::decode_snapshot(found, aggregate, *fold_version))
        .transpose()
        .map_err(unreadable)?;
    let published: Option<Published> = by_id
        .get(aggregate.as_str())
        .map(|found| record::read(found))
        .transpose()
        .map_err(unreadable)?;
    let published = published.map_or(0, |found| found.published);
    Ok(Stored { snapshot, published, tail: Vec::new() })
}

/// The commits behind the snapshots, by aggregate and in order.
async fn tails(
    server: &Server,
    aggregates: &[Load],
    stored: &[Stored],
) -> Result<HashMap<String, Vec<Arc<Commit>>>, Fault> {
    // An aggregate that is asked for twice is read from the lower of its snapshots on.
    let mut from: BTreeMap<&str, u64> = BTreeMap::new();
    for (wanted, stored) in aggregates.iter().zip(stored) {
        let after = stored.snapshot.as_ref().map_or(0, |snapshot| snapshot.revision);
        let lowest = from.entry(wanted.aggregate.as_str()).or_insert(after);
        *lowest = after.min(*lowest);
    }
    let mut query = Query::new(COMMITS, behind_each(&from), Shows::Durable);
    query.index = Some(doc! { "a": 1, "r": 1 });
    let mut tails: HashMap<String, Vec<Arc<Commit>>> = HashMap::new();
    for document in server.find("load", query).await? {
        let commit = decode(&document)?;
        let tail = match tails.get_mut(commit.aggregate.as_str()) {
            Some(tail) => tail,
            None => tails.entry(commit.aggregate.as_str().to_owned()).or_default(),
        };
        tail.push(Arc::new(commit));
    }
    for tail in tails.values_mut() {
        tail.sort_unstable_by_key(|commit| commit.revision);
    }
    Ok(tails)
}

/// A filter on the commits of each aggregate that stand behind a revision.
fn behind_each(from: &BTreeMap<&str, u64>) -> Document {
    let (whole, parts): (Vec<_>, Vec<_>) = from.iter().partition(|(_, after)| **after == 0);
    let mut any = Vec::with_capacity(parts.len() + 1);
    if !whole.is_empty() {
        let whole: Vec<&str> = whole.into_iter().map(|(aggregate, _)| *aggregate).collect();
        any.push(doc! { "a": { "$in": whole } });
    }
    for (aggregate, after) in parts {
        any.push(doc! { "a": *aggregate, "r": { "$gt": bounded(*after) } });
    }
    match any.len() {
        1 => any.remove(0),
        _ => doc! { "$or": any },
    }
}

/// The part of a tail that stands behind a revision; a gap in it is an error.
fn behind(
    aggregate: &AggregateKey,
    after: u64,
    tail: &[Arc<Commit>],
) -> Result<Vec<Arc<Commit>>, Fault> {
    let tail = tail.get(tail.partition_point(|commit| commit.revision <= after)..);
    let tail = tail.unwrap_or_default();
    for (commit, revision) in tail.iter().zip(after + 1..) {
        if commit.revision != revision {
            let why = format!("revision {revision} is missing");
            return Err(Fault::unreadable(&format!("the tail of {aggregate}"), why));
        }
    }
    Ok(tail.to_vec())
}

/// The commit of a document that was found.
pub(crate) fn decode(document: &RawDocumentBuf) -> Result<Commit, Fault> {
    record::decode_commit(document).map_err(|why| {
        let id = document.get_str("_id").unwrap_or("unnamed");
        Fault::unreadable(&format!("the commit {id}"), why)
    })
}
