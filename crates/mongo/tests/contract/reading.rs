//! Reads over what the suites have too little of.

use mongodb::bson::doc;
use ordain_model::{AggregateKey, Snapshot};
use ordain_ports::contract::samples::{Line, aggregate, json, time};
use ordain_ports::{Load, Mark, Row, RowWrite};

use crate::database::{Database, tail};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_history_is_searched_from_any_sequence() {
    let database = Database::new();
    let mongo = database.ready().await;
    let mut line = Line::of("a");
    // Long stretches of refusals, where the sequence stands still.
    let written: Vec<_> = (0..3_000_u64)
        .map(|nth| if nth % 700 < 300 { line.refusal() } else { line.success(nth % 3) })
        .collect();
    assert!(mongo.commits().insert(&written).await.stop.is_none());
    let last = written.last().expect("the last").sequence;
    for after in (0..=last + 1).step_by(37).chain([0, 1, last - 1, last]) {
        let history = mongo.commits().history(line.aggregate(), after, 5).await.expect("reads");
        let expected: Vec<_> =
            written.iter().filter(|commit| commit.sequence > after).take(5).cloned().collect();
        assert_eq!(history, expected, "after {after}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_in_a_tail_is_an_error() {
    let database = Database::new();
    let mongo = database.ready().await;
    let mut line = Line::of("a");
    let written: Vec<_> = (0..5).map(|_| line.success(1)).collect();
    assert!(mongo.commits().insert(&written).await.stop.is_none());
    assert_eq!(tail(&mongo, &line).await.len(), 5);
    let commits = database.raw().await.collection::<mongodb::bson::Document>("commits");
    commits.delete_one(doc! { "r": 3 }).await.expect("removes");
    let load = Load { aggregate: line.aggregate().clone(), fold_version: 1 };
    let error = mongo.commits().load(&[load]).await.expect_err("a gap");
    assert!(error.to_string().contains("revision 3 is missing"), "{error}");
}

/// More than go into one query, some with snapshots and some without, in one call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_aggregates_are_loaded_in_the_order_asked_for() {
    let database = Database::new();
    let mongo = database.ready().await;
    let mut lines: Vec<Line> = (0..1_500).map(|nth| Line::of(&format!("a{nth}"))).collect();
    for _ in 0..2 {
        let written: Vec<_> = lines.iter_mut().map(|line| line.success(1)).collect();
        assert!(mongo.commits().insert(&written).await.stop.is_none());
    }
    let snapshot = |of: &AggregateKey| Snapshot {
        aggregate: of.clone(),
        fold_version: 1,
        revision: 1,
        sequence: 1,
        time: time(1),
        state: json("{}"),
    };
    let odd: Vec<_> = lines.iter().skip(1).step_by(2).map(|of| snapshot(of.aggregate())).collect();
    mongo.snapshots().save(odd).await.expect("saves");
    let asked: Vec<_> = lines
        .iter()
        .rev()
        .map(|line| Load { aggregate: line.aggregate().clone(), fold_version: 1 })
        .collect();
    let loaded = mongo.commits().load(&asked).await.expect("loads");
    for (nth, (asked, stored)) in asked.iter().zip(&loaded).enumerate() {
        let has_snapshot = (lines.len() - 1 - nth) % 2 == 1;
        assert_eq!(stored.snapshot.is_some(), has_snapshot, "{}", asked.aggregate);
        assert_eq!(stored.tail.len(), if has_snapshot { 1 } else { 2 }, "{}", asked.aggregate);
        assert!(stored.tail.iter().all(|commit| commit.aggregate == asked.aggregate));
    }
}

/// Keys and views that would mean something to the store, were they not kept as values.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_clients_are_values_only() {
    let database = Database::new();
    let mongo = database.ready().await;
    let store = mongo.view_store();
    let keys = ["$set", "a.b", "$where", "_id", "nul\0byte", "", "{\"$gt\": \"\"}"];
    for view in ["$v", "v.w", "v"] {
        let row = |key: &str, sequence| Row {
            key: key.to_owned(),
            aggregate: aggregate("a"),
            sequence,
            body: Some(json(&format!("{{\"$oid\": {sequence}}}"))),
        };
        for (expected, sequence) in [(None, 1), (Some(1), 2)] {
            let writes = keys.map(|key| RowWrite { expected, row: row(key, sequence) }).to_vec();
            let written = store.write(view, writes).await.expect("writes");
            assert_eq!(written, keys.map(|_| true), "{view}, {expected:?}");
        }
        let rows = store.rows(view, &keys.map(str::to_owned)).await.expect("reads");
        assert_eq!(rows, keys.map(|key| Some(row(key, 2))), "{view}");
        let mark = Mark { aggregate: aggregate("a"), expected: None, sequence: 1 };
        assert_eq!(store.set_marks(view, vec![mark]).await.expect("sets"), [true]);
    }
}

/// Reads that must show everything are not older than what another client was just told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_at_once_share_a_fence_and_miss_nothing() {
    let database = Database::new();
    let mongo = database.ready().await;
    let mut running = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let (mongo, other) = (mongo.clone(), database.connect().await);
        running.spawn(async move {
            let mut line = Line::of(&format!("a{writer}"));
            for _ in 0..20 {
                let commit = line.success(1);
                assert!(other.commits().insert(std::slice::from_ref(&commit)).await.stop.is_none());
                let id = (commit.aggregate.clone(), commit.request.clone());
                let found = mongo.outcomes().find(&[id]).await.expect("finds");
                assert_eq!(found, [Some(commit)]);
            }
        });
    }
    running.join_all().await;
    let fences = database.raw().await.collection::<mongodb::bson::Document>("fences");
    let fence = fences.find_one(doc! {}).await.expect("finds").expect("a fence");
    let count = fence.get_i64("n").expect("a count");
    assert!((20..=160).contains(&count), "{count} fences for 160 reads");
}
