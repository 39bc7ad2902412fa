//! Rules that panic, never return, or end the process: only their own command is lost.

use std::time::{Duration, Instant};

use ordain_tests::{Server, ServerOptions, Told, WAIT_MAX};

use super::kills;
use crate::Home;

/// How often the supervisor, this test, starts the process again for one bad command.
pub(crate) const RESTARTS_MAX: usize = 5;
/// How long until a command that was not answered is sent again.
pub(crate) const RETRY: Duration = Duration::from_millis(50);

/// Sends to a server that may end at any time; `None` when it did, or cannot say soon.
pub(crate) async fn send(server: &Server, path: &str, request: &str) -> Option<Told> {
    let headers = [("idempotency-key", request), ("prefer", "wait=1")];
    let told = server.client().send_with(path, &headers, "{}").await;
    told.ok().filter(|told| told.status < 503)
}

/// Starts the process again until it serves. The bad command may end it before it does.
pub(crate) async fn supervise(home: &Home, server: &mut Server, options: &ServerOptions) -> usize {
    let mut restarts = 0;
    loop {
        restarts += 1;
        let Err(log) = home.complete(server, options).await else { return restarts };
        assert!(restarts <= RESTARTS_MAX, "started again {restarts} times: {log}");
    }
}

async fn only_its_own_command_is_lost(bad: &str, code: &str) {
    let home = Home::new();
    // One lane, so that every command stands behind the bad one.
    let options =
        ServerOptions { environment: kills::environment(), ..ServerOptions::partitions(1) };
    let mut server = home.serve(&options).await;
    let before = server.client().send("/v1/broken/p/work", "before", "{}").await.unwrap();
    assert_eq!(before.status, 200, "{}", before.body);
    let path = format!("/v1/broken/p/{bad}");
    let (mut restarts, began) = (0, Instant::now());
    let rejected = loop {
        // The neighbours stand in the log beside the bad command.
        let (told, beside, other) = tokio::join!(
            send(&server, &path, "bad"),
            send(&server, "/v1/broken/p/work", "beside"),
            send(&server, "/v1/account/a/open", "other"),
        );
        if let (Some(told), Some(beside), Some(other)) = (told, beside, other) {
            assert_eq!((beside.status, other.status), (200, 201), "the neighbours go on");
            break told;
        }
        if server.has_any_ended() {
            restarts += supervise(&home, &mut server, &options).await;
            assert!(restarts <= RESTARTS_MAX, "started again {restarts} times: {}", server.log());
        } else {
            tokio::time::sleep(RETRY).await;
        }
        assert!(began.elapsed() < WAIT_MAX * 2, "no answer: {}", server.log());
    };
    assert_eq!((rejected.status, rejected.at("/code")), (422, code.into()), "{}", rejected.body);
    assert_eq!(rejected.at("/result/outcome"), "REJECTED");
    let state = server.client().get("/v1/broken/p").await.unwrap();
    assert_eq!(state.at("/state/done"), 2, "before and beside");
    let operators = ordain_tests::Client::new(&server.metrics);
    // The reply does not wait for the dead letter.
    ordain_tests::until("the dead letter", || async {
        let letters = operators.get("/v1/admin/deadletters").await.ok()?;
        letters.body.contains(code).then_some(())
    })
    .await;
    server.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_panics() {
    only_its_own_command_is_lost("panic", "RULE_PANICKED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_never_returns() {
    only_its_own_command_is_lost("hang", "RULE_CRASHED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_ends_the_process() {
    only_its_own_command_is_lost("abort", "RULE_CRASHED").await;
}
