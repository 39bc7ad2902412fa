//! Records that no process of the fleet writes: those that stand in a log once more, as a producer
//! that tries again or a person with a tool may write them, and those of somebody else.

use std::time::Duration;

use ordain_checker::Place;
use ordain_checker::evidence::{Planted, Topic};
use rdkafka::Message as _;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Header, Headers as _, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, FutureProducer, FutureRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};

use crate::Fleet;

/// How long a broker may take to answer, and a record to come.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// So many of the last records of a partition are written again.
const RECORDS: i64 = 200;
/// Whatever the fleet writes says which command it is about.
const REQUEST_ID: &str = "ce_requestid";
/// An aggregate of ours, named by somebody else.
const KEY: &[u8] = b"default/account/a1";
const NOT_TEXT: &[u8] = b"\xff\x00 not ours";
const RAIN: &[u8] = br#"{"rain":true}"#;

/// Writes the last records of every partition of a topic again, neighbours swapped, each behind
/// all that were there. Gives how many.
///
/// # Panics
/// When the brokers do not answer in time.
pub async fn replay(fleet: &Fleet, topic: &str) -> usize {
    let (prefix, services) = fleet.stands_on();
    let (servers, topic) = (services.kafka.clone(), format!("{prefix}.{topic}"));
    let replayed = tokio::task::spawn_blocking(move || {
        let records = last_records(&servers, &topic);
        write(&servers, &topic, &records);
        records.len()
    });
    #[expect(clippy::expect_used, reason = "a test that cannot write what it wants has failed")]
    replayed.await.expect("records that are written again")
}

#[expect(clippy::expect_used, reason = "a test that cannot read its fleet has failed")]
fn last_records(servers: &str, topic: &str) -> Vec<OwnedMessage> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("group.id", "reads-to-write-again")
        .set("enable.auto.commit", "false")
        .create()
        .expect("a consumer");
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER_MAX).expect("a broker");
    let mut records = Vec::new();
    for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
        let ends = consumer.fetch_watermarks(topic, partition.id(), ANSWER_MAX);
        let (first, end) = ends.expect("where a partition ends");
        let from = first.max(end - RECORDS);
        let mut assigned = TopicPartitionList::new();
        let at = assigned.add_partition_offset(topic, partition.id(), Offset::Offset(from));
        at.and_then(|()| consumer.assign(&assigned)).expect("a partition to read");
        let mut next = from;
        let mut of_partition = Vec::new();
        while next < end {
            let record = consumer.poll(ANSWER_MAX).expect("a record in time").expect("a record");
            next = record.offset() + 1;
            // What somebody else has written stays alone: its copy would be known to nobody.
            if record.headers().is_some_and(|all| all.iter().any(|one| one.key == REQUEST_ID)) {
                of_partition.push(record.detach());
            }
        }
        of_partition.chunks_exact_mut(2).for_each(|two| two.swap(0, 1));
        records.extend(of_partition);
    }
    records
}

#[expect(clippy::expect_used, reason = "a test that cannot write what it wants has failed")]
fn write(servers: &str, topic: &str, records: &[OwnedMessage]) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("enable.idempotence", "true")
        .create()
        .expect("a producer");
    for record in records {
        let again: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).partition(record.partition());
        let again = BaseRecord { key: record.key(), payload: record.payload(), ..again };
        let again = BaseRecord { headers: record.headers().cloned(), ..again };
        producer.send(again).map_err(|(error, _)| error).expect("a record that is written");
    }
    producer.flush(ANSWER_MAX).expect("records that are written in time");
}

/// Writes records of somebody else into every partition of a topic: without a key, without what
/// says what it is, and with nothing in it. Gives where they stand.
///
/// # Panics
/// When the brokers do not take them in time.
#[expect(clippy::expect_used, reason = "a test that cannot write what it wants has failed")]
pub async fn plant(fleet: &Fleet, topic: Topic) -> Vec<Planted> {
    let (prefix, services) = fleet.stands_on();
    let name = format!("{prefix}.{topic}");
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", &services.kafka)
        .set("enable.idempotence", "true")
        .create()
        .expect("a producer");
    let metadata = producer.client().fetch_metadata(Some(&name), ANSWER_MAX).expect("a broker");
    let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
    let mut planted = Vec::new();
    for partition in partitions.map(|partition| partition.id()) {
        for record in foreign() {
            let written = producer.send(record(&name).partition(partition), ANSWER_MAX).await;
            let at = written.map_err(|(error, _)| error).expect("a record that is written");
            let place =
                Place { partition: partition.unsigned_abs(), offset: at.offset.unsigned_abs() };
            planted.push(Planted { topic, place });
        }
    }
    planted
}

type Foreign = for<'a> fn(&'a str) -> FutureRecord<'a, [u8], [u8]>;

fn foreign() -> [Foreign; 3] {
    let nothing: Foreign = |topic| FutureRecord::to(topic).key(KEY);
    let without_key: Foreign = |topic| FutureRecord::to(topic).payload(NOT_TEXT);
    let of_another_kind: Foreign = |topic| {
        let kind = Header { key: "ce_type", value: Some("weather.report") };
        let headers = OwnedHeaders::new().insert(kind);
        FutureRecord::to(topic).key(KEY).payload(RAIN).headers(headers)
    };
    [nothing, without_key, of_another_kind]
}
