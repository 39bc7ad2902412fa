//! SIGTERM under load: every accepted request is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ordain_tests::{Server, ServerOptions};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_accepted_is_answered_before_the_process_ends() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path(), &ServerOptions::default()).await;
    server.client().send("/v1/account/a/open", "open", "{}").await.unwrap();
    let answered = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for number in 0..64 {
        let (client, answered) = (server.client(), Arc::clone(&answered));
        clients.spawn(async move {
            let mut accepted = 0_u64;
            for attempt in 0.. {
                let id = format!("{number}-{attempt}");
                match client.send("/v1/account/a/deposit", &id, r#"{"amount":1}"#).await {
                    Ok(told) if told.status == 200 => accepted += 1,
                    // Certainly not accepted, and said so.
                    Ok(told) if told.status == 503 => return accepted,
                    Ok(told) => panic!("{}: {}", told.status, told.body),
                    // Only a connection that was never taken may fail.
                    Err(error) if error.is_connect() => return accepted,
                    Err(error) => {
                        assert!(is_refused(&error), "an accepted request got no answer: {error:?}");
                        return accepted;
                    }
                }
                answered.fetch_add(1, Ordering::Relaxed);
            }
            accepted
        });
    }
    ordain_tests::until("load", || async {
        (answered.load(Ordering::Relaxed) > 2_000).then_some(())
    })
    .await;
    server.signal("-TERM");
    let ended = tokio::time::timeout(Duration::from_secs(10), server.ended()).await;
    assert_eq!(ended.expect("the process ends within the drain limit").code(), Some(0));
    let mut sum = 0;
    while let Some(accepted) = clients.join_next().await {
        sum += accepted.unwrap();
    }
    let server = Server::start(directory.path(), &ServerOptions::default()).await;
    let state = server.client().get("/v1/account/a").await.unwrap();
    assert_eq!(state.at("/state/funds"), sum, "no more and no less than was answered");
    server.terminate().await;
}

/// A kept-alive connection that the server closed before it read the request: nothing was
/// accepted. Whether that is so is checked by the sum at the end.
fn is_refused(error: &reqwest::Error) -> bool {
    error.is_request() || error.is_body()
}
