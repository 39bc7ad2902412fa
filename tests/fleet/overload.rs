//! More commands than workers can take: an API refuses what would wait for too long, says when to
//! come back, and answers all that it accepted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ordain_tests::{Client, Process, ServerOptions, Told, until, works};
use tokio::task::JoinSet;

use crate::Home;

const ACCOUNTS: u64 = 8;
/// How much more memory an API may hold after a flood than before.
const MEMORY_BYTES_MAX: u64 = 48 * 1024 * 1024;
/// How often a client that obeys may be told to come back until it gets through.
const OBEYED_MAX: u64 = 8;
/// How many clients obey at a time, and how much each of them sends.
const OBEYING: u64 = 64;
const SENT_BY_EACH: u64 = 10;
/// How long clients ask without pause.
const FLOOD: Duration = Duration::from_secs(8);

/// What a flood of commands came to that nobody waits for.
#[derive(Default)]
struct Flood {
    accepted: AtomicU64,
    refused: AtomicU64,
}

async fn open_accounts(client: &Client) {
    for number in 0..ACCOUNTS {
        let path = format!("/v1/account/f{number}/open");
        let told = client.send(&path, "open", "{}").await.unwrap();
        assert_eq!(told.status, 201, "{}", told.body);
    }
}

/// Commands of clients who wait for no outcome and obey nobody, for so long.
async fn flood(address: &str, clients: usize, round: &str) -> Flood {
    let flood = Arc::new(Flood::default());
    let until = Instant::now() + FLOOD;
    let mut sending = JoinSet::new();
    for number in 0..clients {
        let (client, flood) = (Client::new(address), Arc::clone(&flood));
        let path = format!("/v1/account/f{}/deposit", number as u64 % ACCOUNTS);
        let name = format!("{round}-{number}");
        sending.spawn(async move {
            for sent in 0.. {
                if Instant::now() > until {
                    return;
                }
                let id = format!("{name}-{sent}");
                let headers = [("idempotency-key", id.as_str()), ("prefer", "respond-async")];
                let told = client.send_with(&path, &headers, r#"{"amount":1}"#).await.unwrap();
                let count = if told.status == 202 { &flood.accepted } else { &flood.refused };
                count.fetch_add(1, Ordering::Relaxed);
                refused_well(&told);
            }
        });
    }
    while let Some(sent) = sending.join_next().await {
        sent.unwrap();
    }
    Arc::into_inner(flood).unwrap()
}

/// Accepted, or refused with a time to come back at.
fn refused_well(told: &Told) {
    if told.status == 202 {
        return;
    }
    assert_eq!((told.status, told.at("/code")), (503, "NOT_ACCEPTED".into()), "{}", told.body);
    let seconds = told.header("retry-after").parse::<u64>();
    assert!(seconds.is_ok_and(|seconds| (1..=90).contains(&seconds)), "{:?}", told.headers);
}

/// Sends one command again and again, each time after the pause it is told, until it is accepted.
/// Gives how often it was told to.
async fn obey(client: &Client, path: &str, id: &str) -> u64 {
    let headers = [("idempotency-key", id), ("prefer", "respond-async")];
    for obeyed in 0..=OBEYED_MAX {
        let told = client.send_with(path, &headers, r#"{"amount":1}"#).await.unwrap();
        if told.status == 202 {
            return obeyed;
        }
        refused_well(&told);
        let pause = told.header("retry-after").parse().unwrap();
        tokio::time::sleep(Duration::from_secs(pause)).await;
    }
    panic!("{path} {id}: told to come back more than {OBEYED_MAX} times")
}

/// Waits until the accounts hold what was accepted, and no more.
async fn all_is_answered(client: &Client, accepted: u64) {
    until("all that was accepted", || async {
        let mut funds = 0;
        for number in 0..ACCOUNTS {
            let state = client.get(&format!("/v1/account/f{number}")).await.ok()?;
            funds += state.at("/state/funds").as_u64()?;
        }
        assert!(funds <= accepted, "{funds} of {accepted}: something took effect twice");
        (funds == accepted).then_some(())
    })
    .await;
}

/// A deposit of so much, by a client that may have sent it before.
async fn deposit(client: &Client, id: &str, amount: u64) -> Told {
    let body = format!(r#"{{"amount":{amount}}}"#);
    client.send("/v1/account/f0/deposit", id, &body).await.unwrap()
}

/// Who was answered before and sends the same again gets his answer, while others are refused.
async fn retries_are_answered(client: &Client) {
    let again = deposit(client, "early", 1).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (200, "true"), "{again:?}");
    let reused = deposit(client, "early", 2).await;
    assert_eq!((reused.status, reused.at("/code")), (422, "KEY_REUSED".into()), "{reused:?}");
    let other = deposit(client, "late", 1).await;
    assert_eq!((other.status, other.at("/code")), (503, "NOT_ACCEPTED".into()), "{other:?}");
}

async fn start(home: &Home, role: &str, options: &ServerOptions) -> Process {
    home.start(role, options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_worker_a_fleet_refuses_and_forgets_nothing() {
    let (home, options) = (Home::new(), ServerOptions::default());
    let partitions = home.ensure(None).await.unwrap();
    let worker = start(&home, "worker", &options).await;
    let api = start(&home, "api", &options).await;
    works(&[&worker], partitions).await;
    let client = Client::new(&api.address);
    open_accounts(&client).await;
    assert_eq!(deposit(&client, "early", 1).await.status, 200);
    let before = api.memory_bytes();
    // It stands still for longer than it may, and comes back as one that others have replaced.
    worker.signal("-STOP");
    let flood = flood(&api.address, 16, "stopped").await;
    let (accepted, refused) = (flood.accepted.into_inner(), flood.refused.into_inner());
    println!("no worker: {accepted} accepted, {refused} refused");
    assert!(refused > 0, "{accepted} accepted, {refused} refused");
    retries_are_answered(&client).await;
    let grown = api.memory_bytes().saturating_sub(before);
    assert!(grown < MEMORY_BYTES_MAX, "{grown} bytes more");
    worker.signal("-CONT");
    let mut obeying = JoinSet::new();
    for number in 0..ACCOUNTS {
        let client = client.clone();
        obeying.spawn(async move {
            obey(&client, &format!("/v1/account/f{number}/deposit"), "obeys").await
        });
    }
    let told = obeying.join_all().await;
    println!("no worker: told to come back {told:?} times");
    all_is_answered(&client, 1 + accepted + ACCOUNTS).await;
    for process in [api, worker] {
        assert_eq!(process.terminate().await.code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_are_slower_than_the_arrivals_are_not_sent_more_than_they_can_take() {
    let home = Home::new();
    let partitions = home.ensure(None).await.unwrap();
    let slow = ServerOptions {
        failpoints: "C4=sleep(100)".to_owned(),
        environment: vec![
            ("TOKIO_WORKER_THREADS".to_owned(), "8".to_owned()),
            ("ORDAIN_ENGINE__BATCH_RECORDS_MAX".to_owned(), "5".to_owned()),
        ],
        ..ServerOptions::default()
    };
    let impatient = ServerOptions {
        environment: vec![("ORDAIN_API__SUBMIT__LAG_MS_MAX".to_owned(), "3000".to_owned())],
        ..ServerOptions::default()
    };
    let worker = start(&home, "worker", &slow).await;
    let api = start(&home, "api", &impatient).await;
    works(&[&worker], partitions).await;
    let client = Client::new(&api.address);
    open_accounts(&client).await;
    let before = api.memory_bytes();
    let flood = flood(&api.address, 64, "slow").await;
    let (accepted, refused) = (flood.accepted.into_inner(), flood.refused.into_inner());
    println!("slow workers: {accepted} accepted, {refused} refused");
    assert!(refused > 0, "{accepted} accepted, {refused} refused");
    let mut obeying = JoinSet::new();
    for number in 0..OBEYING {
        let client = client.clone();
        let path = format!("/v1/account/f{}/deposit", number % ACCOUNTS);
        obeying.spawn(async move {
            let mut most = 0;
            for sent in 0..SENT_BY_EACH {
                most = most.max(obey(&client, &path, &format!("obeys-{number}-{sent}")).await);
            }
            most
        });
    }
    let told = obeying.join_all().await;
    println!("slow workers: told to come back at most {told:?} times");
    assert!(told.iter().any(|told| *told > 0), "more than workers can take");
    let grown = api.memory_bytes().saturating_sub(before);
    assert!(grown < MEMORY_BYTES_MAX, "{grown} bytes more");
    all_is_answered(&client, accepted + OBEYING * SENT_BY_EACH).await;
    for process in [api, worker] {
        assert_eq!(process.terminate().await.code(), Some(0));
    }
}
