//! Histories: an aggregate's commits from a sequence on. There is no index by sequence, for every
//! insert would pay for it; but along the revisions the sequence never falls, so it is searched.

use std::sync::Arc;

use bson::{Bson, doc};
use ordain_model::{AggregateKey, Commit};
use serde::Deserialize;

use crate::fault::Fault;
use crate::load::decode;
use crate::read::{Query, Shows};
use crate::record::{self, bounded};
use crate::server::Server;
use crate::setup::COMMITS;

/// So many revisions are looked at in one step of the search.
const PROBES: u64 = 32;
/// So many commits that are not asked for may be passed over, rather than to search on.
const PASSED_OVER_MAX: u64 = 64;

/// Where a commit stands.
#[derive(Deserialize)]
struct Place {
    #[serde(rename = "r")]
    revision: u64,
    #[serde(rename = "s")]
    sequence: u64,
}

pub(crate) async fn history(
    server: &Server,
    aggregate: &AggregateKey,
    after: u64,
    limit: usize,
) -> Result<Vec<Arc<Commit>>, Fault> {
    let from = reaching(server, aggregate, after).await?;
    let filter = doc! {
        "a": aggregate.as_str(),
        "r": { "$gte": bounded(from) },
        "s": { "$gt": bounded(after) },
    };
    let mut query = Query::new(COMMITS, filter, Shows::Everything);
    query.sort = Some(doc! { "a": 1, "r": 1 });
    query.limit = Some(limit.max(1));
    let found = server.find("history", query).await?;
    found.iter().map(|document| decode(document).map(Arc::new)).collect()
}

/// A revision at or a little below the first whose sequence is above `after`.
async fn reaching(server: &Server, aggregate: &AggregateKey, after: u64) -> Result<u64, Fault> {
    let last = doc! { "a": aggregate.as_str() };
    let Some(last) = places(server, last, Some(1)).await?.pop() else {
        return Ok(1);
    };
    // All up to `low` are too low; `high` or one below it is not, or there is none.
    let (mut low, mut high) = (0, last.revision);
    while high.saturating_sub(low) > PASSED_OVER_MAX {
        let step = (high - low) / PROBES;
        let before = (low, high);
        let probes: Vec<Bson> = (1..PROBES).map(|n| bounded(low + n * step).into()).collect();
        let probed = doc! { "a": aggregate.as_str(), "r": { "$in": probes } };
        for place in places(server, probed, None).await? {
            if place.sequence <= after {
                low = low.max(place.revision);
            } else {
                high = high.min(place.revision);
            }
        }
        // Only where commits are missing. The filter by sequence stays right without the search.
        if (low, high) == before {
            break;
        }
    }
    Ok(low + 1)
}

/// Where commits stand, the last first.
async fn places(
    server: &Server,
    filter: bson::Document,
    limit: Option<usize>,
) -> Result<Vec<Place>, Fault> {
    let mut query = Query::new(COMMITS, filter, Shows::Durable);
    query.projection = Some(doc! { "_id": 0, "r": 1, "s": 1 });
    query.sort = Some(doc! { "a": -1, "r": -1 });
    query.limit = limit;
    let found = server.find("history", query).await?;
    let read = |document| record::read(document).map_err(|why| Fault::unreadable("a commit", why));
    found.iter().map(|document| read(document)).collect()
}
