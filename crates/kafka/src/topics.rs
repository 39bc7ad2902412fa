//! The topics and groups of a fleet: their names, how they are made, and what they must be like.

use rdkafka::admin::AdminClient;
use rdkafka::metadata::Metadata;

pub use self::ensure::{TopicReport, TopicsReport, TopicsWanted, ensure_topics};
use self::rules::Found;
use crate::broker::{self, Plain};
use crate::fault::Fault;
use crate::settings::Settings;

mod ensure;
mod rules;

/// The names of one fleet's topics and groups.
#[derive(Debug, Clone)]
pub(crate) struct Topics {
    prefix: String,
    pub(crate) requests: String,
    pub(crate) finalevents: String,
    pub(crate) deadletters: String,
    /// The workers' group, the only one on `requests`.
    pub(crate) workers: String,
}

impl Topics {
    pub(crate) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            requests: format!("{prefix}.requests"),
            finalevents: format!("{prefix}.finalevents"),
            deadletters: format!("{prefix}.deadletters"),
            workers: format!("{prefix}.workers"),
        }
    }

    /// A group of followers, `view-<name>`.
    pub(crate) fn group(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }
}

/// How many partitions a topic has, if it is there.
pub(crate) fn partitions_of(metadata: &Metadata, topic: &str) -> Option<u32> {
    let found = metadata.topics().iter().find(|found| found.name() == topic)?;
    match found.error() {
        None => u32::try_from(found.partitions().len()).ok(),
        Some(_) => None,
    }
}

/// Checks that the topics of commands and events are there and will do.
pub(crate) fn check(settings: &Settings, topics: &Topics) -> Result<(), Fault> {
    let making = Fault::of("making a client for topics");
    let admin: AdminClient<Plain> =
        broker::config(settings)?.create_with_context(Plain).map_err(making)?;
    for topic in [&topics.requests, &topics.finalevents] {
        let found = Found::wait_for(&admin, settings, topic)?;
        let found = found.ok_or_else(|| Fault::NoTopic(topic.clone()))?;
        found.check(settings, topic == &topics.requests)?;
    }
    Ok(())
}
