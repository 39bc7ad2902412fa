//! Rules that panic, never return, or end the process: only their own command is lost.

use std::path::Path;

use ordain_tests::{Server, ServerOptions, Told};

/// How often the supervisor, this test, starts the process again for one bad command.
const RESTARTS_MAX: usize = 5;

/// Sends to a server that may end at any time; `None` when it did.
async fn send(server: &Server, path: &str, request: &str) -> Option<Told> {
    server.client().send(path, request, "{}").await.ok().filter(|told| told.status < 503)
}

/// Starts the process again until it serves. The bad command may end it before it does.
async fn supervise(data: &Path, options: &ServerOptions, restarts: &mut usize) -> Server {
    loop {
        *restarts += 1;
        let started = Server::try_start(data, options).await;
        let log = match started {
            Ok(server) if *restarts <= RESTARTS_MAX => return server,
            Ok(server) => server.log(),
            Err(log) => log,
        };
        assert!(*restarts <= RESTARTS_MAX, "started again {restarts} times: {log}");
    }
}

async fn only_its_own_command_is_lost(bad: &str, code: &str) {
    let directory = tempfile::tempdir().unwrap();
    let options = ServerOptions {
        // One lane, so that every command stands behind the bad one.
        ..ServerOptions::partitions(1)
    };
    let mut server = Server::start(directory.path(), &options).await;
    let before = send(&server, "/v1/broken/p/work", "before").await.expect("an answer");
    assert_eq!(before.status, 200, "{}", before.body);
    let path = format!("/v1/broken/p/{bad}");
    let mut restarts = 0;
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
        let ended = ordain_tests::until("an answer or the end", || async {
            let done = server.client().get("/v1/broken/p/requests/bad?wait=0").await;
            match done {
                Ok(told) if told.status == 200 => Some(false),
                Ok(_) => None,
                Err(_) => Some(true),
            }
        })
        .await;
        if ended {
            server.ended().await;
            server = supervise(directory.path(), &options, &mut restarts).await;
        }
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
