//! Processes of every role are killed while clients send.

use std::sync::Arc;

use ordain_checker::{Checker, Demands, Report};
use ordain_tests::faults::{Clients, Evidence, Memory};
use ordain_tests::{Client, Fleet, Role, Server, ServerOptions};

const PARTITIONS: u32 = 8;
const CLIENTS: u32 = 32;
/// So many answers have to come before and after each fault.
const ENOUGH: u64 = 400;

fn options() -> ServerOptions {
    ServerOptions {
        environment: vec![("ORDAIN_KAFKA__SESSION_MS".to_owned(), "3000".to_owned())],
        partitions: Some(PARTITIONS),
        more_apis: 1,
        more_workers: 2,
        ..ServerOptions::default()
    }
}

/// Reads everything back, and decides.
async fn check(fleet: &Fleet, server: &Server, memory: &Memory) -> Report {
    let (client, operator) = (server.client(), Client::new(&server.metrics));
    let operations = memory.operations();
    let evidence = Evidence::of(fleet.stands_on(), (&client, &operator), operations).await;
    let mut checker = Checker::new(Demands { successes_min: ENOUGH, ..Demands::default() });
    memory.lines_written().for_each(|line| checker.take_line(line));
    evidence.items.into_iter().for_each(|item| checker.take_item(item));
    checker.finish()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_promise_is_broken_by_killed_processes() {
    let directory = tempfile::tempdir().unwrap();
    let memory = Arc::new(Memory::new(&directory.path().join("history.ndjson")));
    let fleet = Fleet::new();
    let mut server = fleet.serve(&options()).await;
    let clients = Clients::start(CLIENTS, 1, &memory);
    clients.serve(&server);
    clients.progress(ENOUGH).await;
    for role in [Role::Worker, Role::Api, Role::View, Role::Worker] {
        server.kill_one(role).await;
        fleet.complete(&mut server, &options()).await.unwrap();
        clients.serve(&server);
        clients.progress(ENOUGH).await;
    }
    clients.finish().await;
    let report = check(&fleet, &server, &memory).await;
    assert!(report.is_clean(), "{:#?}", report);
    println!("{:?}", report.totals);
    assert_eq!(server.terminate().await.code(), Some(0), "they leave in order");
}
