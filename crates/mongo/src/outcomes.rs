//! The look-up of outcomes.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use bson::Bson;
use ordain_model::{AggregateKey, Commit, RequestId};
use ordain_ports::{Error, Outcomes};

use crate::Mongo;
use crate::load::decode;
use crate::record::commit_id;
use crate::server::{Query, Shows, with_ids};
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
        let ids: Vec<String> =
            ids.iter().map(|(aggregate, request)| commit_id(aggregate, request.as_str())).collect();
        let filter = with_ids(ids.iter().cloned().map(Bson::String).collect());
        let query = Query::new(COMMITS, filter, Shows::Everything);
        let mut found = HashMap::new();
        for document in self.server.find("outcomes", query).await? {
            let commit = decode(&document)?;
            let id = commit_id(&commit.aggregate, commit.request.as_str());
            found.insert(id, Arc::new(commit));
        }
        Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
    }
}
