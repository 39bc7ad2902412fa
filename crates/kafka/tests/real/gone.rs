//! Records that Kafka deletes before a lane has given them: the lane says so, and nothing else.

use std::sync::Arc;

use ordain_kafka::{Kafka, Settings};
use ordain_ports::contract::samples::{Line, aggregate};
use ordain_ports::{Gone, Input, Lane, Published, partition_of};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::{Offset, TopicPartitionList};

use crate::fresh::{LIMIT, connected, lanes, read, settings, within};

/// As `connected` makes them.
const PARTITIONS: u32 = 2;

/// Publishes so many events of an account, and says in which partition they stand.
async fn publish(kafka: &Kafka, line: &mut Line, count: usize) -> u32 {
    let commits: Vec<_> = (0..count).map(|_| line.success(1)).collect();
    kafka.event_log().publish(&commits).await.expect("publishes");
    partition_of(&aggregate("a"), PARTITIONS)
}

/// Deletes the events below this offset, as a retention by time does.
async fn delete(settings: &Settings, partition: u32, below: i64) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", &settings.bootstrap_servers)
        .create()
        .expect("a client");
    let mut list = TopicPartitionList::new();
    let topic = format!("{}.finalevents", settings.prefix);
    let partition = i32::try_from(partition).expect("small");
    list.add_partition_offset(&topic, partition, Offset::Offset(below)).expect("names it");
    let options = AdminOptions::new().request_timeout(Some(LIMIT));
    let deleted = admin.delete_records(&list, &options).await.expect("deletes");
    assert!(deleted.elements().iter().all(|element| element.error().is_ok()));
}

/// The lane of this partition that a new member is given, alone.
async fn only(kafka: &Kafka, partition: u32) -> (impl Sized, Arc<dyn Lane<Published>>) {
    let mut feed = kafka.join_events("view-gone");
    let mut lanes = lanes(&mut feed, PARTITIONS as usize).await;
    let lane = lanes.remove(&partition).expect("has all lanes");
    ((feed, lanes), lane)
}

async fn gone(lane: &Arc<dyn Lane<Published>>) -> Gone {
    match within("records, or that they are gone", lane.next(7, 1 << 20)).await {
        Ok(Input::Gone(gone)) => gone,
        other => panic!("{other:?} instead of what is gone"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_says_that_records_above_its_progress_are_gone() {
    let settings = settings();
    let kafka = connected(&settings, 1).await;
    let mut line = Line::of("a");
    let partition = publish(&kafka, &mut line, 9).await;
    // Nothing was ever saved.
    delete(&settings, partition, 4).await;
    let (member, lane) = only(&kafka, partition).await;
    assert_eq!(gone(&lane).await, Gone { from: 0, to: 4, partitions: PARTITIONS });
    let records = read(&lane, 5).await;
    assert_eq!(records[0].position.offset, 4);
    lane.save(6).await.expect("saves");
    drop((lane, member));
    // What is gone lies below what was saved.
    delete(&settings, partition, 6).await;
    let (member, lane) = only(&kafka, partition).await;
    assert_eq!(read(&lane, 3).await[0].position.offset, 6);
    drop((lane, member));
    // All is gone, and nothing stands behind it.
    delete(&settings, partition, 9).await;
    let (member, lane) = only(&kafka, partition).await;
    assert_eq!(gone(&lane).await, Gone { from: 6, to: 9, partitions: PARTITIONS });
    // While it waits, more comes.
    publish(&kafka, &mut line, 2).await;
    assert_eq!(read(&lane, 2).await[0].position.offset, 9);
    drop((lane, member));
}
