//! Sets up what a fleet stands on: the topics in Kafka, the collections and indexes in MongoDB.

pub use ordain_kafka::{TopicReport, TopicsReport, TopicsWanted};

use crate::home::{mongo, no_kafka, no_mongo};
use crate::{Loaded, logs};

/// Makes what is missing, and checks what is there. Doing it again changes nothing.
///
/// # Errors
/// What cannot be reached or will not do, and what to do about it; for people.
pub async fn ensure_topics(loaded: &Loaded, wanted: &TopicsWanted) -> anyhow::Result<TopicsReport> {
    let configuration = &loaded.configuration;
    logs::start(&configuration.log)?;
    let stores = mongo(configuration).await?;
    stores.ensure().await.map_err(|error| no_mongo(configuration, &error))?;
    let ensured = ordain_kafka::ensure_topics(&configuration.kafka, wanted).await;
    ensured.map_err(|error| no_kafka(configuration, error))
}
