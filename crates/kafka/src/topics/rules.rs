//! What a topic must be like for the promises to hold.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};

use super::partitions_of;
use crate::broker::{self, Plain};
use crate::fault::Fault;
use crate::settings::Settings;

/// How long a broker is left alone between two looks.
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// What there is to be seen of a topic.
#[derive(Debug)]
enum Look {
    /// It is not there.
    Missing,
    /// It is there, and the broker that was asked what it is like has not heard of it yet.
    NotDescribed,
    /// It is there.
    Found(Found),
}

/// A topic as it is.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) partitions: u32,
    pub(crate) replication: u32,
    configuration: BTreeMap<String, String>,
}

impl Found {
    /// Looks at a topic until it is described, for as long as there is patience; `None` when it is
    /// not there.
    pub(crate) fn wait_for(
        admin: &AdminClient<Plain>,
        settings: &Settings,
        topic: &str,
    ) -> Result<Option<Self>, Fault> {
        let end = Instant::now() + broker::patience(settings);
        loop {
            match Self::look(admin, settings, topic)? {
                Look::Found(found) => return Ok(Some(found)),
                Look::Missing => return Ok(None),
                Look::NotDescribed if Instant::now() >= end => {
                    let ms = settings.request_ms_max;
                    return Err(Fault::Late { what: "describing a topic", ms });
                }
                Look::NotDescribed => std::thread::sleep(BETWEEN_LOOKS),
            }
        }
    }

    fn look(admin: &AdminClient<Plain>, settings: &Settings, topic: &str) -> Result<Look, Fault> {
        let patience = broker::patience(settings);
        let looking = Fault::of("looking at a topic");
        let metadata = admin.inner().fetch_metadata(Some(topic), patience).map_err(looking)?;
        let Some(partitions) = partitions_of(&metadata, topic).filter(|count| *count > 0) else {
            return Ok(Look::Missing);
        };
        let of_topic = metadata.topics().iter().find(|found| found.name() == topic);
        let replicas = of_topic
            .into_iter()
            .flat_map(|found| found.partitions())
            .map(|partition| partition.replicas().len())
            .min();
        let replication = u32::try_from(replicas.unwrap_or_default()).unwrap_or(u32::MAX);
        let configuration = configuration(admin, settings, topic)?;
        // Who describes a topic need not be who has just told of it.
        if configuration.is_empty() {
            return Ok(Look::NotDescribed);
        }
        let name = topic.to_owned();
        Ok(Look::Found(Self { name, partitions, replication, configuration }))
    }

    fn value(&self, key: &str) -> &str {
        self.configuration.get(key).map_or("", String::as_str)
    }

    fn number(&self, key: &str) -> i64 {
        self.value(key).parse().unwrap_or_default()
    }

    pub(crate) fn min_in_sync(&self) -> u32 {
        u32::try_from(self.number("min.insync.replicas")).unwrap_or_default()
    }

    /// For how many milliseconds records are kept; `None` for good.
    pub(crate) fn retention_ms(&self) -> Option<u64> {
        u64::try_from(self.number("retention.ms")).ok()
    }

    /// Whether it will do.
    pub(crate) fn check(&self, settings: &Settings, is_requests: bool) -> Result<(), Fault> {
        match self.flaw(settings, is_requests) {
            Some(why) => Err(Fault::BadTopic { topic: self.name.clone(), why }),
            None => Ok(()),
        }
    }

    fn flaw(&self, settings: &Settings, is_requests: bool) -> Option<String> {
        let policy = self.value("cleanup.policy");
        if policy != "delete" {
            return Some(format!(
                "its cleanup.policy is {policy}, which loses records that others rely on; it must \
                 be delete"
            ));
        }
        if is_requests && self.number("retention.ms") >= 0 {
            return Some(
                "its retention.ms must be -1: nothing may be deleted that is not done".to_owned(),
            );
        }
        if self.number("retention.bytes") >= 0 {
            return Some("its retention.bytes must be -1".to_owned());
        }
        if self.number("max.message.bytes") < i64::from(settings.record_bytes_max) {
            return Some(format!(
                "its max.message.bytes is below record_bytes_max, {}",
                settings.record_bytes_max
            ));
        }
        self.weakness()
    }

    /// With three replicas and more, what was acknowledged must outlive one of them.
    fn weakness(&self) -> Option<String> {
        if self.replication < 3 {
            return None;
        }
        if self.min_in_sync() < 2 {
            return Some("its min.insync.replicas must be 2 or more".to_owned());
        }
        let unclean = self.value("unclean.leader.election.enable") == "true";
        unclean.then(|| "its unclean.leader.election.enable must be false".to_owned())
    }
}

fn configuration(
    admin: &AdminClient<Plain>,
    settings: &Settings,
    topic: &str,
) -> Result<BTreeMap<String, String>, Fault> {
    let options = AdminOptions::new().request_timeout(Some(broker::patience(settings)));
    let specifier = ResourceSpecifier::Topic(topic);
    let described = admin.describe_configs([&specifier], &options);
    let described = super::ensure::wait(described).map_err(Fault::of("describing a topic"))?;
    let mut configuration = BTreeMap::new();
    for resource in described {
        let resource = resource.map_err(|code| Fault::BadTopic {
            topic: topic.to_owned(),
            why: format!("it cannot be described: {code}"),
        })?;
        for entry in resource.entries {
            configuration.insert(entry.name, entry.value.unwrap_or_default());
        }
    }
    Ok(configuration)
}
