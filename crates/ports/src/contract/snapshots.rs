//! The contract of the keeper of snapshots.

use ordain_model::{AggregateKey, Snapshot, Stored};
use tokio::task::JoinSet;

use super::samples::{Line, aggregate, json, time};
use super::{Setup, Stores};
use crate::{Commits, Load};

fn snapshot(of: &AggregateKey, fold_version: u32, revision: u64) -> Snapshot {
    Snapshot {
        aggregate: of.clone(),
        fold_version,
        revision,
        sequence: revision,
        time: time(revision),
        state: json(&format!("{{\"fold\":{fold_version} , \"revision\": {revision}}}")),
    }
}

async fn load(commits: &dyn Commits, of: &AggregateKey, fold_version: u32) -> Stored {
    let load = Load { aggregate: of.clone(), fold_version };
    commits.load(&[load]).await.expect("loads").remove(0)
}

/// A world in which these aggregates have ten commits each.
async fn with_commits<W: Stores>(ids: &[&str]) -> W {
    let world = W::fresh(Setup::DEFAULT).await;
    let commits = world.commits().await;
    for id in ids {
        let mut line = Line::of(id);
        let written: Vec<_> = (0..10).map(|_| line.success(1)).collect();
        assert!(commits.insert(&written).await.stop.is_none());
    }
    world
}

/// Promise 1: a newer snapshot takes the place of an older one; an older one changes nothing.
pub async fn only_newer_snapshots_replace<W: Stores>() {
    let world: W = with_commits(&["a", "b"]).await;
    let (commits, snapshots) = (world.commits().await, world.snapshots().await);
    let (a, b) = (aggregate("a"), aggregate("b"));
    for (saved, kept) in [(2, 2), (5, 5), (3, 5), (5, 5), (1, 5), (9, 9)] {
        snapshots.save(vec![snapshot(&a, 1, saved)]).await.expect("saves");
        let loaded = load(&*commits, &a, 1).await;
        let expected = Some(snapshot(&a, 1, kept));
        assert_eq!(loaded.snapshot, expected, "after a save of revision {saved}");
        assert_eq!(loaded.tail.len() as u64, 10 - kept);
    }
    assert_eq!(load(&*commits, &b, 1).await.snapshot, None, "another aggregate got a snapshot");
}

/// Promise 1: also within one call, in whichever order.
pub async fn the_newest_of_one_call_is_kept<W: Stores>() {
    let world: W = with_commits(&["a", "b"]).await;
    let (commits, snapshots) = (world.commits().await, world.snapshots().await);
    let (a, b) = (aggregate("a"), aggregate("b"));
    let up_and_down =
        vec![snapshot(&a, 1, 2), snapshot(&b, 1, 7), snapshot(&a, 1, 6), snapshot(&b, 1, 4)];
    snapshots.save(up_and_down).await.expect("saves");
    assert_eq!(load(&*commits, &a, 1).await.snapshot, Some(snapshot(&a, 1, 6)));
    assert_eq!(load(&*commits, &b, 1).await.snapshot, Some(snapshot(&b, 1, 7)));
    snapshots.save(vec![]).await.expect("saves nothing");
}

/// Promise 1: of many that save at once, the newest stays.
pub async fn the_newest_of_many_at_once_is_kept<W: Stores>() {
    let world: W = with_commits(&["a"]).await;
    let mut running = JoinSet::new();
    for revision in [3, 10, 1, 7, 9, 2, 8, 4] {
        let snapshots = world.snapshots().await;
        running.spawn(async move {
            let one = vec![snapshot(&aggregate("a"), 1, revision)];
            snapshots.save(one).await.expect("saves");
        });
    }
    running.join_all().await;
    let kept = load(&*world.commits().await, &aggregate("a"), 1).await.snapshot;
    assert_eq!(kept, Some(snapshot(&aggregate("a"), 1, 10)), "an older snapshot has won");
}

/// Promise 2: a snapshot of one fold version leaves those of all others alone.
pub async fn fold_versions_do_not_touch_one_another<W: Stores>() {
    let world: W = with_commits(&["a"]).await;
    let (commits, snapshots) = (world.commits().await, world.snapshots().await);
    let a = aggregate("a");
    for (fold_version, revision) in [(1, 8), (2, 3), (0, 5), (u32::MAX, 9)] {
        snapshots.save(vec![snapshot(&a, fold_version, revision)]).await.expect("saves");
    }
    for (fold_version, revision) in [(1, 8), (2, 3), (0, 5), (u32::MAX, 9)] {
        let kept = load(&*commits, &a, fold_version).await.snapshot;
        assert_eq!(kept, Some(snapshot(&a, fold_version, revision)));
    }
}

/// Promise 3: `published` goes forward only, whatever is saved, also with several in one call.
pub async fn published_only_grows<W: Stores>() {
    let world: W = with_commits(&["a", "b"]).await;
    let (commits, snapshots) = (world.commits().await, world.snapshots().await);
    let (a, b) = (aggregate("a"), aggregate("b"));
    for (saved, kept) in [(4, 4), (2, 4), (4, 4), (7, 7), (0, 7)] {
        snapshots.save_published(vec![(a.clone(), saved)]).await.expect("saves");
        assert_eq!(load(&*commits, &a, 1).await.published, kept, "after a save of {saved}");
    }
    let up_and_down = vec![(a.clone(), 9), (b.clone(), 3), (a.clone(), 8), (b.clone(), 5)];
    snapshots.save_published(up_and_down).await.expect("saves");
    assert_eq!(load(&*commits, &a, 1).await.published, 9);
    assert_eq!(load(&*commits, &b, 9).await.published, 5, "it belongs to no fold version");
    snapshots.save_published(vec![]).await.expect("saves nothing");
}

/// Promise 3: of many that save at once, the highest stays.
pub async fn the_highest_published_of_many_at_once_is_kept<W: Stores>() {
    let world: W = with_commits(&["a"]).await;
    let mut running = JoinSet::new();
    for sequence in [3, 10, 1, 7, 9, 2, 8, 4] {
        let snapshots = world.snapshots().await;
        running.spawn(async move {
            snapshots.save_published(vec![(aggregate("a"), sequence)]).await.expect("saves");
        });
    }
    running.join_all().await;
    let kept = load(&*world.commits().await, &aggregate("a"), 1).await.published;
    assert_eq!(kept, 10, "published went back");
}

/// Promise 4: a load behind a save shows it at once; neither touches the other or the commits.
pub async fn what_was_saved_is_loaded_at_once<W: Stores>() {
    let world: W = with_commits(&["a"]).await;
    let a = aggregate("a");
    for revision in 1..=10 {
        let snapshots = world.snapshots().await;
        snapshots.save(vec![snapshot(&a, 1, revision)]).await.expect("saves");
        snapshots.save_published(vec![(a.clone(), revision)]).await.expect("saves");
        let loaded = load(&*world.commits().await, &a, 1).await;
        assert_eq!(loaded.snapshot, Some(snapshot(&a, 1, revision)));
        assert_eq!(loaded.published, revision);
        assert_eq!(loaded.tail.len() as u64, 10 - revision);
    }
}
