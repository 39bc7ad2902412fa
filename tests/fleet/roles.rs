//! Roles come and go one by one while clients send: nobody is told a TIMEOUT because of it, and a
//! worker that is killed is followed by another.

use std::time::{Duration, Instant};

use ordain_tests::{Client, Process, ServerOptions, until, works};

use crate::Home;
use crate::deposits::{CLIENTS, Deposits};

/// How long a member may be silent until its partitions go to others, and how much longer it may
/// take until they answer.
const SESSION: Duration = Duration::from_secs(6);
const TAKEOVER: Duration = Duration::from_secs(2);
/// A fleet of two cores that others use too.
const SPARE: Duration = Duration::from_secs(4);

async fn start(home: &Home, role: &str) -> Process {
    home.start(role, &ServerOptions::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_client_times_out_because_workers_and_views_are_asked_to_end() {
    let home = Home::new();
    let partitions = home.ensure(Some(8)).await.unwrap();
    let (first, second) = tokio::join!(start(&home, "worker"), start(&home, "worker"));
    let (view, api) = tokio::join!(start(&home, "view"), start(&home, "api"));
    works(&[&first, &second], partitions).await;
    let load = Deposits::begin(&[&api.address]);
    load.go_on(100).await;
    assert_eq!(first.terminate().await.code(), Some(0), "it leaves in order");
    works(&[&second], partitions).await;
    load.go_on(100).await;
    let third = start(&home, "worker").await;
    works(&[&second, &third], partitions).await;
    assert_eq!(second.terminate().await.code(), Some(0), "it leaves in order");
    assert_eq!(view.terminate().await.code(), Some(0), "it leaves in order");
    load.go_on(100).await;
    let client = Client::new(&api.address);
    load.end(&client).await;
    let view = start(&home, "view").await;
    let state = client.get("/v1/account/c0").await.unwrap();
    let receipt = ordain_model::Receipt {
        aggregate: ordain_model::AggregateKey::new("default", "account", "c0").unwrap(),
        sequence: state.at("/sequence").as_u64().unwrap(),
    };
    let path = format!("/v1/views/accounts/c0?receipt={receipt}&wait=20");
    let row = client.caught_up(&path).await;
    assert_eq!(row.at("/row/funds"), state.at("/state/funds"), "{}", row.body);
    for process in [api, third, view] {
        assert_eq!(process.terminate().await.code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_is_followed_by_another() {
    let home = Home::new();
    let partitions = home.ensure(Some(8)).await.unwrap();
    let (first, second) = tokio::join!(start(&home, "worker"), start(&home, "worker"));
    let api = start(&home, "api").await;
    works(&[&first, &second], partitions).await;
    let load = Deposits::begin(&[&api.address]);
    load.go_on(100).await;
    let killed = Instant::now();
    first.kill().await;
    works(&[&second], partitions).await;
    // Every client has been answered once more when all together were so often.
    load.go_on(CLIENTS as u64 * 2).await;
    let taken = killed.elapsed();
    println!("partitions of a killed worker answered again after {taken:?}");
    assert!(taken < SESSION + TAKEOVER + SPARE, "{taken:?}");
    load.end(&Client::new(&api.address)).await;
    for process in [api, second] {
        assert_eq!(process.terminate().await.code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_is_asked_to_end_times_nobody_out_who_knows_another() {
    let home = Home::new();
    let partitions = home.ensure(None).await.unwrap();
    let worker = start(&home, "worker").await;
    let (first, second) = tokio::join!(start(&home, "api"), start(&home, "api"));
    works(&[&worker], partitions).await;
    let load = Deposits::begin(&[&first.address, &second.address]);
    load.go_on(100).await;
    assert_eq!(first.terminate().await.code(), Some(0), "it leaves in order");
    load.go_on(100).await;
    load.end(&Client::new(&second.address)).await;
    for process in [second, worker] {
        assert_eq!(process.terminate().await.code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_roles_run_in_one_process() {
    let home = Home::new();
    let partitions = home.ensure(None).await.unwrap();
    let node = start(&home, "node").await;
    works(&[&node], partitions).await;
    let client = Client::new(&node.address);
    let opened = client.send("/v1/account/a/open", "o", "{}").await.unwrap();
    assert_eq!(opened.status, 201, "{}", opened.body);
    let receipt = opened.at("/receipt");
    let path = format!("/v1/views/accounts/a?receipt={}&wait=20", receipt.as_str().unwrap());
    client.caught_up(&path).await;
    assert_eq!(node.terminate().await.code(), Some(0));
}

fn with(failpoints: &str, settings: &[(&str, &str)]) -> ServerOptions {
    let environment = settings.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    ServerOptions {
        failpoints: failpoints.to_owned(),
        environment: environment.collect(),
        ..ServerOptions::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_ends_hands_over_at_once() {
    let home = Home::new();
    let partitions = home.ensure(Some(4)).await.unwrap();
    // A silent member keeps its partitions for longer than any test waits; leaving takes a while.
    let slow = with("kafka-feed-close=sleep(1500)", &[("ORDAIN_KAFKA__SESSION_MS", "300000")]);
    let (first, second) = tokio::join!(home.start("worker", &slow), home.start("worker", &slow));
    let (first, second) = (first.unwrap(), second.unwrap());
    works(&[&first, &second], partitions).await;
    assert_eq!(first.terminate().await.code(), Some(0));
    works(&[&second], partitions).await;
    assert_eq!(second.terminate().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_name_another_has_taken_is_not_ready() {
    let home = Home::new();
    let partitions = home.ensure(None).await.unwrap();
    let named = with("", &[("ORDAIN_KAFKA__INSTANCE", "one")]);
    let first = home.start("worker", &named).await.unwrap();
    works(&[&first], partitions).await;
    let ready = Client::new(&first.metrics).get("/readyz").await.unwrap();
    assert_eq!(ready.status, 200, "{}", ready.body);
    let second = home.start("worker", &named).await.unwrap();
    let told = until("the first to say that it is no member", || async {
        let ready = Client::new(&first.metrics).get("/readyz").await.ok()?;
        (ready.status == 503).then_some(ready.body)
    })
    .await;
    assert!(told.contains("workers") && told.contains("same instance"), "{told}");
    works(&[&second], partitions).await;
    let ready = Client::new(&second.metrics).get("/readyz").await.unwrap();
    assert_eq!(ready.status, 200, "{}", ready.body);
    let log = first.log();
    assert_eq!(log.matches("kafka_member_refused").count(), 1, "said once: {log}");
    for process in [first, second] {
        assert_eq!(process.terminate().await.code(), Some(0));
    }
}
