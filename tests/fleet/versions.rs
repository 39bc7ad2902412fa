//! Two builds side by side: the newer knows a command more, and folds the same events another way.
//! Nothing is REJECTED or folded wrongly because of it.

use ordain_tests::{Client, Process, ServerOptions, Told, until, works};

use crate::Home;

const AGGREGATES: usize = 8;
const PARTITIONS: u32 = 4;

/// A process of one of two builds, which soon keeps a snapshot.
fn build(failpoints: &str) -> ServerOptions {
    let every = ("ORDAIN_ENGINE__SNAPSHOT_COMMITS".to_owned(), "3".to_owned());
    let failpoints = failpoints.to_owned();
    ServerOptions { failpoints, environment: vec![every], ..ServerOptions::default() }
}

async fn older(home: &Home, role: &str) -> Process {
    home.start(role, &build("")).await.unwrap()
}

async fn newer(home: &Home, role: &str) -> Process {
    home.start(role, &build("newer-build=return")).await.unwrap()
}

/// The APIs of both builds.
struct Apis {
    older: Process,
    newer: Process,
}

impl Apis {
    async fn start(home: &Home) -> Self {
        let (older, newer) = tokio::join!(older(home, "api"), newer(home, "api"));
        Self { older, newer }
    }

    /// Each build's clients let every aggregate work once; gives how often each has worked.
    async fn work(&self, round: u64) -> u64 {
        for (build, api) in [("older", &self.older), ("newer", &self.newer)] {
            for number in 0..AGGREGATES {
                let path = format!("/v1/broken/b{number}/work");
                let told = send(api, &path, &format!("{build}{round}")).await;
                assert_eq!(told.status, 200, "{path} {build}{round}: {}", told.body);
            }
        }
        2 * (round + 1)
    }

    /// Both builds show of every aggregate what their own fold makes of so much work.
    async fn show(&self, worked: u64) {
        for number in 0..AGGREGATES {
            let path = format!("/v1/broken/b{number}");
            for (api, done) in [(&self.older, worked), (&self.newer, 2 * worked)] {
                let shown = Client::new(&api.address).get(&path).await.unwrap();
                assert_eq!(shown.at("/state/done"), done, "{path}: {}", shown.body);
            }
        }
    }
}

async fn send(api: &Process, path: &str, request: &str) -> Told {
    Client::new(&api.address).send_obeying(path, request, "{}").await.unwrap()
}

/// The value of a metric without labels.
async fn metric(process: &Process, name: &str) -> f64 {
    let told = Client::new(&process.metrics).get("/metrics").await.unwrap();
    let mut lines = told.body.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map_or(0.0, |value| value.trim().parse().unwrap())
}

/// How many commands a worker has decided.
async fn decided(worker: &Process) -> f64 {
    metric(worker, "ordain_engine_commits{outcome=\"SUCCESS\"}").await
}

/// Waits until both workers have their share of the partitions.
async fn both_work(one: &Process, other: &Process) {
    until("a share of the partitions for both", || async {
        let lanes = "ordain_engine_lanes";
        let (one, other) = (metric(one, lanes).await, metric(other, lanes).await);
        (one > 0.0 && other > 0.0 && one + other == f64::from(PARTITIONS)).then_some(())
    })
    .await;
}

/// Waits until an API knows of so many of its commands that a worker does not announce them.
async fn knows_unannounced(api: &Process, commands: f64) {
    until("the workers to be known", || async {
        (metric(api, "ordain_api_unannounced_commands").await == commands).then_some(())
    })
    .await;
}

/// Only the newer build's `rest`, and the older one's `panic`, `hang` and `abort`, are not of both.
async fn only_what_both_announce_is_taken(apis: &Apis) {
    knows_unannounced(&apis.newer, 1.0).await;
    knows_unannounced(&apis.older, 3.0).await;
    for (api, command) in [(&apis.newer, "rest"), (&apis.older, "panic")] {
        let path = format!("/v1/broken/b0/{command}");
        let told = Client::new(&api.address).send(&path, "early", "{}").await.unwrap();
        assert_eq!((told.status, told.at("/code")), (503, "NOT_ANNOUNCED".into()), "{told:?}");
        assert_ne!(told.header("retry-after"), "", "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_builds_side_by_side_reject_nothing_and_fold_nothing_wrongly() {
    let home = Home::new();
    home.ensure(Some(PARTITIONS)).await.unwrap();
    let (old, new) = tokio::join!(older(&home, "worker"), newer(&home, "worker"));
    let apis = Apis::start(&home).await;
    both_work(&old, &new).await;
    only_what_both_announce_is_taken(&apis).await;
    apis.work(0).await;
    assert!(decided(&old).await > 0.0 && decided(&new).await > 0.0, "each has its share");
    assert_eq!(new.terminate().await.code(), Some(0));
    works(&[&old], PARTITIONS).await;
    apis.work(1).await;
    let new = newer(&home, "worker").await;
    both_work(&old, &new).await;
    only_what_both_announce_is_taken(&apis).await;
    apis.work(2).await;
    assert!(decided(&new).await > 0.0, "it goes on from what the older build has stored");
    assert_eq!(old.terminate().await.code(), Some(0));
    works(&[&new], PARTITIONS).await;
    let worked = apis.work(3).await;
    apis.show(worked).await;
    // Now that every worker announces it, it is taken; and it says what its worker has folded.
    knows_unannounced(&apis.newer, 0.0).await;
    for number in 0..AGGREGATES {
        let rested = send(&apis.newer, &format!("/v1/broken/b{number}/rest"), "rest").await;
        assert_eq!(rested.at("/events/0/data/after"), 2 * worked, "{}", rested.body);
    }
    // Beside a worker that does not know it, it is not taken, and a repeat gets its outcome.
    let old = older(&home, "worker").await;
    knows_unannounced(&apis.newer, 1.0).await;
    for number in 0..AGGREGATES {
        let path = format!("/v1/broken/b{number}/rest");
        let client = Client::new(&apis.newer.address);
        let again = client.send(&path, "rest", "{}").await.unwrap();
        assert_eq!(again.header("idempotency-replayed"), "true", "{path}: {}", again.body);
        assert_eq!(again.at("/events/0/data/after"), 2 * worked, "{path}: {}", again.body);
        let other = client.send(&path, "another", "{}").await.unwrap();
        assert_eq!(other.at("/code"), "NOT_ANNOUNCED", "{path}: {}", other.body);
    }
    let letters = Client::new(&apis.newer.metrics).get("/v1/admin/deadletters").await.unwrap();
    assert_eq!(letters.at("/letters").as_array().map(Vec::len), Some(0), "{}", letters.body);
    for process in [apis.older, apis.newer, new, old] {
        assert_eq!(process.terminate().await.code(), Some(0));
    }
}
