//! Makes the topics of a fleet where they are missing, and checks those that are there.

use std::time::Instant;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use serde::Serialize;
use tokio::task::spawn_blocking;

use super::Topics;
use super::rules::{BETWEEN_LOOKS, Found};
use crate::broker::{self, Plain};
use crate::fault::Fault;
use crate::{ConnectError, Settings};

/// How many partitions `finalevents` gets, for good, when nothing else is asked for: enough for as
/// many projectors of one view as anyone will run.
const EVENT_PARTITIONS: u32 = 64;

/// So many partitions for each worker let them be spread evenly.
const PARTITIONS_PER_WORKER: u32 = 10;

/// What topics a fleet wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicsWanted {
    /// How many partitions `requests` is to have at least; it may be raised at any time.
    pub partitions: u32,
    /// How many partitions `finalevents` is to have, for good; a generous number when unset.
    pub event_partitions: Option<u32>,
    /// On how many brokers each record is to be.
    pub replication: u32,
    /// For how many milliseconds events are kept; for good when unset. Followers that were away for
    /// longer read what they miss from the commits.
    pub event_retention_ms: Option<u64>,
    /// How many workers there will be, to check that there are partitions enough for them.
    pub workers: Option<u32>,
}

/// What was made and found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TopicsReport {
    /// Every topic of the fleet.
    pub topics: Vec<TopicReport>,
    /// What works and should yet be looked at; for people.
    pub warnings: Vec<String>,
}

/// One topic as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TopicReport {
    /// Its name.
    pub name: String,
    /// Whether it was made by this call.
    pub made: bool,
    /// How many partitions it had before, when they were raised by this call.
    pub raised_from: Option<u32>,
    /// How many partitions it has.
    pub partitions: u32,
    /// On how many brokers each record is.
    pub replication: u32,
    /// Without so many replicas in step nothing is acknowledged.
    pub min_insync_replicas: u32,
    /// For how many milliseconds records are kept; for good when unset.
    pub retention_ms: Option<u64>,
}

/// Makes the topics of a fleet where they are missing, raises the partitions of `requests` where
/// more are wanted, and checks that all is as it must be. Doing it again changes nothing.
///
/// # Errors
/// Why the topics will not do, for people.
pub async fn ensure_topics(
    settings: &Settings,
    wanted: &TopicsWanted,
) -> Result<TopicsReport, ConnectError> {
    let (settings, wanted) = (settings.clone(), wanted.clone());
    let ensuring = spawn_blocking(move || ensure(&settings, &wanted));
    Ok(ensuring.await.map_err(|_| Fault::BrokenOff)??)
}

/// Waits for an answer of the driver, which comes from a thread of the driver's own.
pub(super) fn wait<T>(answer: impl Future<Output = T>) -> T {
    tokio::runtime::Handle::current().block_on(answer)
}

struct Ensuring<'a> {
    admin: AdminClient<Plain>,
    settings: &'a Settings,
    wanted: &'a TopicsWanted,
    options: AdminOptions,
}

/// A topic that is wanted.
#[derive(Clone, Copy)]
struct Want<'a> {
    name: &'a str,
    partitions: u32,
    retention_ms: Option<u64>,
    kind: Kind,
}

/// What may become of the number of partitions of a topic.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `requests`: it may be raised.
    Raisable,
    /// `finalevents`: it stays as it is, and is refused when it is not as asked for.
    Fixed,
    /// It stays as it is.
    Any,
}

fn ensure(settings: &Settings, wanted: &TopicsWanted) -> Result<TopicsReport, Fault> {
    let topics = Topics::new(&settings.prefix);
    let making = Fault::of("making a client for topics");
    let patience = broker::patience(settings);
    let ensuring = Ensuring {
        admin: broker::config(settings)?.create_with_context(Plain).map_err(making)?,
        settings,
        wanted,
        options: AdminOptions::new()
            .request_timeout(Some(patience))
            .operation_timeout(Some(patience)),
    };
    let requests = Want {
        name: &topics.requests,
        partitions: wanted.partitions.max(1),
        retention_ms: None,
        kind: Kind::Raisable,
    };
    let finalevents = Want {
        name: &topics.finalevents,
        partitions: wanted.event_partitions.unwrap_or(EVENT_PARTITIONS).max(1),
        retention_ms: wanted.event_retention_ms,
        kind: if wanted.event_partitions.is_some() { Kind::Fixed } else { Kind::Any },
    };
    let deadletters =
        Want { name: &topics.deadletters, partitions: 1, retention_ms: None, kind: Kind::Any };
    let mut report = TopicsReport { topics: Vec::new(), warnings: Vec::new() };
    for want in [requests, finalevents, deadletters] {
        let done = ensuring.topic(want, &mut report.warnings)?;
        report.topics.push(done);
    }
    warn(wanted, &mut report);
    Ok(report)
}

