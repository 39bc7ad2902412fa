//! More partitions, same promises: the count is raised while accepted commands stand undecided in
//! the log.

use std::collections::{BTreeMap, BTreeSet};

use ordain_model::AggregateKey;
use ordain_ports::partition_of;
use ordain_tests::{Client, ServerOptions};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::Home;

const BEFORE: u32 = 2;
const AFTER: u32 = 16;
const ACCOUNTS: usize = 24;

/// What stands in the log for every account when the count is raised, in this order.
const BACKLOG: [(&str, &str, &str); 4] = [
    ("o", "open", "{}"),
    ("d1", "deposit", r#"{"amount":1}"#),
    ("d2", "deposit", r#"{"amount":2}"#),
    ("d4", "deposit", r#"{"amount":4}"#),
];

/// Half of the accounts are sent their whole backlog again, the others something new.
fn is_repeated(account: usize) -> bool {
    account.is_multiple_of(2)
}

fn moves(account: usize) -> bool {
    let key = AggregateKey::new("default", "account", &format!("a{account}")).unwrap();
    partition_of(&key, BEFORE) != partition_of(&key, AFTER)
}

#[tokio::test(flavor = "multi_thread")]
async fn more_partitions_same_promises() {
    for repeated in [true, false] {
        let of_kind = |account: &usize| is_repeated(*account) == repeated;
        assert!((0..ACCOUNTS).filter(of_kind).any(moves), "some accounts move, repeated or not");
    }
    let home = Home::new();
    leave_backlog(&home).await;
    let server = home.serve(&ServerOptions::partitions(AFTER)).await;
    let answered = send_more(&server.client()).await;
    let mut least = BTreeMap::new();
    for account in 0..ACCOUNTS {
        let events = check(&server.client(), account, &answered).await;
        least.insert(format!("/v1/account/a{account}"), events);
    }
    server.terminate().await;
    let events = home.final_events(&least).await;
    let read: BTreeMap<String, usize> =
        events.iter().map(|(name, events)| (name.clone(), events.len())).collect();
    assert_eq!(read, least, "every event of every account, and no other");
    never_fewer(&home).await;
}

/// Whoever asks for fewer is refused in words, or the home keeps those that it has.
async fn never_fewer(home: &Home) {
    let server = match home.try_serve(&ServerOptions::partitions(BEFORE)).await {
        Ok(server) => server,
        Err(why) => return assert!(why.contains(&AFTER.to_string()), "{why}"),
    };
    let status = Client::new(&server.metrics).get("/v1/admin/status").await.unwrap();
    let partitions = status.at("/partitions").as_array().map(Vec::len);
    assert_eq!(partitions, Some(AFTER as usize), "{}", status.body);
    server.terminate().await;
}

/// Accepts commands that no worker takes up, and ends the process.
async fn leave_backlog(home: &Home) {
    let options = ServerOptions {
        // Every lane stops with the first records in its hands; the other threads serve.
        failpoints: "C3=sleep(600000)".to_owned(),
        environment: vec![("TOKIO_WORKER_THREADS".to_owned(), "8".to_owned())],
        ..ServerOptions::partitions(BEFORE)
    };
    let server = home.serve(&options).await;
    let client = server.client();
    for (request, command, body) in BACKLOG {
        for account in 0..ACCOUNTS {
            let path = format!("/v1/account/a{account}/{command}");
            let headers = [("idempotency-key", request), ("prefer", "respond-async")];
            let accepted = client.send_with(&path, &headers, body).await.unwrap();
            assert_eq!(accepted.status, 202, "{}", accepted.body);
        }
    }
    let status = Client::new(&server.metrics).get("/v1/admin/status").await.unwrap().json();
    let partitions = status["partitions"].as_array().unwrap();
    assert_eq!(partitions.len(), BEFORE as usize);
    let behind: Vec<u64> =
        partitions.iter().map(|partition| partition["behind"].as_u64().unwrap()).collect();
    assert!(behind.iter().all(|behind| *behind > 0), "a backlog in each: {behind:?}");
    assert_eq!(behind.iter().sum::<u64>(), (ACCOUNTS * BACKLOG.len()) as u64, "nothing decided");
    server.kill().await;
}

/// What was answered: account and request, then the outcome.
type Answered = BTreeMap<(usize, String), Value>;

/// Sends on while the backlog is being decided, all at once.
async fn send_more(client: &Client) -> Answered {
    let mut sendings = JoinSet::new();
    for account in 0..ACCOUNTS {
        let more: &[(&str, &str, &str)] =
            if is_repeated(account) { &BACKLOG } else { &[("new", "deposit", r#"{"amount":8}"#)] };
        for (request, command, body) in more {
            let client = client.clone();
            sendings.spawn(async move {
                let path = format!("/v1/account/a{account}/{command}");
                // Until the partitions have an owner again, whoever asks is told to come back.
                let told = client.send_obeying(&path, request, body).await.unwrap();
                let outcome = match told.status {
                    200 | 201 => told.json(),
                    409 => told.at("/result"),
                    other => panic!("{path} {request}: {other} {}", told.body),
                };
                ((account, (*request).to_owned()), outcome)
            });
        }
    }
    sendings.join_all().await.into_iter().collect()
}

/// One outcome for each, the same for whoever asks; one line of revisions; effects once. Gives how
/// many events the account has.
async fn check(client: &Client, account: usize, answered: &Answered) -> usize {
    let mut requests: Vec<&str> = BACKLOG.iter().map(|(request, ..)| *request).collect();
    if !is_repeated(account) {
        requests.push("new");
    }
    let (mut revisions, mut events, mut funds) = (Vec::new(), 0, 0);
    for request in &requests {
        let path = format!("/v1/account/a{account}/requests/{request}?wait=20");
        let found = client.get(&path).await.unwrap();
        assert_eq!(found.status, 200, "{path}: {}", found.body);
        let outcome = found.json();
        if let Some(told) = answered.get(&(account, (*request).to_owned())) {
            assert_eq!(told, &outcome, "{path}: the same answer");
        }
        revisions.push(outcome["revision"].as_u64().unwrap());
        for event in outcome["events"].as_array().unwrap() {
            events += 1;
            funds += event["data"]["amount"].as_i64().unwrap_or(0);
        }
    }
    let line: BTreeSet<u64> = revisions.iter().copied().collect();
    let expected: BTreeSet<u64> = (1..=requests.len() as u64).collect();
    assert_eq!(line, expected, "a{account}: {requests:?} got {revisions:?}");
    if !is_repeated(account) {
        let backlog = revisions.get(..BACKLOG.len()).unwrap();
        assert!(backlog.is_sorted(), "a{account}: decided in the order of the log: {revisions:?}");
    }
    let state = client.get(&format!("/v1/account/a{account}")).await.unwrap();
    assert_eq!(state.at("/revision"), requests.len(), "a{account}: each took effect once");
    assert_eq!((state.at("/state/funds"), state.at("/sequence")), (funds.into(), events.into()));
    events
}
