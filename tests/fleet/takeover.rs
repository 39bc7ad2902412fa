//! How soon a long-lived aggregate answers again when its worker was killed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ordain_model::{AggregateKey, Commit, Event, Fingerprint, Json, Outcome, Source, Timestamp};
use ordain_ports::partition_of;
use ordain_tests::{Client, ServerOptions, until, works};
use serde_json::Value;

use crate::Home;

/// How many commits the aggregate has.
const COMMITS: u64 = 200_000;
/// How many are stored at a time.
const AT_ONCE: u64 = 2_000;
/// How long a member may be silent until its partitions go to others, and how much longer it may
/// take until they answer.
const SESSION: Duration = Duration::from_secs(6);
const TAKEOVER: Duration = Duration::from_secs(2);
/// A fleet of two cores that others use too.
const SPARE: Duration = Duration::from_secs(4);

/// What the worker would have stored after so many deposits of 1.
fn commit(aggregate: &AggregateKey, revision: u64) -> Arc<Commit> {
    let opens = revision == 1;
    let time = Timestamp::from_nanoseconds(i64::try_from(revision).unwrap() * 1_000);
    let request = format!("r{revision}");
    let data = if opens { "{}" } else { r#"{"amount":1}"# };
    let event = Event {
        sequence: revision,
        name: if opens { "opened" } else { "deposited" }.parse().unwrap(),
        version: 1,
        data: Json::of(&serde_json::from_str::<Value>(data).unwrap()).unwrap(),
        time: time.plus_nanoseconds(1),
    };
    Arc::new(Commit {
        aggregate: aggregate.clone(),
        request: request.parse().unwrap(),
        command: if opens { "open" } else { "deposit" }.parse().unwrap(),
        fingerprint: Fingerprint::of_unreadable(request.as_bytes()),
        revision,
        sequence: revision,
        outcome: Outcome::Success,
        events: vec![event],
        time,
        source: Source { partition: 0, offset: 0, nonce: 0 },
        trace: None,
    })
}

async fn store(home: &Home, aggregate: &AggregateKey) {
    let commits = home.stores().await.commits;
    for first in (1..=COMMITS).step_by(AT_ONCE as usize) {
        let batch: Vec<_> = (first..first + AT_ONCE).map(|n| commit(aggregate, n)).collect();
        let inserted = commits.insert(&batch).await;
        assert!(inserted.stop.is_none(), "{inserted:?}");
    }
}

/// Who is told to own a partition, once two workers share all of them.
async fn owner_of_two(operator: &Client, partition: u32) -> String {
    until("two owners", || async {
        let status = operator.get("/v1/admin/status").await.ok()?;
        let partitions = status.at("/partitions");
        let owners: Option<Vec<&str>> =
            partitions.as_array()?.iter().map(|one| one["owner"].as_str()).collect();
        let owners = owners?;
        let owner = *owners.get(partition as usize)?;
        let of_others = owners.iter().filter(|other| **other != owner).count();
        (of_others == owners.len() / 2).then(|| owner.to_owned())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aggregate_with_many_commits_answers_soon_after_its_worker_was_killed() {
    let home = Home::new();
    let count = home.ensure(Some(8)).await.unwrap();
    let aggregate = AggregateKey::new("default", "account", "long").unwrap();
    store(&home, &aggregate).await;
    let options = ServerOptions::default();
    let first = home.start("worker", &options).await.unwrap();
    let api = home.start("api", &options).await.unwrap();
    works(&[&first], count).await;
    let (client, operator) = (Client::new(&api.address), Client::new(&api.metrics));
    let began = Instant::now();
    let deposit = async |id: &str| {
        let headers = [("idempotency-key", id), ("prefer", "wait=25")];
        client.send_with("/v1/account/long/deposit", &headers, r#"{"amount":1}"#).await.unwrap()
    };
    let told = deposit("first").await;
    assert_eq!((told.status, told.at("/sequence")), (200, (COMMITS + 1).into()), "{}", told.body);
    println!("{COMMITS} commits without a snapshot answered after {:?}", began.elapsed());
    let second = home.start("worker", &options).await.unwrap();
    works(&[&first, &second], count).await;
    assert_eq!(deposit("second").await.status, 200);
    let owner = owner_of_two(&operator, partition_of(&aggregate, count)).await;
    let mut workers = vec![first, second];
    let position = workers.iter().position(|worker| worker.log().contains(&owner));
    let killed = Instant::now();
    workers.remove(position.unwrap()).kill().await;
    let told = loop {
        let told = deposit("third").await;
        if told.status != 503 {
            break told;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let taken = killed.elapsed();
    assert_eq!((told.status, told.at("/sequence")), (200, (COMMITS + 3).into()), "{}", told.body);
    println!("{COMMITS} commits answered {taken:?} after their worker was killed");
    assert!(taken < SESSION + TAKEOVER + SPARE, "{taken:?}");
    for process in workers.into_iter().chain([api]) {
        assert_eq!(process.terminate().await.code(), Some(0));
    }
}
