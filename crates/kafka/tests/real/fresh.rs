//! Topics of its own for each test, and reading what stands in them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ordain_kafka::{Kafka, Settings, TopicsWanted, ensure_topics};
use ordain_model::Command;
use ordain_ports::contract::samples::{aggregate, command, request};
use ordain_ports::{Delivered, Feed, Input, Lane, Position, Record};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _, OwnedMessage};
use rdkafka::{Offset, TopicPartitionList};

/// No state takes longer to come about.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Settings under a prefix that nobody else has.
pub(crate) fn settings() -> Settings {
    Settings {
        bootstrap_servers: ordain_testkit::services().kafka,
        prefix: format!("test-{}", uuid::Uuid::new_v4().simple()),
        heartbeat_ms: 100,
        metadata_ms_max: 500,
        ..Settings::default()
    }
}

pub(crate) fn wanted(partitions: u32) -> TopicsWanted {
    TopicsWanted {
        partitions,
        event_partitions: Some(2),
        replication: 1,
        event_retention_ms: None,
        workers: None,
    }
}

pub(crate) async fn connected(settings: &Settings, partitions: u32) -> Kafka {
    ensure_topics(settings, &wanted(partitions)).await.expect("makes the topics");
    Kafka::connect(settings).await.expect("connects")
}

pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIMIT, future).await {
        Ok(result) => result,
        Err(_) => panic!("waited {LIMIT:?} in vain for {what}"),
    }
}

/// A command to this aggregate.
pub(crate) fn numbered(id: &str, number: u64) -> Command {
    command(&aggregate(id), &request(&format!("r{number}")))
}

pub(crate) async fn append(kafka: &Kafka, command: Command) -> Position {
    let delivery = kafka.command_log().append(command).expect("takes it");
    match within("a delivery", delivery).await {
        Delivered::At(position) => position,
        other => panic!("not delivered: {other:?}"),
    }
}

pub(crate) async fn lane<R>(feed: &mut Box<dyn Feed<R>>) -> Arc<dyn Lane<R>> {
    let lane = within("a lane", feed.lane()).await.expect("gives a lane");
    Arc::from(lane.expect("has not left"))
}

pub(crate) async fn lanes<R>(
    feed: &mut Box<dyn Feed<R>>,
    count: usize,
) -> BTreeMap<u32, Arc<dyn Lane<R>>> {
    let mut lanes = BTreeMap::new();
    while lanes.len() < count {
        let lane = lane(feed).await;
        lanes.insert(lane.partition(), lane);
    }
    lanes
}

pub(crate) async fn read<R>(lane: &Arc<dyn Lane<R>>, count: usize) -> Vec<Record<R>> {
    let mut records = Vec::new();
    while records.len() < count {
        match within("records", lane.next(7, 1 << 20)).await.expect("reads") {
            Input::Records(more) => records.extend(more),
            Input::Gone(gone) => panic!("records are gone: {gone:?}"),
            Input::Revoked => panic!("the lane was revoked without need"),
        }
    }
    records
}

/// The messages of a topic as any other program finds them.
pub(crate) fn messages(settings: &Settings, topic: &str, count: usize) -> Vec<OwnedMessage> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &settings.bootstrap_servers)
        .set("group.id", format!("{}.reader", settings.prefix))
        .create()
        .expect("a consumer");
    let topic = format!("{}.{topic}", settings.prefix);
    let metadata = consumer.fetch_metadata(Some(&topic), LIMIT).expect("metadata");
    let mut all = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        let added = all.add_partition_offset(&topic, partition.id(), Offset::Beginning);
        added.expect("names a partition");
    }
    consumer.assign(&all).expect("assigns");
    let mut found = Vec::new();
    while found.len() < count {
        let message = consumer.poll(LIMIT).expect("a message in time").expect("reads");
        found.push(message.detach());
    }
    found
}

/// The headers of a message as text.
pub(crate) fn headers(message: &OwnedMessage) -> BTreeMap<String, String> {
    let headers = message.headers().expect("headers");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    let pairs = headers.iter().map(|header| {
        let value = header.value.map(text).expect("a value");
        (header.key.to_owned(), value)
    });
    let count = headers.count();
    let map: BTreeMap<_, _> = pairs.collect();
    assert_eq!(map.len(), count, "a header stands there twice");
    map
}
