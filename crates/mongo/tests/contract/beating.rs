//! Heartbeats while everything else waits for its turn.

use ordain_ports::contract::samples::{Line, time};
use ordain_ports::{Heartbeat, Heartbeats};
use ordain_testkit::until;

use crate::database::Database;
use crate::proxy::Next;

async fn beat(heartbeats: &dyn Heartbeats, beat: u64) {
    let heartbeat = Heartbeat {
        member: "a".to_owned(),
        beat,
        role: Heartbeat::WORKER.to_owned(),
        version: "1.2.3".to_owned(),
        started: time(7),
        lanes: Vec::new(),
        announced: Vec::new(),
        last_error: None,
    };
    heartbeats.beat(heartbeat).await.expect("beats");
    let beats = heartbeats.beats().await.expect("reads");
    assert_eq!(beats.iter().map(|heartbeat| heartbeat.beat).collect::<Vec<_>>(), [beat]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_do_not_wait_behind_commits() {
    let database = Database::new();
    database.ready().await;
    let (proxy, held) =
        database.connect_through_proxy(|settings| settings.pool_connections_max = 2).await;
    let (mut line, mut inserts) = (Line::of("a"), Vec::new());
    assert!(held.commits().insert(&[line.success(1)]).await.stop.is_none(), "it passes on");
    for _ in 0..2 {
        proxy.next(Next::Hold);
        let (commits, commit) = (held.commits(), line.success(1));
        inserts.push(tokio::spawn(async move { commits.insert(&[commit]).await }));
        if inserts.len() == 1 {
            until("the first to be held", || async { proxy.has_happened().then_some(()) }).await;
        }
    }
    let heartbeats = held.heartbeats();
    for number in 1..=5 {
        beat(&*heartbeats, number).await;
    }
    assert!(inserts.iter().all(|insert| !insert.is_finished()), "they wait all the while");
}
