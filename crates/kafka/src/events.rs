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
