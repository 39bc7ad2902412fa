//! A fleet as a home: connects to Kafka, MongoDB and Redis, and says what is wrong where one
//! cannot be used.

use std::sync::Arc;

use ordain_api::Readiness;
use ordain_kafka::{ConnectError, Kafka, ReportMember};
use ordain_mongo::Mongo;
use ordain_ports::{Action, Error};
use ordain_redis::Redis;

use super::letters::ToldLetters;
use super::{Home, Place, Stores};
use crate::Configuration;

/// Connects to all three. Redis may be away, for replies are only the quicker way to an outcome.
///
/// # Errors
/// Which of them cannot be used, where it was looked for, and why.
pub(crate) async fn connect(
    configuration: &Configuration,
    readiness: &Readiness,
) -> anyhow::Result<Home> {
    let mongo = mongo(configuration).await?;
    mongo.check().await.map_err(|error| no_mongo(configuration, &error))?;
    let kafka = Kafka::connect(&configuration.kafka).await;
    let kafka = kafka.map_err(|error| no_kafka(configuration, error))?;
    let kafka = kafka.reporting(reporting(readiness));
    let url = &configuration.redis.url;
    let redis = Redis::connect(&configuration.redis).await;
    let redis = redis.map_err(|error| {
        unusable(&format!("Redis at {} (redis.url, ORDAIN_REDIS__URL)", shown(url)), &error)
    })?;
    if let Err(error) = redis.check().await {
        tracing::warn!(url, %error, "redis is away: answers wait for look-ups until it is back");
    }
    Ok(Home::of(stores(&kafka, &mongo)?, Place::Fleet(kafka, redis)))
}

/// Makes every group that the brokers keep this process out of show in `/readyz`.
fn reporting(readiness: &Readiness) -> ReportMember {
    let readiness = readiness.clone();
    Arc::new(move |group, refused| {
        let status = refused.map_or(Ok(()), |why| Err(format!("no member: {why}")));
        readiness.set(format!("group {group}"), status);
    })
}

/// Makes ready to use MongoDB.
///
/// # Errors
/// What in the configuration is wrong.
pub(crate) async fn mongo(configuration: &Configuration) -> anyhow::Result<Mongo> {
    let mongo = Mongo::connect(&configuration.mongo).await;
    mongo.map_err(|error| no_mongo(configuration, &error))
}

/// Why MongoDB cannot be used.
pub(crate) fn no_mongo(configuration: &Configuration, error: &Error) -> anyhow::Error {
    let url = shown(&configuration.mongo.url);
    unusable(&format!("MongoDB at {url} (mongo.url, ORDAIN_MONGO__URL)"), error)
}

/// Why Kafka cannot be used.
pub(crate) fn no_kafka(configuration: &Configuration, error: ConnectError) -> anyhow::Error {
    let brokers = &configuration.kafka.bootstrap_servers;
    let setting = "kafka.bootstrap_servers, ORDAIN_KAFKA__BOOTSTRAP_SERVERS";
    unusable(&format!("Kafka at {brokers} ({setting})"), &error.into())
}

/// A URL with a user or a password in it is refused, and not repeated.
fn shown(url: &str) -> &str {
    if url.contains('@') { "the configured URL" } else { url }
}

fn unusable(what: &str, error: &Error) -> anyhow::Error {
    let hint = match error.action() {
        Action::TryAgain => "; is it running, and can it be reached from here?",
        Action::Stop | Action::GiveUp | Action::CallPerson => "",
    };
    anyhow::anyhow!("{what} cannot be used: {error}{hint}")
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
