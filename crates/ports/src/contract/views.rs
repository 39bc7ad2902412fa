//! The contract of the view store.

mod lists;

pub use lists::*;

use ordain_model::AggregateKey;
use tokio::task::JoinSet;

use super::samples::{ODD_JSON, aggregate, json};
use super::{Setup, Views};
use crate::{Mark, Row, RowRange, RowWrite, ViewStore};

fn row(key: &str, sequence: u64) -> Row {
    Row {
        key: key.to_owned(),
        aggregate: aggregate("a"),
        sequence,
        body: Some(json(&format!("[{sequence}, {ODD_JSON}]"))),
    }
}

fn tombstone(key: &str, sequence: u64) -> Row {
    Row { body: None, ..row(key, sequence) }
}

fn when(expected: Option<u64>, row: Row) -> RowWrite {
    RowWrite { expected, row }
}

fn range(prefix: &str, after: Option<&str>, limit: usize) -> RowRange {
    RowRange { prefix: prefix.to_owned(), after: after.map(str::to_owned), limit }
}

fn mark(id: &str, expected: Option<u64>, sequence: u64) -> Mark {
    Mark { aggregate: aggregate(id), expected, sequence }
}

async fn rows(store: &dyn ViewStore, view: &str, keys: &[&str]) -> Vec<Option<Row>> {
    let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    store.rows(view, &keys).await.expect("reads")
}

async fn write(store: &dyn ViewStore, view: &str, writes: Vec<RowWrite>) -> Vec<bool> {
    store.write(view, writes).await.expect("writes")
}

async fn marks(store: &dyn ViewStore, view: &str, ids: &[&str]) -> Vec<Option<u64>> {
    let of: Vec<AggregateKey> = ids.iter().map(|id| aggregate(id)).collect();
    store.marks(view, &of).await.expect("reads")
}

/// Promise 1: a row is written only on the sequence that it must have, or on none.
pub async fn a_row_is_written_on_its_condition_only<W: Views>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let store = world.view_store().await;
    let steps = [
        (Some(1), 2, false),
        (None, 1, true),
        (None, 2, false),
        (Some(2), 3, false),
        (Some(0), 3, false),
        (Some(1), 5, true),
        (Some(1), 6, false),
        (Some(5), 6, true),
    ];
    let mut stored = None;
    for (expected, sequence, is_written) in steps {
        let answer = write(&*store, "v", vec![when(expected, row("k", sequence))]).await;
        assert_eq!(answer, [is_written], "{sequence} on condition {expected:?}");
        if is_written {
            stored = Some(row("k", sequence));
        }
        assert_eq!(rows(&*store, "v", &["k"]).await, [stored.clone()], "after {sequence}");
    }
}

/// Promise 1: a tombstone is a row: it can be replaced on its sequence, and not on none.
pub async fn a_tombstone_counts_for_conditions<W: Views>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let store = world.view_store().await;
    assert_eq!(write(&*store, "v", vec![when(None, row("k", 1))]).await, [true]);
    assert_eq!(write(&*store, "v", vec![when(Some(1), tombstone("k", 2))]).await, [true]);
    let refused = write(&*store, "v", vec![when(None, row("k", 3))]).await;
    assert_eq!(refused, [false], "a tombstone was forgotten");
    assert_eq!(write(&*store, "v", vec![when(Some(1), row("k", 3))]).await, [false]);
    assert_eq!(write(&*store, "v", vec![when(Some(2), row("k", 3))]).await, [true]);
    assert_eq!(write(&*store, "v", vec![when(None, tombstone("new", 1))]).await, [true]);
    assert_eq!(
        rows(&*store, "v", &["k", "new"]).await,
        [Some(row("k", 3)), Some(tombstone("new", 1))]
    );
}

/// Promise 1: what is refused does not touch the rest of its call.
pub async fn a_refused_write_leaves_the_others_of_its_call<W: Views>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let store = world.view_store().await;
    write(&*store, "v", vec![when(None, row("b", 4))]).await;
    let writes = vec![
        when(None, row("a", 1)),
        when(None, row("b", 5)),
        when(Some(9), row("c", 10)),
        when(None, row("d", 1)),
    ];
    assert_eq!(write(&*store, "v", writes).await, [true, false, false, true]);
    let expected = [Some(row("a", 1)), Some(row("b", 4)), None, Some(row("d", 1))];
    assert_eq!(rows(&*store, "v", &["a", "b", "c", "d"]).await, expected);
    assert!(write(&*store, "v", vec![]).await.is_empty(), "a call without writes");
    assert_eq!(rows(&*store, "v", &[]).await, []);
}

