//! Workers and views that are away until the logs have expired: of the log of requests all that is
//! handled, which is all that may, and of the log of events everything.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ordain_checker::Place;
use ordain_checker::evidence::{Event, Item, Request, Topic};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use tokio::time::sleep;

use super::Run;
use super::topics::Topics;
use crate::{Role, until};

/// So long nobody decides: whoever was a worker is given up, and clients are refused.
const AWAY: Duration = Duration::from_secs(8);
/// How long a broker may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// Below which offset of each partition there is nothing any more.
type Below = HashMap<u32, u64>;

impl Run {
    /// Kills all views, then all workers, deletes what may expire, and starts others in their
    /// places. Views have then missed events, and nobody will send them again.
    ///
    /// # Panics
    /// When nothing is deleted, no view says so, none starts in their place, or the clients do not
    /// get on.
    pub async fn expire(&mut self) {
        self.nobody_has_ended(0);
        let timeline = Arc::clone(&self.timeline);
        let expired = async {
            self.server.kill_all(Role::View).await;
            self.goes_on().await;
            self.server.kill_all(Role::Worker).await;
            sleep(AWAY).await;
            self.delete().await;
            self.heal().await;
            let server = &self.server;
            // It is said, at least: by one of the views, all of which are new and said nothing yet.
            until("a view that says what is gone", || async {
                let views = server.processes(Role::View);
                views.iter().any(|view| view.log().contains("kafka_records_gone")).then_some(())
            })
            .await;
        };
        timeline.during(("expired", "away until the logs have expired"), expired).await;
        self.goes_on().await;
    }

    /// What is deleted stays in memory: it was there.
    #[expect(clippy::expect_used, reason = "a fault that is not made proves nothing")]
    async fn delete(&mut self) {
        let (prefix, services) = self.fleet.stands_on();
        let (prefix, servers) = (prefix.to_owned(), services.kafka.clone());
        let read = tokio::task::spawn_blocking(move || {
            let topics = Topics { servers: &servers, prefix: &prefix };
            let (requests, events) = (topics.requests(), topics.events());
            let handled = handled(&servers, &prefix, &requests);
            let ends = ends(&events);
            for (topic, below) in [(Topic::Requests, &handled), (Topic::FinalEvents, &ends)] {
                assert!(below.values().any(|offset| *offset > 0), "nothing of {topic} expires");
                delete(&servers, &format!("{prefix}.{topic}"), below);
            }
            let is_gone = move |item: &Item| {
                let below = match item {
                    Item::Request(_) => &handled,
                    _ => &ends,
                };
                place(item).is_some_and(|place| below.get(&place.partition) > Some(&place.offset))
            };
            let all = requests.into_iter().chain(events);
            all.filter(is_gone).collect::<Vec<Item>>()
        });
        self.expired.extend(read.await.expect("logs that can be read"));
    }
}

/// Where a record of a log stands.
const fn place(item: &Item) -> Option<Place> {
    match item {
        Item::Request(Request { place, .. }) | Item::Event(Event { place, .. }) => Some(*place),
        Item::Unreadable(unreadable) => Some(unreadable.place),
        _ => None,
    }
}

/// One above the last of the records in each partition.
fn ends(records: &[Item]) -> Below {
    let mut ends = Below::new();
    for Place { partition, offset } in records.iter().filter_map(place) {
        let end = ends.entry(partition).or_default();
        *end = (*end).max(offset + 1);
    }
    ends
}

/// The workers' progress.
#[expect(clippy::expect_used, reason = "a fault that is not made proves nothing")]
fn handled(servers: &str, prefix: &str, requests: &[Item]) -> Below {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("group.id", format!("{prefix}.workers"))
        .create()
        .expect("a consumer");
    let mut asked = TopicPartitionList::new();
    for partition in ends(requests).into_keys() {
        asked.add_partition(&format!("{prefix}.{}", Topic::Requests), partition.cast_signed());
    }
    let saved = consumer.committed_offsets(asked, ANSWER_MAX).expect("the workers' progress");
    let handled = saved.elements().into_iter().filter_map(|element| match element.offset() {
        Offset::Offset(offset) => Some((element.partition().unsigned_abs(), offset.unsigned_abs())),
        _ => None,
    });
    handled.collect()
}

#[expect(clippy::expect_used, reason = "a fault that is not made proves nothing")]
fn delete(servers: &str, topic: &str, below: &Below) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", servers).create().expect("a client");
    let mut list = TopicPartitionList::new();
    for (partition, offset) in below {
        let offset = Offset::Offset(offset.cast_signed());
        list.add_partition_offset(topic, partition.cast_signed(), offset).expect("a partition");
    }
    let options = AdminOptions::new().request_timeout(Some(ANSWER_MAX));
    let deleted = tokio::runtime::Handle::current().block_on(admin.delete_records(&list, &options));
    for element in deleted.expect("records that are deleted").elements() {
        element.error().expect("records that are deleted");
    }
}
