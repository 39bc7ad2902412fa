//! What the commit store promises of loads and histories.

use std::sync::Arc;

use ordain_model::{AggregateKey, Code, Commit, Outcome, Snapshot, Stored, Timestamp};

use super::super::samples::{Line, aggregate, json, request};
use super::super::{Setup, Stores};
use super::{assert_all, stored, tail};
use crate::{Commits, Load};

/// Promise 6: an aggregate that nothing was stored of is empty.
pub async fn an_unknown_aggregate_is_empty<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let commits = world.commits().await;
    assert_eq!(stored(&*commits, &aggregate("nobody")).await, Stored::default());
    assert_eq!(commits.history(&aggregate("nobody"), 0, 10).await.expect("reads"), []);
    assert_eq!(commits.load(&[]).await.expect("loads"), []);
}

/// Promise 7: every part of a commit comes back as it went in, event data byte for byte.
pub async fn a_commit_reads_back_as_it_was_inserted<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let commits = world.commits().await;
    let mut line = Line::of("A-1:b.c~d_e");
    let outcomes = [
        Outcome::Success,
        Outcome::Fail(Code::new("F")),
        Outcome::Expired,
        Outcome::Rejected(Code::new("R_2")),
    ];
    let mut written = Vec::new();
    for (nth, outcome) in outcomes.into_iter().enumerate() {
        let id = request(&format!("~{nth}:{}", "x".repeat(100)));
        let events = if nth == 0 { 3 } else { 0 };
        written.push(line.commit(&id, outcome, events));
    }
    let mut extreme = Commit::clone(&line.success(2));
    extreme.time = Timestamp::from_nanoseconds(i64::MIN);
    extreme.events[0].time = Timestamp::from_nanoseconds(-1);
    extreme.events[1].time = Timestamp::from_nanoseconds(i64::MAX);
    extreme.events[0].data = json("\"\\u0000 \u{7f}\u{2028}\"");
    extreme.events[1].data = json(&format!("\"{}\"", "y".repeat(200_000)));
    extreme.events[1].version = u32::MAX;
    extreme.source.partition = u32::MAX;
    written.push(Arc::new(extreme));
    assert_all(&commits.insert(&written).await, written.len());
    assert_eq!(tail(&*commits, line.aggregate()).await, written, "load has changed a commit");
    let history = commits.history(line.aggregate(), 0, 100).await.expect("reads");
    assert_eq!(history, written, "history has changed a commit");
}

fn snapshot(commit: &Commit, fold_version: u32) -> Snapshot {
    Snapshot {
        aggregate: commit.aggregate.clone(),
        fold_version,
        revision: commit.revision,
        sequence: commit.sequence,
        time: commit.last_time(),
        state: json(&format!("{{ \"fold\": {fold_version}, \"at\":{} }}", commit.revision)),
    }
}

async fn load_fold(commits: &dyn Commits, of: &AggregateKey, fold_version: u32) -> Stored {
    let load = Load { aggregate: of.clone(), fold_version };
    commits.load(&[load]).await.expect("loads").remove(0)
}

/// Promise 8: the newest snapshot of the fold version asked for, and all commits behind it.
pub async fn load_begins_at_the_snapshot_of_its_fold_version<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let (commits, snapshots) = (world.commits().await, world.snapshots().await);
    let mut line = Line::of("a");
    let written: Vec<_> = (0..5).map(|_| line.success(1)).collect();
    assert_all(&commits.insert(&written).await, 5);
    let (old, new, other) =
        (snapshot(&written[0], 1), snapshot(&written[2], 1), snapshot(&written[4], 2));
    for one in [&old, &new, &other] {
        snapshots.save(vec![one.clone()]).await.expect("saves");
    }
    let first = load_fold(&*commits, line.aggregate(), 1).await;
    assert_eq!((first.snapshot, first.tail.as_slice()), (Some(new), &written[3..]));
    let second = load_fold(&*commits, line.aggregate(), 2).await;
    assert_eq!((second.snapshot, second.tail), (Some(other), vec![]));
    let third = load_fold(&*commits, line.aggregate(), 3).await;
    assert_eq!((third.snapshot, third.tail), (None, written), "another fold version was used");
}

/// Promise 8: the tail of one aggregate holds no commit of another, however alike their ids.
pub async fn load_keeps_aggregates_apart<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let commits = world.commits().await;
    let mut lines = ["a", "a:", "a:1", "aa", "A", "b"].map(Line::of);
    let mut written = Vec::new();
    for _ in 0..12 {
        written.extend(lines.iter_mut().map(|line| line.success(1)));
    }
    assert_all(&commits.insert(&written).await, written.len());
    // In no order, and one of them twice.
    let asked = [5, 0, 3, 1, 0, 4, 2].map(|nth: usize| lines[nth].aggregate().clone());
    let loads: Vec<Load> =
        asked.iter().map(|of| Load { aggregate: of.clone(), fold_version: 1 }).collect();
    let loaded = commits.load(&loads).await.expect("loads");
    assert_eq!(loaded.len(), asked.len(), "load gives one aggregate for each asked for");
    for (of, stored) in asked.iter().zip(&loaded) {
        let own: Vec<_> = written.iter().filter(|commit| commit.aggregate == *of).collect();
        assert_eq!(stored.tail.iter().collect::<Vec<_>>(), own, "load gave another aggregate");
    }
}

