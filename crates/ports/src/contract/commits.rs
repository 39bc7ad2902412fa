//! The contract of the commit store.

mod concurrency;
mod reading;

pub use concurrency::*;
pub use reading::*;

use std::slice;
use std::sync::Arc;

use ordain_model::{AggregateKey, Commit, Stored};

use super::samples::{Line, json, request};
use super::{Setup, Stores};
use crate::{Commits, Inserted, Load, Stop};

/// Larger than any adapter's limit for one commit.
const MORE_THAN_ANY_STORE_TAKES_BYTES: usize = 20 << 20;

/// The aggregate as the store has it, without any snapshot.
async fn stored(commits: &dyn Commits, aggregate: &AggregateKey) -> Stored {
    let load = Load { aggregate: aggregate.clone(), fold_version: 1 };
    let mut loaded = commits.load(&[load]).await.expect("loads");
    assert_eq!(loaded.len(), 1, "load gives one aggregate for each asked for");
    loaded.remove(0)
}

async fn tail(commits: &dyn Commits, aggregate: &AggregateKey) -> Vec<Arc<Commit>> {
    stored(commits, aggregate).await.tail
}

fn assert_all(inserted: &Inserted, count: usize) {
    assert!(
        inserted.stop.is_none() && inserted.stored == count,
        "all {count} commits should have been stored, but: {inserted:?}"
    );
}

fn assert_repeat(inserted: &Inserted, stored: usize) {
    assert!(
        matches!(inserted.stop, Some(Stop::Repeat)) && inserted.stored == stored,
        "a repeat behind {stored} stored commits was expected, but: {inserted:?}"
    );
}

fn assert_conflict(inserted: &Inserted, stored: usize) {
    assert!(
        matches!(inserted.stop, Some(Stop::Conflict)) && inserted.stored == stored,
        "a conflict behind {stored} stored commits was expected, but: {inserted:?}"
    );
}

/// Promise 1: what is reported as stored is there after an abrupt end, and stays as it is.
pub async fn what_was_reported_as_stored_survives_a_restart<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let mut line = Line::of("a");
    let written = vec![line.success(1), line.refusal(), line.success(2)];
    let commits = world.commits().await;
    assert_all(&commits.insert(&written[..2]).await, 2);
    assert_all(&commits.insert(&written[2..]).await, 1);
    drop(commits);
    let world = world.restart(Setup::DEFAULT).await;
    let commits = world.commits().await;
    assert_eq!(tail(&*commits, line.aggregate()).await, written, "stored commits were lost");
    assert_repeat(&commits.insert(&written[..1]).await, 0);
}

/// Promise 1: a second commit under the same id changes nothing of the first.
pub async fn a_stored_commit_never_changes<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let commits = world.commits().await;
    let mut line = Line::of("a");
    let first = line.success(1);
    assert_all(&commits.insert(slice::from_ref(&first)).await, 1);
    let mut other = Commit::clone(&first);
    other.events.clear();
    other.revision = 2;
    assert_repeat(&commits.insert(&[Arc::new(other.clone())]).await, 0);
    other.request = request("other");
    other.revision = 1;
    assert_conflict(&commits.insert(&[Arc::new(other)]).await, 0);
    assert_eq!(tail(&*commits, line.aggregate()).await, [first], "a stored commit has changed");
}

/// Promise 1: an insert of nothing stores nothing and succeeds.
pub async fn an_empty_insert_succeeds<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    assert_all(&world.commits().await.insert(&[]).await, 0);
}

/// Promise 1: commits of one insert are stored in order, also many of many aggregates.
pub async fn a_large_insert_is_stored_whole<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let commits = world.commits().await;
    let mut lines: Vec<Line> = (0..50).map(|n| Line::of(&format!("a{n}"))).collect();
    let mut written = Vec::new();
    for _ in 0..20 {
        written.extend(lines.iter_mut().map(|line| line.success(2)));
    }
    assert_all(&commits.insert(&written).await, written.len());
    for line in &lines {
        let own = |commit: &&Arc<Commit>| commit.aggregate == *line.aggregate();
        let own: Vec<_> = written.iter().filter(own).cloned().collect();
        assert_eq!(tail(&*commits, line.aggregate()).await, own);
    }
}

/// Promise 2: all before a repeat are stored, none behind it.
pub async fn an_insert_ends_at_a_repeat<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let commits = world.commits().await;
    let (mut line, mut behind) = (Line::of("a"), Line::of("b"));
    let first = line.success(1);
    assert_all(&commits.insert(slice::from_ref(&first)).await, 1);
    let second = line.success(1);
    let repeat = line.success_of(&first.request, 1);
    let insert = [second.clone(), repeat, line.success(1), behind.success(1)];
    assert_repeat(&commits.insert(&insert).await, 1);
    let before = tail(&*commits, line.aggregate()).await;
    assert_eq!(before, [first, second], "exactly the commits before the repeat are stored");
    let none = tail(&*commits, behind.aggregate()).await;
    assert_eq!(none, [], "a commit behind a repeat was stored");
}

