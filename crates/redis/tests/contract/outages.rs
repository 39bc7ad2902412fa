//! Connections that break and servers that stop: who waits is told, and replies arrive again.

use std::sync::Arc;

use ordain_ports::ReplySender;
use ordain_redis::{Redis, Settings};
use ordain_testkit::until;

use crate::inbox::{Inbox, subscribed, to};
use crate::server::Server;
use crate::world::{administrator, connections, kill_connections, settings};

/// Sends until one of these replies arrives.
async fn assert_replies_arrive(sender: &dyn ReplySender, channel: &Arc<str>, inbox: &Inbox) {
    until("a reply", || {
        sender.send(vec![to(channel, 777)]);
        let arrived = inbox.now().nonces.contains(&777);
        async move { arrived.then_some(()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_subscription_is_told_and_comes_back() {
    // The broken connection itself says so; nobody waits for the next question to fail.
    let settings = Settings { ping_ms: 600_000, ..settings() };
    let redis = Redis::connect(&settings).await.unwrap();
    let (channel, inbox) = subscribed(&redis).await;
    let sender = redis.reply_sender();
    assert_replies_arrive(&*sender, &channel, &inbox).await;
    for round in 1..=3 {
        assert_eq!(inbox.now().losses, round - 1, "a loss was told without any");
        assert_eq!(kill_connections(&settings.url, &channel).await, 1);
        inbox.until("the loss to be told", |arrived| arrived.losses == round).await;
        // Told means that the channel is there again: this very reply arrives.
        sender.send(vec![to(&channel, round as u64)]);
        let is_there = |arrived: &crate::inbox::Arrived| arrived.nonces.contains(&(round as u64));
        inbox.until("the reply after the loss", is_there).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_sender_comes_back_and_loses_nothing_silently() {
    let settings = settings();
    let redis = Redis::connect(&settings).await.unwrap();
    let (channel, inbox) = subscribed(&redis).await;
    let sender = redis.reply_sender();
    assert_replies_arrive(&*sender, &channel, &inbox).await;
    let name = format!("{}.sender", settings.prefix);
    assert_eq!(kill_connections(&settings.url, &name).await, 1);
    sender.send((0..100).map(|nonce| to(&channel, nonce)).collect());
    let all = |nonces: &[u64]| (0..100).all(|nonce| nonces.contains(&nonce));
    inbox.until("all of them or a loss", |now| now.losses > 0 || all(&now.nonces)).await;
    assert_replies_arrive(&*sender, &channel, &inbox).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_away_is_found_again() {
    let mut server = Server::start().await;
    let redis = Redis::connect(&server.settings()).await.unwrap();
    let (channel, inbox) = subscribed(&redis).await;
    let sender = redis.reply_sender();
    assert_replies_arrive(&*sender, &channel, &inbox).await;
    for round in 1..=2 {
        server.kill();
        redis.check().await.unwrap_err();
        sender.send(vec![to(&channel, 1)]);
        server.start_again().await;
        redis.check().await.unwrap();
        inbox.until("the loss to be told", |arrived| arrived.losses >= round).await;
        let nonce = 100 + round as u64;
        sender.send(vec![to(&channel, nonce)]);
        until("a reply sent after the outage", || {
            // The first may have met the sender's old connection, and is told to be lost then.
            sender.send(vec![to(&channel, nonce)]);
            let arrived = inbox.now().nonces.contains(&nonce);
            async move { arrived.then_some(()) }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_starts_during_an_outage_gets_its_channel_afterwards() {
    let mut server = Server::stopped();
    let redis = Redis::connect(&server.settings()).await.unwrap();
    let (channel, inbox) = subscribed(&redis).await;
    let sender = redis.reply_sender();
    sender.send(vec![to(&channel, 1)]);
    server.start_again().await;
    inbox.until("the loss to be told", |arrived| arrived.losses == 1).await;
    assert_replies_arrive(&*sender, &channel, &inbox).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_is_noticed_by_both_ends() {
    let server = Server::start().await;
    let settings = Settings { ping_ms: 20, response_ms_max: 100, ..server.settings() };
    let redis = Redis::connect(&settings).await.unwrap();
    let (channel, inbox) = subscribed(&redis).await;
    let sender = redis.reply_sender();
    assert_replies_arrive(&*sender, &channel, &inbox).await;
    let before = connections(&settings.url, "ordain").await;
    assert_eq!(before.len(), 2, "one for each end");
    server.freeze();
    // No state of ours shows that an end has given up its connection; the server's will.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    server.thaw();
    inbox.until("the loss to be told", |arrived| arrived.losses > 0).await;
    until("the end of both connections", || async {
        let now = connections(&settings.url, "ordain").await;
        before.iter().all(|old| !now.contains(old)).then_some(())
    })
    .await;
    assert_replies_arrive(&*sender, &channel, &inbox).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_sink_ends_its_connection_and_a_dropped_sender_sends_what_it_has() {
    let settings = Settings { ping_ms: 20, ..settings() };
    let redis = Redis::connect(&settings).await.unwrap();
    let (channel, inbox) = subscribed(&redis).await;
    let sender = redis.reply_sender();
    sender.send((0..1_000).map(|nonce| to(&channel, nonce)).collect());
    drop(sender);
    inbox.until("all that was sent", |arrived| arrived.nonces.len() == 1_000).await;
    drop(inbox);
    until("the end of all connections", || async {
        connections(&settings.url, &settings.prefix).await.is_empty().then_some(())
    })
    .await;
    let mut administrator = administrator(&settings.url).await;
    let mut asked = redis::cmd("PUBSUB");
    let heard: Vec<String> =
        asked.arg("CHANNELS").arg(&*channel).query_async(&mut administrator).await.unwrap();
    assert!(heard.is_empty(), "the channel is still there");
}
