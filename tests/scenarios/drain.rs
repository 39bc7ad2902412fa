//! SIGTERM under load: every accepted request is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ordain_tests::{RawAnswer, RawConnection, ServerOptions};
use tokio::task::JoinSet;

use crate::Home;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_accepted_is_answered_before_the_process_ends() {
    let home = Home::new();
    let mut server = home.serve(&ServerOptions::default()).await;
    server.client().send("/v1/account/a/open", "open", "{}").await.unwrap();
    let answered = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for number in 0..64 {
        clients.spawn(deposit_until_refused(
            server.address.clone(),
            number.to_string(),
            Arc::clone(&answered),
        ));
    }
    ordain_tests::until("load", || async {
        (answered.load(Ordering::Relaxed) > 2_000).then_some(())
    })
    .await;
    server.signal("-TERM");
    let ended = tokio::time::timeout(Duration::from_secs(10), server.ended()).await;
    assert_eq!(ended.expect("the process ends within the drain limit").code(), Some(0));
    let (mut sum, mut refused) = (0, Vec::new());
    while let Some(accepted) = clients.join_next().await {
        let (accepted, last) = accepted.unwrap();
        sum += accepted;
        refused.push(last);
    }
    let server = home.serve(&ServerOptions::default()).await;
    let client = server.client();
    let state = client.get("/v1/account/a").await.unwrap();
    assert_eq!(state.at("/state/funds"), sum, "no more and no less than was answered");
    for id in refused {
        let told = client.get(&format!("/v1/account/a/requests/{id}")).await.unwrap();
        assert_eq!((told.status, told.at("/code")), (404, "UNKNOWN".into()), "{id} was refused");
    }
    server.terminate().await;
}

/// Deposits 1 again and again, until it is refused. Gives how many were accepted, and the request
/// that was not.
///
/// A refused client got one of three things: no connection, a connection that ended before a
/// single byte of an answer, or a whole 503 that says so.
async fn deposit_until_refused(
    address: String,
    name: String,
    answered: Arc<AtomicUsize>,
) -> (u64, String) {
    let mut connection = RawConnection::open(&address).await.unwrap();
    for attempt in 0.. {
        let id = format!("{name}-{attempt}");
        match connection.send("/v1/account/a/deposit", &id, r#"{"amount":1}"#).await {
            RawAnswer::Whole { status: 200, .. } => {}
            RawAnswer::Whole { status: 503, head, body } => {
                assert!(head.contains("content-type: application/problem+json"), "{head}");
                assert!(head.contains("retry-after: "), "{head}");
                let problem: serde_json::Value = serde_json::from_str(&body).unwrap();
                assert_eq!(problem["code"], "NOT_ACCEPTED", "{body}");
                assert_eq!(problem["requestId"], id, "{body}");
                return (attempt, id);
            }
            RawAnswer::Nothing => {
                // Whoever comes back finds nobody, or is refused in the same ways.
                match RawConnection::open(&address).await {
                    Ok(again) => connection = again,
                    Err(_) => return (attempt, id),
                }
                let told = connection.send("/v1/account/a/deposit", &id, r#"{"amount":1}"#).await;
                assert_eq!(told, RawAnswer::Nothing, "{id}: a listener that takes no command");
                return (attempt, id);
            }
            other => panic!("{id}: neither accepted nor refused: {other:?}"),
        }
        answered.fetch_add(1, Ordering::Relaxed);
    }
    (0, name)
}

/// A head that says that so many bytes follow.
fn head(path: &str, kind: &str, bytes: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: test\r\ncontent-type: {kind}\r\n\
         idempotency-key: half\r\ncontent-length: {bytes}\r\n\r\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_only_waits_or_still_sends_does_not_keep_the_process() {
    let home = Home::new();
    let options = ServerOptions {
        // The one lane stands still for a while with a command in its hands.
        failpoints: "C4=1*off->1*sleep(3000)".to_owned(),
        environment: vec![
            ("TOKIO_WORKER_THREADS".to_owned(), "8".to_owned()),
            ("ORDAIN_DRAIN_MS_MAX".to_owned(), "20000".to_owned()),
        ],
        ..ServerOptions::partitions(1)
    };
    let mut server = home.serve(&options).await;
    let client = server.client();
    let opened = client.send("/v1/account/a/open", "open", "{}").await.unwrap();
    assert_eq!(opened.status, 201, "{}", opened.body);
    let accepted = [("idempotency-key", "slow"), ("prefer", "respond-async")];
    let slow = client.send_with("/v1/account/a/deposit", &accepted, r#"{"amount":1}"#).await;
    assert_eq!(slow.unwrap().status, 202);
    let aggregate = ordain_model::AggregateKey::new("default", "account", "a").unwrap();
    let far = ordain_model::Receipt { aggregate, sequence: 1_000 };
    let asking = [
        "/v1/account/a/requests/slow?wait=60".to_owned(),
        format!("/v1/views/accounts/a?receipt={far}&wait=60"),
    ];
    let asking = asking.map(|path| {
        let client = server.client();
        tokio::spawn(async move { client.get(&path).await.unwrap() })
    });
    let mut half = RawConnection::open(&server.address).await.unwrap();
    half.write(head("/v1/account/a/deposit", "application/json", 100).as_bytes()).await.unwrap();
    half.write(br#"{"amount":"#).await.unwrap();
    let mut lines = RawConnection::open(&server.address).await.unwrap();
    lines.write(head("/v1/commands", "application/x-ndjson", 1_000).as_bytes()).await.unwrap();
    lines.write(b"{\"type\":").await.unwrap();
    let open = "ordain_api_connections_open";
    let metrics = ordain_tests::Client::new(&server.metrics);
    ordain_tests::until("all connections", || async {
        let text = metrics.get("/metrics").await.ok()?.body;
        let count = text.lines().find_map(|line| line.strip_prefix(open)?.trim().parse().ok());
        count.is_some_and(|count: f64| count >= 6.0).then_some(())
    })
    .await;
    let began = std::time::Instant::now();
    server.signal("-TERM");
    let RawAnswer::Whole { status: 503, body, .. } = half.answer().await else {
        panic!("half a body is not accepted")
    };
    assert!(body.contains("NOT_ACCEPTED"), "{body}");
    let [pending, behind] = asking;
    let (pending, behind) = (pending.await.unwrap(), behind.await.unwrap());
    assert_eq!((pending.status, pending.at("/state")), (202, "PENDING".into()));
    assert_eq!((behind.status, behind.at("/code")), (504, "VIEW_BEHIND".into()));
    assert!(began.elapsed() < Duration::from_secs(3), "at once: {:?}", began.elapsed());
    assert_eq!(server.ended().await.code(), Some(0), "drained in order: {}", server.log());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let server = home.serve(&ServerOptions::default()).await;
    let slow = server.client().get("/v1/account/a/requests/slow").await.unwrap();
    assert_eq!((slow.status, slow.at("/outcome")), (200, "SUCCESS".into()));
    let half = server.client().get("/v1/account/a/requests/half").await.unwrap();
    assert_eq!((half.status, half.at("/code")), (404, "UNKNOWN".into()));
    server.terminate().await;
}
