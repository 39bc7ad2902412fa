//! What the view store promises of lists.

use std::collections::BTreeSet;

use super::super::{Setup, Views};
use super::{range, row, tombstone, when, write};
use crate::{Row, ViewStore};

/// All pages of a list, each at most `limit` long.
async fn pages(store: &dyn ViewStore, prefix: &str, limit: usize) -> Vec<Vec<Row>> {
    let (mut after, mut pages) = (None::<String>, Vec::new());
    loop {
        let list = store.list("v", &range(prefix, after.as_deref(), limit)).await.expect("lists");
        assert!(list.rows.len() <= limit, "a page is longer than {limit}");
        pages.push(list.rows);
        let Some(next) = list.next else { return pages };
        assert!(after.is_none_or(|after| after < next), "the pages do not lead on");
        after = Some(next);
    }
}

async fn keys(store: &dyn ViewStore, prefix: &str, limit: usize) -> Vec<String> {
    pages(store, prefix, limit).await.concat().into_iter().map(|row| row.key).collect()
}

/// Promise 5: the keys that begin with the prefix, as bytes, in the order of their bytes, whatever
/// the size of a page.
pub async fn a_list_holds_what_begins_with_its_prefix<W: Views>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let store = world.view_store().await;
    let all = [
        "c1",
        "c1/",
        "c1/10",
        "c1/9",
        "c1/Z",
        "c1/a",
        "c1/é",
        "c1/\u{10ffff}",
        "c1/\u{10ffff}x",
        "c10/1",
        "c1~",
        "c2/1",
        "C1/1",
        "ü",
        "é",
    ];
    let writes = all.iter().map(|key| when(None, row(key, 1))).collect();
    assert!(write(&*store, "v", writes).await.iter().all(|written| *written));
    for prefix in ["", "c", "c1", "c1/", "c1/\u{10ffff}", "c1/9", "é", "none", "c1/9/"] {
        let mut expected: Vec<&str> =
            all.iter().copied().filter(|key| key.starts_with(prefix)).collect();
        expected.sort_unstable();
        for limit in [1, 2, 5, all.len(), 1_000] {
            let listed = keys(&*store, prefix, limit).await;
            assert_eq!(listed, expected, "prefix {prefix}, pages of {limit}");
        }
    }
}

/// Promise 5: a list goes on behind any key, whether or not there is a row under it, and never
/// gives what does not begin with the prefix.
pub async fn a_list_goes_on_behind_any_key<W: Views>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let store = world.view_store().await;
    let writes = ["a1", "b1", "b3", "c1"].map(|key| when(None, row(key, 1)));
    write(&*store, "v", writes.to_vec()).await;
    let behind = async |after: &str| -> Vec<String> {
        let list = store.list("v", &range("b", Some(after), 10)).await.expect("lists");
        list.rows.into_iter().map(|row| row.key).collect()
    };
    assert_eq!(behind("b1").await, ["b3"]);
    assert_eq!(behind("b2").await, ["b3"], "there is no row under the key");
    assert_eq!(behind("a").await, ["b1", "b3"], "the key stands before the prefix");
    assert_eq!(behind("b3").await, Vec::<String>::new());
    assert_eq!(behind("c").await, Vec::<String>::new(), "the key stands behind the prefix");
}

/// Promise 5: the last page says that it is the last, in the end, also when tombstones follow.
pub async fn a_list_comes_to_its_end_over_tombstones<W: Views>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let store = world.view_store().await;
    let mut writes = Vec::new();
    for nth in 0..60 {
        let key = format!("k{nth:02}");
        let is_row = nth % 20 == 7;
        writes.push(when(None, if is_row { row(&key, 1) } else { tombstone(&key, 1) }));
    }
    write(&*store, "v", writes).await;
    for limit in [1, 2, 3, 4] {
        assert_eq!(keys(&*store, "k", limit).await, ["k07", "k27", "k47"], "pages of {limit}");
    }
}

/// Promise 5: while others come, change and go, each row that was there all the time is given
/// exactly once.
pub async fn a_list_beside_writers_gives_each_lasting_row_once<W: Views>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let store = world.view_store().await;
    let lasting: BTreeSet<String> = (0..40).map(|n| format!("k{n:02}-stays")).collect();
    let writes = lasting.iter().map(|key| when(None, row(key, 1))).collect();
    write(&*store, "v", writes).await;
    let writer = world.view_store().await;
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let writing = tokio::spawn(async move {
        for round in 1_u64.. {
            let expected = (round > 1).then(|| round - 1);
            let come_and_go = (0..40).map(|nth| {
                let key = format!("k{nth:02}-comes");
                let is_row = (round + nth) % 2 == 0;
                when(expected, if is_row { row(&key, round) } else { tombstone(&key, round) })
            });
            let change = (0..40).step_by(3).map(|nth| {
                let key = format!("k{nth:02}-stays");
                when(Some(round), row(&key, round + 1))
            });
            let answers = write(&*writer, "v", come_and_go.chain(change).collect()).await;
            assert!(answers.iter().all(|written| *written), "the only writer was refused");
            if *stopped.borrow_and_update() {
                return;
            }
        }
    });
    for limit in [1, 3, 7, 100] {
        for _ in 0..5 {
            let listed = keys(&*store, "k", limit).await;
            let mut sorted = listed.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(listed, sorted, "a list is out of order or gives a row twice");
            let stayed: BTreeSet<String> =
                listed.into_iter().filter(|key| key.ends_with("-stays")).collect();
            assert_eq!(stayed, lasting, "a list lacks a row that was there all the time");
        }
    }
    stop.send_replace(true);
    writing.await.expect("the writer");
}
