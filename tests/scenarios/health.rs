//! What a process says of itself: before it serves, and when a lane of it stands still.

use std::sync::Arc;

use ordain_model::{
    AggregateKey, Command, Commit, Event, Fingerprint, Json, Outcome, ReplyAddress, Schema, Source,
    Timestamp,
};
use ordain_ports::{Announced, Delivered};
use ordain_tests::{Server, ServerOptions, until};
use serde_json::Value;

use crate::Home;

fn account() -> AggregateKey {
    AggregateKey::new("default", "account", "a").unwrap()
}

/// The checks of `/readyz` that failed in any process, by name, with their reasons; `None` while
/// all are well.
async fn failed(server: &Server) -> Option<Vec<(String, String)>> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut all = Vec::new();
    for process in server.operators() {
        let ready = process.get("/readyz").await.unwrap();
        let checks = ready.at("/checks");
        let failed = checks.as_array()?.iter().filter(|check| check["status"] == "failed");
        let before = all.len();
        all.extend(failed.map(|check| (text(&check["name"]), text(&check["why"]))));
        let status = if all.len() == before { 200 } else { 503 };
        assert_eq!(ready.status, status, "{}", ready.body);
    }
    (!all.is_empty()).then_some(all)
}

async fn all_live(server: &Server) {
    for process in server.operators() {
        assert_eq!(process.get("/livez").await.unwrap().status, 200, "it works, all the same");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_knows_is_announced_before_it_serves() {
    let home = Home::new();
    // On a directory the first write takes its time: the announcement.
    let options =
        ServerOptions { failpoints: "E1=1*sleep(2000)".to_owned(), ..ServerOptions::default() };
    home.serve(&options).await.kill().await;
    let stores = home.stores().await;
    let known = stores.announcements.known().await.unwrap();
    assert!(known.iter().any(|announced| announced.command == "deposit"), "{known:?}");
    stores.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_waits_for_a_person_is_not_ready() {
    let home = Home::new();
    let stores = home.stores().await;
    // Another build has announced a command that this one does not know.
    let schema = Schema::compile("{}").unwrap().hash();
    let announced =
        Announced { aggregate_type: "account".into(), command: "freeze".into(), schema };
    stores.announcements.announce(vec![announced]).await.unwrap();
    let command = Command {
        aggregate: account(),
        request: "r".parse().unwrap(),
        name: "freeze".parse().unwrap(),
        schema,
        data: Json::try_from("{}".to_owned()).unwrap(),
        fingerprint: Fingerprint::of_unreadable(b"any"),
        expected_sequence: None,
        deadline: None,
        reply_to: ReplyAddress { channel: "nobody".into(), nonce: 0 },
        time: Timestamp::default(),
        trace: None,
    };
    let delivered = stores.log.append(command).unwrap().await;
    let Delivered::At(position) = delivered else { panic!("{delivered:?}") };
    stores.close().await;
    let server = home.serve(&ServerOptions::default()).await;
    let failed = until("the stopped lane", || failed(&server)).await;
    let [(name, why)] = failed.as_slice() else { panic!("{failed:?}") };
    assert_eq!(*name, format!("worker lane {}", position.partition));
    assert!(why.contains("freeze"), "{why}");
    all_live(&server).await;
    server.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_waits_for_a_person_is_not_ready() {
    let home = Home::new();
    let stores = home.stores().await;
    let event = Event {
        sequence: 1,
        name: "opened".parse().unwrap(),
        version: 99,
        data: Json::try_from("{}".to_owned()).unwrap(),
        time: Timestamp::default(),
    };
    let commit = Commit {
        aggregate: account(),
        request: "r".parse().unwrap(),
        command: "open".parse().unwrap(),
        fingerprint: Fingerprint::of_unreadable(b"any"),
        revision: 1,
        sequence: 1,
        outcome: Outcome::Success,
        events: vec![event],
        time: Timestamp::default(),
        source: Source { partition: 0, offset: 0, nonce: 0 },
        trace: None,
    };
    let commits = [Arc::new(commit)];
    assert_eq!(stores.commits.insert(&commits).await.stored, 1);
    stores.events.publish(&commits).await.unwrap();
    stores.close().await;
    let server = home.serve(&ServerOptions::default()).await;
    let failed = until("the stopped view", || failed(&server)).await;
    let [(name, _)] = failed.as_slice() else { panic!("{failed:?}") };
    assert!(name.starts_with("view accounts lane "), "{failed:?}");
    server.terminate().await;
}