fn warn(wanted: &TopicsWanted, report: &mut TopicsReport) {
    let partitions = report.topics.first().map_or(0, |requests| requests.partitions);
    if let Some(workers) = wanted.workers {
        let enough = workers.saturating_mul(PARTITIONS_PER_WORKER);
        if partitions < enough {
            report.warnings.push(format!(
                "{workers} workers share {partitions} partitions unevenly: {enough} are better"
            ));
        }
    }
    if report.topics.iter().any(|topic| topic.replication < 3) {
        report.warnings.push(
            "with fewer than 3 replicas the loss of one broker may lose what was accepted"
                .to_owned(),
        );
    }
}

impl Ensuring<'_> {
    fn look(&self, topic: &str) -> Result<Option<Found>, Fault> {
        Found::wait_for(&self.admin, self.settings, topic)
    }

    fn topic(&self, want: Want<'_>, warnings: &mut Vec<String>) -> Result<TopicReport, Fault> {
        let before = self.look(want.name)?;
        let (found, made) = match before {
            Some(found) => (found, false),
            None => (self.make(want)?, true),
        };
        found.check(self.settings, want.kind == Kind::Raisable)?;
        let had = found.partitions;
        let found = self.raise(want, found)?;
        if want.kind == Kind::Raisable && found.partitions > want.partitions {
            warnings.push(format!(
                "{} has {} partitions, and keeps them, though {} are asked for: they are never \
                 lowered",
                want.name, found.partitions, want.partitions
            ));
        }
        if want.kind != Kind::Raisable && found.retention_ms() != want.retention_ms {
            warnings.push(format!(
                "{} keeps records for {}, not for {}: alter its retention.ms if that is not meant",
                want.name,
                shown(found.retention_ms()),
                shown(want.retention_ms),
            ));
        }
        Ok(TopicReport {
            made,
            raised_from: (had != found.partitions).then_some(had),
            partitions: found.partitions,
            replication: found.replication,
            min_insync_replicas: found.min_in_sync(),
            retention_ms: found.retention_ms(),
            name: found.name,
        })
    }

    fn make(&self, want: Want<'_>) -> Result<Found, Fault> {
        let replication = i32::try_from(self.wanted.replication.max(1)).unwrap_or(i32::MAX);
        let partitions = i32::try_from(want.partitions).unwrap_or(i32::MAX);
        let min_in_sync = if replication >= 3 { "2" } else { "1" };
        let retention = want.retention_ms.map_or_else(|| "-1".to_owned(), |ms| ms.to_string());
        let largest = self.settings.record_bytes_max.to_string();
        let topic = NewTopic::new(want.name, partitions, TopicReplication::Fixed(replication))
            .set("cleanup.policy", "delete")
            .set("retention.ms", &retention)
            .set("retention.bytes", "-1")
            .set("min.insync.replicas", min_in_sync)
            .set("unclean.leader.election.enable", "false")
            .set("max.message.bytes", &largest);
        let making = wait(self.admin.create_topics([&topic], &self.options));
        done(making, RDKafkaErrorCode::TopicAlreadyExists, "making a topic")?;
        self.until(want.name, |found| found.partitions > 0)
    }

    /// More partitions for `requests`; every other topic must have what it is to have.
    fn raise(&self, want: Want<'_>, found: Found) -> Result<Found, Fault> {
        if found.partitions == want.partitions || want.kind == Kind::Any {
            return Ok(found);
        }
        let refuse = |why: String| Err(Fault::BadTopic { topic: want.name.to_owned(), why });
        if want.kind == Kind::Fixed {
            return refuse(format!(
                "it has {} partitions and not {}; their number never changes, for followers rely \
                 on it",
                found.partitions, want.partitions
            ));
        }
        if found.partitions > want.partitions {
            return Ok(found);
        }
        let raised = NewPartitions::new(want.name, want.partitions as usize);
        let raising = wait(self.admin.create_partitions([&raised], &self.options));
        done(raising, RDKafkaErrorCode::InvalidPartitions, "raising the partitions of a topic")?;
        self.until(want.name, |found| found.partitions >= want.partitions)
    }

    /// Looks until the topic is so: the brokers learn of a change one after the other.
    fn until(&self, topic: &str, is_so: impl Fn(&Found) -> bool) -> Result<Found, Fault> {
        let end = Instant::now() + broker::patience(self.settings);
        loop {
            match self.look(topic) {
                Ok(Some(found)) if is_so(&found) => return Ok(found),
                Err(fault) if Instant::now() >= end => return Err(fault),
                Ok(_) if Instant::now() >= end => {
                    let ms = self.settings.request_ms_max;
                    return Err(Fault::Late { what: "making a topic", ms });
                }
                _ => std::thread::sleep(BETWEEN_LOOKS),
            }
        }
    }
}

/// Whether it was done, by us or by somebody else just now.
fn done(
    results: KafkaResult<Vec<Result<String, (String, RDKafkaErrorCode)>>>,
    already: RDKafkaErrorCode,
    what: &'static str,
) -> Result<(), Fault> {
    for result in results.map_err(Fault::of(what))? {
        match result {
            Err((_, code)) if code != already => {
                return Err(Fault::of(what)(KafkaError::AdminOp(code)));
            }
            _ => {}
        }
    }
    Ok(())
}

fn shown(retention_ms: Option<u64>) -> String {
    retention_ms.map_or_else(|| "good".to_owned(), |ms| format!("{ms} ms"))
}