/// Promise 1: of two writes of one row in one call, the second sees what the first has left.
pub async fn one_row_twice_in_a_call_is_written_on_each_condition<W: Views>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let store = world.view_store().await;
    let twice = vec![when(None, row("k", 1)), when(None, row("k", 2))];
    let answers = write(&*store, "v", twice).await;
    assert_eq!(answers.iter().filter(|written| **written).count(), 1, "both found no row");
    let sequence = if answers[0] { 1 } else { 2 };
    assert_eq!(rows(&*store, "v", &["k"]).await, [Some(row("k", sequence))]);
}

/// Promise 1: of many that write one row at once on one condition, one does.
pub async fn one_of_many_at_once_writes_a_row<W: Views>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let mut expected = None;
    for round in 1..=10_u64 {
        let mut running = JoinSet::new();
        for writer in 0..8 {
            let store = world.view_store().await;
            let sequence = round * 10 + writer;
            running.spawn(async move {
                let one = vec![when(expected, row("k", sequence))];
                (write(&*store, "v", one).await == [true]).then_some(sequence)
            });
        }
        let won: Vec<u64> = running.join_all().await.into_iter().flatten().collect();
        assert_eq!(won.len(), 1, "a condition held for {won:?} at once");
        expected = Some(won[0]);
        let stored = rows(&*world.view_store().await, "v", &["k"]).await;
        assert_eq!(stored, [Some(row("k", won[0]))]);
    }
}

/// Promise 1: a mark is set only on the sequence that it must have, and leaves the others alone.
pub async fn a_mark_is_set_on_its_condition_only<W: Views>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let store = world.view_store().await;
    let set = async |marks| store.set_marks("v", marks).await.expect("sets");
    assert_eq!(set(vec![mark("a", Some(1), 2), mark("b", None, 3)]).await, [false, true]);
    assert_eq!(set(vec![mark("a", None, 1), mark("b", None, 4)]).await, [true, false]);
    assert_eq!(set(vec![mark("a", Some(1), 7), mark("b", Some(4), 5)]).await, [true, false]);
    assert!(set(vec![]).await.is_empty(), "a call without marks");
    assert_eq!(marks(&*store, "v", &["b", "none", "a"]).await, [Some(3), None, Some(7)]);
}

/// Promise 1: of many that set one mark at once on one condition, one does.
pub async fn one_of_many_at_once_sets_a_mark<W: Views>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let mut expected = None;
    for round in 1..=10_u64 {
        let mut running = JoinSet::new();
        for setter in 0..8 {
            let store = world.view_store().await;
            let sequence = round * 10 + setter;
            running.spawn(async move {
                let one = vec![mark("a", expected, sequence)];
                (store.set_marks("v", one).await.expect("sets") == [true]).then_some(sequence)
            });
        }
        let won: Vec<u64> = running.join_all().await.into_iter().flatten().collect();
        assert_eq!(won.len(), 1, "a condition held for {won:?} at once");
        expected = Some(won[0]);
        assert_eq!(marks(&*world.view_store().await, "v", &["a"]).await, [expected]);
    }
}

/// Promise 2: rows, tombstones and marks are there after an abrupt end.
pub async fn what_was_written_survives_a_restart<W: Views>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let store = world.view_store().await;
    write(&*store, "v", vec![when(None, row("k", 1)), when(None, tombstone("t", 4))]).await;
    write(&*store, "v", vec![when(Some(1), row("k", 2))]).await;
    assert_eq!(store.set_marks("v", vec![mark("a", None, 6)]).await.expect("sets"), [true]);
    drop(store);
    let world = world.restart(Setup::DEFAULT).await;
    let store = world.view_store().await;
    let expected = [Some(tombstone("t", 4)), Some(row("k", 2))];
    assert_eq!(rows(&*store, "v", &["t", "k"]).await, expected, "written rows were lost");
    assert_eq!(marks(&*store, "v", &["a"]).await, [Some(6)], "a mark was lost");
}

