//! The look-up of outcomes.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use bson::{Bson, doc};
use ordain_model::{AggregateKey, Commit, RequestId};
use ordain_ports::{Error, Outcomes};

use crate::Mongo;
use crate::load::decode;
use crate::read::{Query, Shows, with_ids};
use crate::record::commit_id;
use crate::setup::COMMITS;

#[async_trait]
impl Outcomes for Mongo {
    async fn find(
        &self,
        ids: &[(AggregateKey, RequestId)],
    ) -> Result<Vec<Option<Arc<Commit>>>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let named: Vec<String> =
            ids.iter().map(|(aggregate, request)| commit_id(aggregate, request.as_str())).collect();
        let mut filter = with_ids(named.iter().cloned().map(Bson::String).collect());
        // Tells a router which shards to ask.
        let aggregates: BTreeSet<&str> = ids.iter().map(|(of, _)| of.as_str()).collect();
        filter.insert("a", doc! { "$in": Vec::from_iter(aggregates) });
        let mut query = Query::new(COMMITS, filter, Shows::Everything);
        query.index = Some(doc! { "_id": 1 });
        let mut found = HashMap::new();
        for document in self.server.find("outcomes", query).await? {
            let commit = decode(&document)?;
            let id = commit_id(&commit.aggregate, commit.request.as_str());
            found.insert(id, Arc::new(commit));
        }
        Ok(named.iter().map(|id| found.get(id).cloned()).collect())
    }
}
