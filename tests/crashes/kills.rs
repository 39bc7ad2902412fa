//! Killed at random, and once at each crash point, under load.

use ordain_tests::{Server, ServerOptions};

use crate::check::{check, check_final_events};
use crate::load::Load;

/// Random kills in one run.
const KILLS: usize = 10;
/// Crash points of the worker and of the views, with how often each is passed before it strikes.
const POINTS: [(&str, usize); 10] = [
    ("C3", 40),
    ("C4", 40),
    ("C5", 40),
    ("C6", 40),
    ("C7", 30),
    ("C8", 30),
    ("C9", 30),
    ("C10", 30),
    ("C11", 30),
    ("C12", 30),
];

#[tokio::test(flavor = "multi_thread")]
async fn ten_kills_at_random_lose_and_repeat_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let load = Load::start("kill");
    for kill in 0..KILLS {
        let server = Server::start(directory.path(), &ServerOptions::default()).await;
        load.serve(&server);
        load.progress(300 + 97 * kill).await;
        server.kill().await;
    }
    let server = Server::start(directory.path(), &ServerOptions::default()).await;
    load.serve(&server);
    load.progress(500).await;
    let history = load.stop().await;
    // Once more, so that nothing is answered from memory.
    server.terminate().await;
    let server = Server::start(directory.path(), &ServerOptions::default()).await;
    check(&server, &history).await;
    server.terminate().await;
    check_final_events(directory.path(), &history).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_every_crash_point_loses_and_repeats_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let load = Load::start("point");
    for (point, passed) in POINTS {
        let options = ServerOptions {
            failpoints: format!("{point}={passed}*off->panic"),
            ..ServerOptions::default()
        };
        let mut server = Server::start(directory.path(), &options).await;
        load.serve(&server);
        let status = server.ended().await;
        assert!(!status.success(), "{point} was met under load: {}", server.log());
    }
    let server = Server::start(directory.path(), &ServerOptions::default()).await;
    load.serve(&server);
    load.progress(500).await;
    let history = load.stop().await;
    server.terminate().await;
    let server = Server::start(directory.path(), &ServerOptions::default()).await;
    check(&server, &history).await;
    server.terminate().await;
    check_final_events(directory.path(), &history).await;
}
