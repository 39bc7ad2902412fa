//! The log of events as its writers see it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ordain_model::{Commit, Event};
use ordain_ports::{Error, EventLog, partition_of};
use rdkafka::config::ClientConfig;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::fault::Fault;
use crate::kafka::Kafka;
use crate::producer::{Listener, Outgoing, Producer, Told, is_full};
use crate::record::event_headers;
use crate::{Settings, broker};

/// Waits for one event's acknowledgement.
pub(crate) struct Awaited(oneshot::Sender<Told>);

impl Listener for Awaited {
    fn tell(self, told: Told) {
        // Whoever published may have gone; then nobody wants to know.
        drop(self.0.send(told));
    }
}

/// A producer that would rather stand still than leave an event out: none times out, one that fails
/// is the end of all behind it, and one request is under way at a time, for a broker that has no
/// state of a fresh producer takes any number for its first.
pub(crate) fn config(settings: &Settings) -> Result<ClientConfig, Fault> {
    let mut config = broker::producer_config(settings)?;
    config
        .set("message.timeout.ms", "0")
        .set("enable.gapless.guarantee", "true")
        .set("max.in.flight.requests.per.connection", "1");
    if skips_late_events() {
        config.set("message.timeout.ms", "1").set("enable.gapless.guarantee", "false");
    }
    if sends_two_at_a_time() {
        config.set("max.in.flight.requests.per.connection", "5");
    }
    Ok(config)
}

/// The wrong variant leaves out an event that is not sent in time, and goes on with the next.
fn skips_late_events() -> bool {
    fail::fail_point!("broken-late-event-skipped", |_| true);
    false
}

/// The wrong variant has several requests under way.
fn sends_two_at_a_time() -> bool {
    fail::fail_point!("broken-two-event-requests", |_| true);
    false
}

/// So long until a full queue is tried again.
const FULL: Duration = Duration::from_millis(2);

#[async_trait]
impl EventLog for Kafka {
    async fn publish(&self, commits: &[Arc<Commit>]) -> Result<(), Error> {
        if commits.iter().all(|commit| commit.events.is_empty()) {
            return Ok(());
        }
        let producer = self.inner.events.current();
        let ms = self.inner.settings.publish_ms_max;
        let publishing = self.publish_through(&producer, commits);
        let published = match timeout(Duration::from_millis(ms), publishing).await {
            Ok(published) => published,
            Err(_) => Err(Fault::Late { what: "publishing events", ms }),
        };
        if let Err(fault) = published {
            self.inner.events.discard(&producer)?;
            return Err(fault.into());
        }
        Ok(())
    }
}

impl Kafka {
    async fn publish_through(
        &self,
        producer: &Arc<Producer<Awaited>>,
        commits: &[Arc<Commit>],
    ) -> Result<(), Fault> {
        let mut waiting = Vec::new();
        for commit in commits {
            for event in &commit.events {
                waiting.push(self.enqueue(producer, commit, event).await?);
            }
        }
        for told in waiting {
            let told = told.await.map_err(|_| Fault::BrokenOff)?;
            match told {
                Err(_) if skips_late_events() => {}
                told => drop(told.map_err(Fault::of("publishing an event"))?),
            }
        }
        Ok(())
    }

    /// Enqueues an event, once there is room.
    async fn enqueue(
        &self,
        producer: &Arc<Producer<Awaited>>,
        commit: &Commit,
        event: &Event,
    ) -> Result<oneshot::Receiver<Told>, Fault> {
        let (sender, receiver) = oneshot::channel();
        let mut listener = Awaited(sender);
        loop {
            let record = Outgoing {
                topic: &self.inner.topics.finalevents,
                partition: Some(partition_of(&commit.aggregate, self.inner.event_partitions)),
                key: commit.aggregate.as_str(),
                value: event.data.as_str().as_bytes(),
                headers: event_headers(commit, event),
            };
            match producer.send(record, listener) {
                Ok(()) => return Ok(receiver),
                Err((error, back)) if is_full(&error) => listener = back,
                Err((error, _)) => return Err(Fault::of("publishing an event")(error)),
            }
            sleep(FULL).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use fail::FailScenario;
    use rdkafka::Message as _;
    use rdkafka::consumer::{BaseConsumer, Consumer as _};
    use rdkafka::message::OwnedHeaders;
    use rdkafka::mocking::MockCluster;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
    use rdkafka::{Offset, TopicPartitionList};

    use super::*;

    const TOPIC: &str = "some.finalevents";
    /// How long an answer is under way, so that there is time for a second request.
    const WAY: Duration = Duration::from_millis(300);
    /// No answer takes longer to come.
    const LIMIT: Duration = Duration::from_secs(60);

    /// Which of two events stands first in a log whose broker fails the first request of a fresh
    /// producer, and takes whatever comes next.
    async fn first_of_two() -> Vec<u8> {
        let brokers = MockCluster::new(1).unwrap();
        brokers.create_topic(TOPIC, 1, 1).unwrap();
        let settings =
            Settings { bootstrap_servers: brokers.bootstrap_servers(), ..Settings::default() };
        let mut config = config(&settings).unwrap();
        // Each event in a request of its own.
        let producer = Producer::new(config.set("batch.num.messages", "1")).unwrap();
        brokers.broker_round_trip_time(1, WAY).unwrap();
        let failed = RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT;
        brokers.request_errors(RDKafkaApiKey::Produce, &[failed]);
        let mut waiting = Vec::new();
        for value in [b"first".as_slice(), b"second"] {
            let (sender, receiver) = oneshot::channel();
            let key = "default/account/a";
            let partition = Some(0);
            let headers = OwnedHeaders::new();
            let record = Outgoing { topic: TOPIC, partition, key, value, headers };
            assert!(producer.send(record, Awaited(sender)).is_ok());
            waiting.push(receiver);
        }
        // The wrong variant may be told anything.
        for told in waiting {
            drop(timeout(LIMIT, told).await.unwrap());
        }
        let read = move || {
            let mut config = broker::config(&settings).unwrap();
            let consumer: BaseConsumer = config.set("group.id", "reader").create().unwrap();
            let mut all = TopicPartitionList::new();
            all.add_partition_offset(TOPIC, 0, Offset::Beginning).unwrap();
            consumer.assign(&all).unwrap();
            let first = consumer.poll(LIMIT).unwrap().unwrap();
            first.payload().unwrap().to_vec()
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn events_keep_their_order_when_the_first_request_of_a_producer_fails() {
        let alone = FailScenario::setup();
        assert_eq!(first_of_two().await, b"first");
        alone.teardown();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn with_two_requests_under_way_the_second_event_overtakes_the_first() {
        let alone = FailScenario::setup();
        fail::cfg("broken-two-event-requests", "return").unwrap();
        assert_eq!(first_of_two().await, b"second");
        alone.teardown();
    }
}
