//! What a process says of itself: before it serves, and when a lane of it stands still.

use std::path::Path;
use std::sync::Arc;

use ordain_embedded::{Home, Settings};
use ordain_model::{
    AggregateKey, Command, Commit, Event, Fingerprint, Json, Outcome, ReplyAddress, Schema, Source,
    Timestamp,
};
use ordain_ports::{Announced, Delivered};
use ordain_tests::{Server, ServerOptions, until};
use serde_json::Value;

fn home(directory: &Path) -> Home {
    let settings = Settings { partitions: Some(2), ..Settings::default() };
    Home::open(directory, &settings).unwrap()
}

fn account() -> AggregateKey {
    AggregateKey::new("default", "account", "a").unwrap()
}

/// The checks of `/readyz` that failed, by name, with their reasons; `None` while all are well.
async fn failed(server: &Server) -> Option<Vec<(String, String)>> {
    let ready = server.client().get("/readyz").await.unwrap();
    if ready.status == 200 {
        return None;
    }
    assert_eq!(ready.status, 503, "{}", ready.body);
    let checks = ready.at("/checks");
    let failed = checks.as_array()?.iter().filter(|check| check["status"] == "failed");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Some(failed.map(|check| (text(&check["name"]), text(&check["why"]))).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_knows_is_announced_before_it_serves() {
    let directory = tempfile::tempdir().unwrap();
    // The first write takes its time: the announcement.
    let options =
        ServerOptions { failpoints: "E1=1*sleep(2000)".to_owned(), ..ServerOptions::default() };
    let server = Server::start(directory.path(), &options).await;
    server.kill().await;
    let home = Home::open(directory.path(), &Settings::default()).unwrap();
    let known = home.announcements().known().await.unwrap();
    assert!(known.iter().any(|announced| announced.command == "deposit"), "{known:?}");
    home.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_waits_for_a_person_is_not_ready() {
    let directory = tempfile::tempdir().unwrap();
    let home = home(directory.path());
    // Another build has announced a command that this one does not know.
    let schema = Schema::compile("{}").unwrap().hash();
    let announced =
        Announced { aggregate_type: "account".into(), command: "freeze".into(), schema };
    home.announcements().announce(vec![announced]).await.unwrap();
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
    };
    let delivered = home.command_log().append(command).unwrap().await;
    let Delivered::At(position) = delivered else { panic!("{delivered:?}") };
    home.close().await;
    let server = Server::start(directory.path(), &ServerOptions::default()).await;
    let failed = until("the stopped lane", || failed(&server)).await;
    let [(name, why)] = failed.as_slice() else { panic!("{failed:?}") };
    assert_eq!(*name, format!("worker lane {}", position.partition));
    assert!(why.contains("freeze"), "{why}");
    assert_eq!(server.client().get("/livez").await.unwrap().status, 200, "it works, all the same");
    server.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_waits_for_a_person_is_not_ready() {
    let directory = tempfile::tempdir().unwrap();
    let home = home(directory.path());
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
    };
    let commits = [Arc::new(commit)];
    assert_eq!(home.commits().insert(&commits).await.stored, 1);
    home.event_log().publish(&commits).await.unwrap();
    home.close().await;
    let server = Server::start(directory.path(), &ServerOptions::default()).await;
    let failed = until("the stopped view", || failed(&server)).await;
    let [(name, _)] = failed.as_slice() else { panic!("{failed:?}") };
    assert!(name.starts_with("view accounts lane "), "{failed:?}");
    server.terminate().await;
}
