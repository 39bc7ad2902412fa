//! Sets up what a fleet stands on: the topics in Kafka, the collections and indexes in MongoDB.

use anyhow::Context as _;
pub use ordain_kafka::{TopicReport, TopicsReport, TopicsWanted};

use crate::home::{at_kafka, at_mongo, mongo};
use crate::{Loaded, logs};

/// Makes what is missing, and checks what is there. Doing it again changes nothing.
///
/// # Errors
/// What cannot be reached or will not do, and what to do about it; for people.
pub async fn ensure_topics(loaded: &Loaded, wanted: &TopicsWanted) -> anyhow::Result<TopicsReport> {
    let configuration = &loaded.configuration;
    logs::start(&configuration.log)?;
    let stores = mongo(configuration).await?;
    stores.ensure().await.with_context(|| at_mongo(configuration))?;
    ordain_kafka::ensure_topics(&configuration.kafka, wanted)
        .await
        .with_context(|| at_kafka(configuration))
}