/// Promise 2: all before a conflict are stored, none behind it.
pub async fn an_insert_ends_at_a_conflict<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let commits = world.commits().await;
    let (mut line, mut before, mut behind) = (Line::of("a"), Line::of("b"), Line::of("c"));
    let mut zombie = line.clone();
    let first = line.success(1);
    assert_all(&commits.insert(slice::from_ref(&first)).await, 1);
    let conflict = zombie.success_of(&request("zombie"), 1);
    let stored_before = before.success(1);
    let insert = [stored_before.clone(), conflict, zombie.success(1), behind.success(1)];
    assert_conflict(&commits.insert(&insert).await, 1);
    let contested = tail(&*commits, line.aggregate()).await;
    assert_eq!(contested, [first], "a commit behind a conflict was stored");
    assert_eq!(tail(&*commits, before.aggregate()).await, [stored_before]);
    let none = tail(&*commits, behind.aggregate()).await;
    assert_eq!(none, [], "a commit behind a conflict was stored");
}

/// Promise 2: what an insert itself has stored counts for what follows in it.
pub async fn an_insert_ends_at_what_it_holds_twice<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let commits = world.commits().await;
    let mut line = Line::of("a");
    let first = line.success(1);
    let twice = [first.clone(), first.clone(), line.success(1)];
    assert_repeat(&commits.insert(&twice).await, 1);
    assert_eq!(tail(&*commits, line.aggregate()).await, [first]);
    let mut line = Line::of("b");
    let mut zombie = line.clone();
    let second_of_revision = zombie.success_of(&request("other"), 1);
    let insert = [line.success(1), second_of_revision, line.success(1)];
    assert_conflict(&commits.insert(&insert).await, 1);
    assert_eq!(tail(&*commits, line.aggregate()).await, insert[..1]);
}

/// Promise 2: a commit that can never be stored, here a huge one, is named as the one that cannot.
pub async fn an_insert_ends_at_a_commit_that_cannot_be_stored<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let commits = world.commits().await;
    let (mut line, mut behind) = (Line::of("a"), Line::of("b"));
    let first = line.success(1);
    let mut huge = Commit::clone(&line.success(1));
    huge.events[0].data = json(&format!("\"{}\"", "x".repeat(MORE_THAN_ANY_STORE_TAKES_BYTES)));
    let insert = [first.clone(), Arc::new(huge), behind.success(1)];
    let inserted = commits.insert(&insert).await;
    assert_eq!(inserted.stored, 1, "the commits before are stored");
    assert!(
        matches!(inserted.stop, Some(Stop::NotStorable(_))),
        "a commit that is too large is not storable, but: {:?}",
        inserted.stop
    );
    assert_eq!(tail(&*commits, line.aggregate()).await, [first]);
    let none = tail(&*commits, behind.aggregate()).await;
    assert_eq!(none, [], "a commit behind one that cannot be stored was stored");
}

/// Promise 3: a commit under a stored (aggregate, request id) is a repeat, whatever else it says.
pub async fn a_second_commit_of_a_request_is_a_repeat<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let commits = world.commits().await;
    let mut line = Line::of("a");
    let (success, refusal) = (line.success(1), line.refusal());
    assert_all(&commits.insert(&[success.clone(), refusal.clone()]).await, 2);
    for stored in [&success, &refusal] {
        let another = line.clone().success_of(&stored.request, 3);
        assert_repeat(&commits.insert(&[another]).await, 0);
    }
}

/// Promise 3: a commit with a stored (aggregate, revision) is a conflict.
pub async fn a_second_commit_of_a_revision_is_a_conflict<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let commits = world.commits().await;
    let mut line = Line::of("a");
    let mut zombie = line.clone();
    assert_all(&commits.insert(&[line.success(1), line.refusal()]).await, 2);
    for nth in 1..=2 {
        let late = zombie.success_of(&request(&format!("late{nth}")), 1);
        assert_conflict(&commits.insert(&[late]).await, 0);
    }
}

/// Promise 3: when both are stored, of the same commit or of two, it is a repeat.
pub async fn a_repeat_that_is_also_a_conflict_is_a_repeat<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let commits = world.commits().await;
    let mut line = Line::of("a");
    let (first, second) = (line.success(1), line.success(1));
    assert_all(&commits.insert(&[first.clone(), second.clone()]).await, 2);
    assert_repeat(&commits.insert(slice::from_ref(&first)).await, 0);
    let mut both = Commit::clone(&first);
    both.revision = second.revision;
    assert_repeat(&commits.insert(&[Arc::new(both)]).await, 0);
}

/// Promise 3: the same request id at another aggregate is another command.
pub async fn a_request_id_counts_per_aggregate<W: Stores>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let commits = world.commits().await;
    // One id is the beginning of the other, so that keys put together carelessly would meet.
    let (mut one, mut other) = (Line::of("a"), Line::of("a:r1"));
    let id = request("r1");
    assert_all(&commits.insert(&[one.success_of(&id, 1), other.success_of(&id, 1)]).await, 2);
    assert_all(&commits.insert(&[one.success_of(&request("r1:r1"), 1)]).await, 1);
    assert_all(&commits.insert(&[other.success_of(&request("r1:r1"), 1)]).await, 1);
}
