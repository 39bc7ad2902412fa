//! The look-up of outcomes.

use std::sync::Arc;

use async_trait::async_trait;
use ordain_model::{AggregateKey, Commit, RequestId};

use crate::Error;

/// Finds what became of commands.
///
/// # Contract
/// 1. Linearizable: a commit that an insert reported as stored before the call is found.
/// 2. Only what is durable is found.
/// 3. The answers stand in the order of the questions.
#[async_trait]
pub trait Outcomes: Send + Sync {
    /// The commits under these request ids, in one query.
    async fn find(
        &self,
        ids: &[(AggregateKey, RequestId)],
    ) -> Result<Vec<Option<Arc<Commit>>>, Error>;
}
