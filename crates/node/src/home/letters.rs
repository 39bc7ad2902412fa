//! Dead letters of a fleet: kept in the store, and told in a topic for tools that follow it.

use std::sync::Arc;

use async_trait::async_trait;
use ordain_kafka::DeadLetterTopic;
use ordain_model::RequestId;
use ordain_ports::{DeadLetter, DeadLetters, Error, LetterId};

/// Keeps letters in the store, which is where they are found, and tells the topic of each.
pub(crate) struct ToldLetters {
    pub(crate) store: Arc<dyn DeadLetters>,
    pub(crate) topic: DeadLetterTopic,
}

#[async_trait]
impl DeadLetters for ToldLetters {
    /// Whoever is told that this failed puts the letters again: the store keeps the first of each,
    /// the topic may tell of one twice.
    async fn put(&self, letters: Vec<DeadLetter>) -> Result<(), Error> {
        self.store.put(letters.clone()).await?;
        self.topic.put(&letters).await
    }

    async fn list(&self, after: Option<&LetterId>, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        self.store.list(after, limit).await
    }

    async fn get(&self, id: &LetterId) -> Result<Option<DeadLetter>, Error> {
        self.store.get(id).await
    }

    async fn retried(&self, id: &LetterId, request: RequestId) -> Result<bool, Error> {
        self.store.retried(id, request).await
    }
}
