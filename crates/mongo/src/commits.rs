//! The commit store.

use std::sync::Arc;

use async_trait::async_trait;
use ordain_model::{AggregateKey, Commit, Stored};
use ordain_ports::{Commits, Error, Inserted, Load};

use crate::{Mongo, aggregates, history, insert, load};

#[async_trait]
impl Commits for Mongo {
    async fn insert(&self, commits: &[Arc<Commit>]) -> Inserted {
        insert::insert(&self.server, commits).await
    }

    async fn load(&self, aggregates: &[Load]) -> Result<Vec<Stored>, Error> {
        Ok(load::load(&self.server, aggregates).await?)
    }

    async fn history(
        &self,
        aggregate: &AggregateKey,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Commit>>, Error> {
        Ok(history::history(&self.server, aggregate, after, limit).await?)
    }

    async fn aggregates(
        &self,
        before: Option<&AggregateKey>,
        limit: usize,
    ) -> Result<Vec<(AggregateKey, u64)>, Error> {
        Ok(aggregates::aggregates(&self.server, before, limit).await?)
    }
}
