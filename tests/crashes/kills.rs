//! Killed at random, and once at each crash point, under load: on a directory the one process, on a
//! fleet a worker, an API or the view, while others go on.

use ordain_tests::faults::POINTS;
use ordain_tests::{Load, Role, ServerOptions};

use super::check::{check, check_final_events};
use crate::Home;

/// What is killed at random, one after the other.
const KILLS: [Role; 10] = [
    Role::Worker,
    Role::Api,
    Role::Worker,
    Role::View,
    Role::Worker,
    Role::Worker,
    Role::Api,
    Role::View,
    Role::Worker,
    Role::Worker,
];
/// Members of a fleet are missed so soon that a test need not wait long for their lanes.
pub(crate) fn environment() -> Vec<(String, String)> {
    vec![("ORDAIN_KAFKA__SESSION_MS".to_owned(), "3000".to_owned())]
}

/// On a fleet lanes move to another worker and back, and clients turn to another API.
fn options() -> ServerOptions {
    ServerOptions {
        environment: environment(),
        more_apis: 1,
        more_workers: 1,
        ..ServerOptions::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_kills_at_random_lose_and_repeat_nothing() {
    let home = Home::new();
    let load = Load::start("kill");
    let mut server = home.serve(&options()).await;
    for (kill, role) in KILLS.into_iter().enumerate() {
        load.serve(&server);
        load.progress(300 + 97 * kill).await;
        server.kill_one(role).await;
        home.complete(&mut server, &options()).await.unwrap();
    }
    load.serve(&server);
    load.progress(500).await;
    let history = load.stop().await;
    // Once more, so that nothing is answered from memory.
    server.terminate().await;
    let server = home.serve(&options()).await;
    check(&server, &history).await;
    server.terminate().await;
    check_final_events(&home, &history).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_every_crash_point_loses_and_repeats_nothing() {
    let home = Home::new();
    let load = Load::start("point");
    let mut server = home.serve(&options()).await;
    load.serve(&server);
    load.progress(100).await;
    // The others are those at which a pause does harm.
    for (point, role, passed) in POINTS.into_iter().filter(|(point, ..)| point.starts_with('C')) {
        let failpoints = format!("{point}={passed}*off->panic");
        let strike = ServerOptions { failpoints, ..options() };
        server.kill_one(role).await;
        home.end_in_order(&mut server, &options()).await.unwrap();
        home.complete(&mut server, &strike).await.unwrap();
        assert!(!server.log().contains("directory_not_closed"), "{}", server.log());
        load.serve(&server);
        let status = server.ended_as(role).await;
        assert!(!status.success(), "{point} was met under load: {}", server.log());
    }
    home.complete(&mut server, &options()).await.unwrap();
    load.serve(&server);
    load.progress(500).await;
    let history = load.stop().await;
    server.terminate().await;
    let server = home.serve(&options()).await;
    check(&server, &history).await;
    server.terminate().await;
    check_final_events(&home, &history).await;
}
