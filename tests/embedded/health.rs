//! What a process says of itself: before it serves, and when a lane of it stands still.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ordain_embedded::{Home, Settings};
use ordain_model::{
    AggregateKey, Command, Commit, Event, Fingerprint, Json, Outcome, ReplyAddress, Schema, Source,
    Timestamp,
};
use ordain_ports::{Announced, Delivered};
use ordain_tests::{Process, Server, ServerOptions, broken_binary, until};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::Value;
use tokio::process::Command as Program;

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

/// Who watches a process asks it where it listens: at an address that no certificate names.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_its_configuration_learns_whether_a_process_with_a_certificate_is_ready() {
    let directory = tempfile::tempdir().unwrap();
    let certificate = |name: &str| {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["ordain.example".to_owned()]).unwrap();
        let files = (directory.path().join(name), directory.path().join(format!("{name}-key")));
        std::fs::write(&files.0, cert.pem()).unwrap();
        std::fs::write(&files.1, signing_key.serialize_pem()).unwrap();
        files
    };
    let (own, other) = (certificate("own"), certificate("other"));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let configured = |name: &str, (certificate, key): &(PathBuf, PathBuf)| {
        let file = directory.path().join(name);
        let text = format!(
            "data = {:?}\nlisten = \"127.0.0.1:0\"\nmetrics = \"{free}\"\n\
             [api.tls]\ncertificate_file = {certificate:?}\nkey_file = {key:?}\n",
            directory.path().join("data"),
        );
        std::fs::write(&file, text).unwrap();
        file
    };
    let (file, wrong) = (configured("own.toml", &own), configured("other.toml", &other));
    let mut command = Program::new(broken_binary());
    command.args(["dev", "--json", "--config"]).arg(&file);
    let process = Process::start(command).await.unwrap();
    assert_eq!(process.metrics, format!("https://{free}"));
    let ready = async |file: &Path| {
        let asked = Program::new(broken_binary()).args(["ready", "--config"]).arg(file).output();
        asked.await.unwrap()
    };
    let well = ready(&file).await;
    assert_eq!(well.status.code(), Some(0), "{well:?}");
    assert_eq!(ready(&wrong).await.status.code(), Some(3), "another's certificate");
    assert_eq!(process.terminate().await.code(), Some(0));
}
