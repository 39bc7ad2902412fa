//! All aggregates that have commits, page by page.

use bson::doc;
use ordain_model::AggregateKey;
use serde::Deserialize;

use crate::fault::Fault;
use crate::read::{Query, Shows};
use crate::record;
use crate::server::Server;
use crate::setup::COMMITS;

/// Whose a commit is, and the sequence that it led to.
#[derive(Deserialize)]
struct Reached {
    #[serde(rename = "a")]
    aggregate: String,
    #[serde(rename = "s")]
    sequence: u64,
}

/// A page is so many commits, from the last down: the first of an aggregate is its newest, the
/// others of it are passed over, and the next page begins before it, however many more it has.
pub(crate) async fn aggregates(
    server: &Server,
    before: Option<&AggregateKey>,
    limit: usize,
) -> Result<Vec<(AggregateKey, u64)>, Fault> {
    let filter = before.map_or_else(|| doc! {}, |key| doc! { "a": { "$lt": key.as_str() } });
    let mut query = Query::new(COMMITS, filter, Shows::Everything);
    query.sort = Some(doc! { "a": -1, "r": -1 });
    query.index = Some(doc! { "a": 1, "r": 1 });
    query.projection = Some(doc! { "_id": 0, "a": 1, "s": 1 });
    query.limit = Some(limit.max(1));
    let mut found: Vec<(AggregateKey, u64)> = Vec::new();
    for document in server.find("aggregates", query).await? {
        let unreadable = |why| Fault::unreadable("a commit", why);
        let Reached { aggregate, sequence } = record::read(&document).map_err(unreadable)?;
        if found.last().is_none_or(|(last, _)| last.as_str() != aggregate) {
            found.push((record::parsed(&aggregate).map_err(unreadable)?, sequence));
        }
    }
    Ok(found)
}