/// Promise 8: a long tail comes in the order of its revisions, as numbers and not as texts.
pub async fn a_long_tail_is_in_order<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let commits = world.commits().await;
    let mut line = Line::of("a");
    let written: Vec<_> = (0..300).map(|_| line.success(1)).collect();
    assert_all(&commits.insert(&written).await, written.len());
    assert_eq!(tail(&*commits, line.aggregate()).await, written);
}

/// A line with events and refusals: revision (sequence) 1 (0) refused, 2 (2), 3 (2) refused,
/// 4 (3), 5 (3) accepted without event, 6 (3) refused, 7 (6), 8 (6) refused.
fn mixed(line: &mut Line) -> Vec<Arc<Commit>> {
    vec![
        line.refusal(),
        line.success(2),
        line.refusal(),
        line.success(1),
        line.success(0),
        line.refusal(),
        line.success(3),
        line.refusal(),
    ]
}

fn revisions(commits: &[Arc<Commit>]) -> Vec<u64> {
    commits.iter().map(|commit| commit.revision).collect()
}

/// Promise 9: from the first commit that holds an event behind `after`, with the refusals among
/// them. Refusals and empty successes at the ends may come along, for they hold no event.
pub async fn history_begins_behind_the_sequence_asked_for<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let commits = world.commits().await;
    let mut line = Line::of("a");
    let written = mixed(&mut line);
    assert_all(&commits.insert(&written).await, written.len());
    for after in 0..=7 {
        let history = commits.history(line.aggregate(), after, 100).await.expect("reads");
        let expected = written.iter().filter(|commit| commit.sequence > after);
        let expected: Vec<u64> = expected.map(|commit| commit.revision).collect();
        assert_eq!(revisions(&history), expected, "the history after {after}");
    }
    assert_eq!(commits.history(line.aggregate(), u64::MAX, 9).await.expect("reads"), []);
}

/// Promise 9: a page is no longer than its limit, is never empty while there is more, and the
/// pages together hold every event once.
pub async fn history_pages_hold_every_event_once<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let commits = world.commits().await;
    let mut line = Line::of("a");
    let mut written = Vec::new();
    for _ in 0..5 {
        written.extend(mixed(&mut line));
    }
    assert_all(&commits.insert(&written).await, written.len());
    let events: Vec<_> = written.iter().flat_map(|commit| commit.events.clone()).collect();
    for limit in [0, 1, 2, 7, 1_000] {
        let (mut after, mut read) = (0, Vec::new());
        loop {
            let page = commits.history(line.aggregate(), after, limit).await.expect("reads");
            assert!(page.len() <= limit.max(1), "a page is longer than {limit}");
            let Some(last) = page.last() else { break };
            assert!(last.sequence > after, "a page does not lead on");
            after = last.sequence;
            read.extend(page.iter().flat_map(|commit| commit.events.clone()));
        }
        assert_eq!(read, events, "the pages of {limit} differ from what was written");
    }
}

/// Promise 10: every aggregate once, from the last one down, with the sequence that it has come
/// to: refused ones too, and those of many commits, however long a page is.
pub async fn aggregates_are_given_once_each_by_their_keys<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let commits = world.commits().await;
    assert_eq!(commits.aggregates(None, 9).await.expect("reads"), []);
    let (mut written, mut expected) = (Vec::new(), Vec::new());
    for (id, count) in [("a", 1), ("a-", 0), ("a0", 30), ("b", 3), ("ab", 2)] {
        let mut line = Line::of(id);
        written.push(line.refusal());
        written.extend((0..count).map(|_| line.success(1)));
        written.push(line.refusal());
        expected.push((line.aggregate().clone(), count));
    }
    assert_all(&commits.insert(&written).await, written.len());
    expected.sort_unstable_by(|(one, _), (other, _)| other.as_str().cmp(one.as_str()));
    for limit in [0, 1, 2, 3, 1_000] {
        let mut read: Vec<(AggregateKey, u64)> = Vec::new();
        loop {
            let before = read.last().map(|(last, _)| last.clone());
            let page = commits.aggregates(before.as_ref(), limit).await.expect("reads");
            assert!(page.len() <= limit.max(1), "a page is longer than {limit}");
            if page.is_empty() {
                break;
            }
            read.extend(page);
        }
        assert_eq!(read, expected, "the pages of {limit} differ from what was written");
    }
}
