//! Bursts, full queues, and messages that are not ours.

use std::sync::Arc;

use ordain_redis::{Redis, Settings};

use crate::inbox::{subscribed, to};
use crate::server::Server;
use crate::world::{administrator, connections, settings};

/// How often the server has read from its clients.
async fn reads(url: &str) -> u64 {
    let mut administrator = administrator(url).await;
    let info: String =
        redis::cmd("INFO").arg("stats").query_async(&mut administrator).await.unwrap();
    let reads = info.lines().find_map(|line| line.strip_prefix("total_reads_processed:"));
    reads.expect("the server counts its reads").trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_goes_in_one_pipeline_and_in_order() {
    let server = Server::start().await;
    let redis = Redis::connect(&server.settings()).await.unwrap();
    let (channel, inbox) = subscribed(&redis).await;
    let sender = redis.reply_sender();
    sender.send(vec![to(&channel, 5_000)]);
    inbox.until("the first", |arrived| arrived.nonces == [5_000]).await;
    let before = reads(&server.url()).await;
    sender.send((0..5_000).map(|nonce| to(&channel, nonce)).collect());
    let arrived = inbox.until("the burst", |arrived| arrived.nonces.len() == 5_001).await;
    let reads = reads(&server.url()).await - before;
    assert!(reads < 200, "5,000 replies took {reads} reads of the server");
    assert!(arrived.nonces[1..].iter().copied().eq(0..5_000), "out of order");
    assert_eq!(arrived.losses, 0);
}

/// What a full queue drops is told to whom it was for, though no connection broke.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_drops_and_tells() {
    let server = Server::start().await;
    let patient = Settings { response_ms_max: 60_000, queue_replies_max: 10, ..server.settings() };
    let redis = Redis::connect(&patient).await.unwrap();
    let ((one, inbox), (_, other)) = (subscribed(&redis).await, subscribed(&redis).await);
    let sender = redis.reply_sender();
    sender.send(vec![to(&one, 1)]);
    inbox.until("the first", |arrived| arrived.nonces == [1]).await;
    let before = connections(&server.url(), "ordain").await;
    server.freeze();
    for nonce in 100..1_000 {
        sender.send(vec![to(&one, nonce)]);
    }
    server.thaw();
    inbox.until("the loss to be told", |arrived| arrived.losses > 0).await;
    assert!(inbox.now().nonces.len() < 900, "nothing was dropped");
    assert_eq!(connections(&server.url(), "ordain").await, before, "a connection broke");
    assert_eq!(other.now().losses, 0, "told to whom nothing was lost");
    sender.send(vec![to(&one, 2)]);
    inbox.until("a reply when there is room again", |now| now.nonces.contains(&2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_are_no_frames_are_ignored() {
    let settings = settings();
    let redis = Redis::connect(&settings).await.unwrap();
    let (channel, inbox) = subscribed(&redis).await;
    let mut administrator = administrator(&settings.url).await;
    for garbage in [&b""[..], b"\x01", b"\x01\x00\x05", b"\x02\x01", b"hello"] {
        let mut publish = redis::cmd("PUBLISH");
        publish.arg(&*channel).arg(garbage);
        let receivers: u64 = publish.query_async(&mut administrator).await.unwrap();
        assert_eq!(receivers, 1);
    }
    redis.reply_sender().send(vec![to(&channel, 1)]);
    let arrived = inbox.until("a reply", |arrived| !arrived.nonces.is_empty()).await;
    assert_eq!((arrived.nonces, arrived.losses), (vec![1], 0));
}

/// A server may be shared with others: what is not a channel of this fleet is not written to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_to_channels_of_others() {
    let (ours, theirs) = (settings(), settings());
    let (redis, other) =
        (Redis::connect(&ours).await.unwrap(), Redis::connect(&theirs).await.unwrap());
    let (channel, inbox) = subscribed(&redis).await;
    let (foreign, others) = subscribed(&other).await;
    let sender = redis.reply_sender();
    sender.send(vec![to(&foreign, 1), to(&Arc::from("__keyevent@0__:set"), 2), to(&channel, 3)]);
    inbox.until("our reply", |arrived| arrived.nonces == [3]).await;
    // On the same connection of theirs, behind what must not be there.
    other.reply_sender().send(vec![to(&foreign, 4)]);
    let arrived = others.until("their reply", |arrived| !arrived.nonces.is_empty()).await;
    assert_eq!(arrived.nonces, [4]);
}
