//! SIGTERM under load: every accepted request is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ordain_tests::{RawAnswer, RawConnection, Server, ServerOptions};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_accepted_is_answered_before_the_process_ends() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path(), &ServerOptions::default()).await;
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
    let server = Server::start(directory.path(), &ServerOptions::default()).await;
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
