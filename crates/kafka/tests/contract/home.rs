//! Topics on a real broker as a world for the contract suites: a prefix of its own for each test.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ordain_kafka::{GroupProtocol, Kafka, Settings, TopicsWanted, ensure_topics};
use ordain_model::Command;
use ordain_ports::contract::{Damage, Logs, Patience, Revoking, Setup, Waiting, World};
use ordain_ports::{CommandLog, EventLog, Feed, Position, Published};
use rdkafka::config::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};

/// How the members of groups agree on who has which partition.
pub(crate) trait Protocol: Send + Sync + 'static {
    const PROTOCOL: GroupProtocol;
}

/// Among themselves.
pub(crate) struct Classic;

/// The brokers say.
pub(crate) struct Brokers;

impl Protocol for Classic {
    const PROTOCOL: GroupProtocol = GroupProtocol::Classic;
}

impl Protocol for Brokers {
    const PROTOCOL: GroupProtocol = GroupProtocol::Consumer;
}

/// A fleet's topics, under a prefix that no other test has.
pub(crate) struct Fleet<P> {
    kafka: Kafka,
    settings: Settings,
    protocol: PhantomData<P>,
}

fn settings<P: Protocol>(prefix: String, setup: Setup) -> Settings {
    let defaults = Settings::default();
    Settings {
        bootstrap_servers: ordain_testkit::services().kafka,
        prefix,
        produce_queue_records_max: match setup.waiting {
            Waiting::Ample => defaults.produce_queue_records_max,
            Waiting::Tight => 16,
        },
        revoke_ms_max: match setup.revoking {
            Revoking::Ample => 60_000,
            Revoking::Tight => 50,
        },
        group_protocol: P::PROTOCOL,
        heartbeat_ms: 100,
        ..defaults
    }
}

async fn open<P: Protocol>(prefix: String, setup: Setup) -> Fleet<P> {
    let settings = settings::<P>(prefix, setup);
    let wanted = TopicsWanted {
        partitions: setup.partitions,
        event_partitions: Some(3),
        replication: 1,
        event_retention_ms: None,
        workers: None,
    };
    ensure_topics(&settings, &wanted).await.expect("makes the topics");
    let kafka = Kafka::connect(&settings).await.expect("connects");
    Fleet { kafka, settings, protocol: PhantomData }
}

#[async_trait]
impl<P: Protocol> World for Fleet<P> {
    const PATIENCE: Patience = Patience {
        test: Duration::from_secs(120),
        state: Duration::from_secs(60),
        quiet: Duration::from_millis(1_000),
    };

    async fn fresh(setup: Setup) -> Self {
        let id = uuid::Uuid::new_v4().simple().to_string();
        open(format!("test-{id}"), setup).await
    }

    /// What a process leaves behind is what the brokers have, so a new connection is all it takes.
    async fn restart(self, setup: Setup) -> Self {
        let prefix = self.settings.prefix.clone();
        drop(self);
        open(prefix, setup).await
    }
}

#[async_trait]
impl<P: Protocol> Logs for Fleet<P> {
    async fn command_log(&self) -> Arc<dyn CommandLog> {
        self.kafka.command_log()
    }

    async fn event_log(&self) -> Arc<dyn EventLog> {
        self.kafka.event_log()
    }

    async fn join_requests(&self) -> Box<dyn Feed<Command>> {
        self.kafka.join_requests()
    }

    async fn join_events(&self, group: &str) -> Box<dyn Feed<Published>> {
        self.kafka.join_events(group)
    }

    async fn event_partitions(&self) -> u32 {
        self.kafka.event_partitions()
    }

    /// Writes what any other program could write to the topic.
    async fn append_damaged(&self, damage: Damage) -> Position {
        let topic = format!("{}.requests", self.settings.prefix);
        let (key, value, headers) = match damage {
            Damage::Whole(bytes) => (None, bytes, OwnedHeaders::new()),
            Damage::Body(aggregate, request) => {
                let id = Header { key: "ce_requestid", value: Some(request.as_str()) };
                (Some(aggregate.to_string()), vec![b'{'], OwnedHeaders::new().insert(id))
            }
        };
        let mut record = FutureRecord::to(&topic).partition(0).payload(&value).headers(headers);
        if let Some(key) = &key {
            record = record.key(key);
        }
        let producer: FutureProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.settings.bootstrap_servers)
            .create()
            .expect("a producer");
        let delivery = producer.send(record, Duration::from_secs(10)).await.expect("delivers");
        let offset = u64::try_from(delivery.offset).expect("an offset");
        Position { partition: 0, offset }
    }
}