/// Promise 2: a write that was answered is shown to every client at once.
pub async fn what_was_written_is_shown_at_once<W: Views>() {
    let world = W::fresh(Setup::DEFAULT).await;
    for sequence in 1..=30 {
        let expected = (sequence > 1).then(|| sequence - 1);
        let (writer, reader) = (world.view_store().await, world.view_store().await);
        let written = write(&*writer, "v", vec![when(expected, row("k", sequence))]).await;
        assert_eq!(written, [true]);
        assert_eq!(rows(&*reader, "v", &["k"]).await, [Some(row("k", sequence))]);
        let listed = reader.list("v", &range("", None, 10)).await.expect("lists");
        assert_eq!(listed.rows, [row("k", sequence)]);
        let one = vec![mark("a", expected, sequence)];
        assert_eq!(writer.set_marks("v", one).await.expect("sets"), [true]);
        assert_eq!(marks(&*reader, "v", &["a"]).await, [Some(sequence)]);
    }
}

/// Promise 3: a row that was read is there after an abrupt end, whether or not its write was
/// answered.
pub async fn what_was_shown_survives_a_restart<W: Views>() {
    let mut world = W::fresh(Setup::DEFAULT).await;
    for sequence in 1..=5_u64 {
        let expected = (sequence > 1).then(|| sequence - 1);
        let (writer, reader) = (world.view_store().await, world.view_store().await);
        {
            let mut writing =
                std::pin::pin!(writer.write("v", vec![when(expected, row("k", sequence))]));
            let mut reading = std::pin::pin!(async {
                while rows(&*reader, "v", &["k"]).await != [Some(row("k", sequence))] {
                    tokio::task::yield_now().await;
                }
            });
            tokio::select! {
                biased;
                () = &mut reading => {}
                _ = &mut writing => reading.await,
            }
        }
        drop((writer, reader));
        world = world.restart(Setup::DEFAULT).await;
        let after = rows(&*world.view_store().await, "v", &["k"]).await;
        assert_eq!(after, [Some(row("k", sequence))], "what was shown is gone");
    }
}

/// Promise 4: a tombstone is given to who asks for its key, and is in no list.
pub async fn tombstones_are_given_and_not_listed<W: Views>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let store = world.view_store().await;
    let writes = ["a", "b", "c"].map(|key| when(None, row(key, 1)));
    write(&*store, "v", writes.to_vec()).await;
    write(&*store, "v", vec![when(Some(1), tombstone("b", 2))]).await;
    assert_eq!(rows(&*store, "v", &["b"]).await, [Some(tombstone("b", 2))]);
    let listed = store.list("v", &range("", None, 10)).await.expect("lists");
    assert_eq!(listed.rows, [row("a", 1), row("c", 1)], "a tombstone was listed");
    write(&*store, "v", vec![when(Some(2), row("b", 3))]).await;
    let listed = store.list("v", &range("", None, 10)).await.expect("lists");
    assert_eq!(listed.rows, [row("a", 1), row("b", 3), row("c", 1)], "it did not come back");
}

/// Promise 6: rows, lists and marks of one view are not seen by another, however alike the names.
pub async fn views_do_not_see_one_another<W: Views>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let store = world.view_store().await;
    let views = ["jobs", "jobs-open", "job"];
    for (nth, view) in views.iter().enumerate() {
        let sequence = nth as u64 + 1;
        let same_key = vec![when(None, row("k", sequence)), when(None, row("s-open", sequence))];
        assert_eq!(write(&*store, view, same_key).await, [true, true], "{view} sees another");
        let one = vec![mark("a", None, sequence)];
        assert_eq!(store.set_marks(view, one).await.expect("sets"), [true], "{view}");
    }
    for (nth, view) in views.iter().enumerate() {
        let sequence = nth as u64 + 1;
        let own = [row("k", sequence), row("s-open", sequence)];
        assert_eq!(store.list(view, &range("", None, 9)).await.expect("lists").rows, own, "{view}");
        assert_eq!(rows(&*store, view, &["k"]).await, [Some(own[0].clone())]);
        assert_eq!(marks(&*store, view, &["a"]).await, [Some(sequence)]);
    }
    assert_eq!(store.list("none", &range("", None, 9)).await.expect("lists").rows, []);
}
