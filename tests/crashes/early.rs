//! Where a lane has its commands before they are durable, a rule that ends the process takes its
//! own with it. It must be found out nevertheless.

use std::time::Instant;

use ordain_tests::{Client, Server, ServerOptions, WAIT_MAX};

use super::crashes::rules::{RESTARTS_MAX, RETRY, send, supervise};
use crate::Home;

/// The crash that left nothing behind.
const UNCOUNTED: usize = 1;

/// Waits until no command is left to be done; `false` when the server ended before.
async fn is_all_done(server: &mut Server) -> bool {
    let operators = Client::new(&server.metrics);
    let began = Instant::now();
    while !server.has_any_ended() {
        let status = operators.get("/v1/admin/status").await;
        if status.is_ok_and(|status| status.at("/partitions/0/behind") == 0) {
            return true;
        }
        assert!(began.elapsed() < WAIT_MAX, "{}", server.log());
        tokio::time::sleep(RETRY).await;
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_ends_the_process_before_its_command_is_durable() {
    let home = Home::new();
    // A disk so slow that the rule is always faster.
    let failpoints = "E1=sleep(500)".to_owned();
    let options = ServerOptions { failpoints, ..ServerOptions::partitions(1) };
    let mut server = home.serve(&options).await;
    let (mut restarts, began) = (0, Instant::now());
    let rejected = loop {
        // The first command of a lane is durable before it is decided, and so is one that comes
        // while the lane waits for what it writes. So another one goes before, and is done with.
        let beside = format!("beside-{restarts}");
        if send(&server, "/v1/broken/p/work", &beside).await.is_some()
            && is_all_done(&mut server).await
            && let Some(told) = send(&server, "/v1/broken/p/abort", "bad").await
        {
            break told;
        }
        if server.has_any_ended() {
            let is_first = restarts == 0;
            restarts += supervise(&home, &mut server, &options).await;
            if is_first {
                let look_up = "/v1/broken/p/requests/bad?wait=0";
                let lost = server.client().get(look_up).await.unwrap();
                assert_eq!(lost.status, 404, "it ended before it was durable: {}", lost.body);
                // What `kills` requires not to be there is said where it is so.
                assert!(server.log().contains("directory_not_closed"), "{}", server.log());
            }
            let log = server.log();
            assert!(restarts <= RESTARTS_MAX + UNCOUNTED, "started again {restarts} times: {log}");
        } else {
            tokio::time::sleep(RETRY).await;
        }
        assert!(began.elapsed() < WAIT_MAX * 2, "no answer: {}", server.log());
    };
    assert_eq!(rejected.at("/code"), "RULE_CRASHED", "{}", rejected.body);
    let after = server.client().send("/v1/broken/p/work", "after", "{}").await.unwrap();
    assert_eq!(after.status, 200, "{}", after.body);
    server.terminate().await;
}
