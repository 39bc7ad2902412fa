//! What Kafka takes for one record, and how many it takes and gives.

use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

use crate::median_ms;

const SINGLES: usize = 300;
const PARTITIONS: i32 = 4;
/// Records sent and not acknowledged.
const UNDER_WAY_MAX: usize = 1_000;
/// About what a deposit is with its headers.
const BYTES: [u8; 250] = [7; 250];
/// So long nothing comes when all has come.
const SILENCE: Duration = Duration::from_secs(2);
const SEND_MAX: Duration = Duration::from_secs(30);

/// One record after the other, acknowledged by all replicas; then as many as go through.
pub(crate) async fn both_ways(servers: &str, seconds: u64) -> anyhow::Result<Value> {
    let topic = format!("limits-{}", Uuid::new_v4().simple());
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers);
    let admin: AdminClient<DefaultClientContext> = config.create()?;
    let new = NewTopic::new(&topic, PARTITIONS, TopicReplication::Fixed(1));
    for created in admin.create_topics(&[new], &AdminOptions::new()).await? {
        created.map_err(|(topic, why)| anyhow!("{topic} is not created: {why}"))?;
    }
    let mut producer = config.clone();
    let producer: FutureProducer =
        producer.set("enable.idempotence", "true").set("linger.ms", "0").create()?;

    let mut times = Vec::with_capacity(SINGLES);
    for number in 0..SINGLES {
        let began = Instant::now();
        send(&producer, &topic, number).await?;
        times.push(began.elapsed());
    }

    let mut consumer = config;
    let consumer: StreamConsumer = consumer
        .set("group.id", &topic)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .create()?;
    consumer.subscribe(&[&topic])?;
    // The group takes its time to form, which is not what is measured.
    consumer.recv().await?;

    let began = Instant::now();
    let until = began + Duration::from_secs(seconds);
    let counting = tokio::spawn(async move {
        let mut consumed = 1;
        // It is over when nothing comes any more.
        while let Ok(read) = timeout(SILENCE, consumer.recv()).await {
            read?;
            consumed += 1;
        }
        anyhow::Ok((consumed, Instant::now() - SILENCE))
    });
    let mut produced = SINGLES;
    let mut under_way = FuturesUnordered::new();
    while Instant::now() < until || !under_way.is_empty() {
        while under_way.len() < UNDER_WAY_MAX && Instant::now() < until {
            under_way.push(send(&producer, &topic, produced));
            produced += 1;
        }
        under_way.next().await.transpose()?;
    }
    let (consumed, ended) = counting.await??;
    ensure!(consumed == produced, "{produced} were produced, but {consumed} consumed");
    let both = (produced - SINGLES) as f64 / (ended - began).as_secs_f64();
    admin.delete_topics(&[&topic], &AdminOptions::new()).await?;
    Ok(json!({"produceMs": median_ms(times), "bothWaysPerSecond": both}))
}

async fn send(producer: &FutureProducer, topic: &str, number: usize) -> anyhow::Result<()> {
    let key = format!("account/bench-{}", number % 10_000);
    let record = FutureRecord::to(topic).key(&key).payload(&BYTES[..]);
    producer.send(record, SEND_MAX).await.map_err(|(error, _)| error)?;
    Ok(())
}
