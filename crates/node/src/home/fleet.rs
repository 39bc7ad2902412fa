//! A fleet as a home: connects to Kafka, MongoDB and Redis, and says what is wrong where one
//! cannot be used.

use std::sync::Arc;

use anyhow::Context as _;
use ordain_kafka::Kafka;
use ordain_mongo::Mongo;
use ordain_redis::Redis;

use super::letters::ToldLetters;
use super::{Home, Place, Stores};
use crate::Configuration;

/// Connects to all three. Redis may be away, for replies are only the quicker way to an outcome.
///
/// # Errors
/// Which of them cannot be used, where it was looked for, and why.
pub(crate) async fn connect(configuration: &Configuration) -> anyhow::Result<Home> {
    let mongo = mongo(configuration).await?;
    mongo.check().await.with_context(|| at_mongo(configuration))?;
    let kafka = &configuration.kafka;
    let kafka = Kafka::connect(kafka).await.with_context(|| at_kafka(configuration))?;
    let redis = Redis::connect(&configuration.redis).await;
    let redis = redis.with_context(|| {
        format!(
            "Redis at {} (redis.url, ORDAIN_REDIS__URL) cannot be used",
            configuration.redis.url
        )
    })?;
    if let Err(error) = redis.check().await {
        let url = &configuration.redis.url;
        tracing::warn!(url, %error, "redis is away: answers wait for look-ups until it is back");
    }
    Ok(Home { stores: stores(&kafka, &mongo)?, place: Place::Fleet(kafka, redis) })
}

/// Makes ready to use MongoDB.
///
/// # Errors
/// What in the configuration is wrong.
pub(crate) async fn mongo(configuration: &Configuration) -> anyhow::Result<Mongo> {
    Mongo::connect(&configuration.mongo).await.with_context(|| at_mongo(configuration))
}

/// Where MongoDB is looked for. The URL holds no secret: one that does is refused.
pub(crate) fn at_mongo(configuration: &Configuration) -> String {
    let url = match &configuration.mongo.url {
        secret if secret.contains('@') => "the configured URL",
        url => url,
    };
    format!("MongoDB at {url} (mongo.url, ORDAIN_MONGO__URL) cannot be used")
}

/// Where Kafka is looked for.
pub(crate) fn at_kafka(configuration: &Configuration) -> String {
    format!(
        "Kafka at {} (kafka.bootstrap_servers, ORDAIN_KAFKA__BOOTSTRAP_SERVERS) cannot be used",
        configuration.kafka.bootstrap_servers
    )
}

fn stores(kafka: &Kafka, mongo: &Mongo) -> anyhow::Result<Stores> {
    let letters = ToldLetters { store: mongo.dead_letters(), topic: kafka.dead_letter_topic()? };
    Ok(Stores {
        log: kafka.command_log(),
        events: kafka.event_log(),
        commits: mongo.commits(),
        outcomes: mongo.outcomes(),
        snapshots: mongo.snapshots(),
        views: mongo.view_store(),
        dead_letters: Arc::new(letters),
        crash_marks: mongo.crash_marks(),
        announcements: mongo.announcements(),
        heartbeats: mongo.heartbeats(),
    })
}
