//! The limits on what is kept in memory and behind a snapshot.

use ordain_engine::Settings;
use ordain_model::Outcome;
use ordain_ports::Load;

use crate::world::{World, add, probe};

#[tokio::test]
async fn an_aggregate_never_has_more_commits_behind_its_snapshot_than_allowed() {
    let settings = Settings { snapshot_commits: 5, tail_commits_max: 10, ..Settings::default() };
    let world = World::with(1, settings);
    let commands: Vec<_> = (0..100).map(|n| add("p", &format!("r{n}")).expecting(n)).collect();
    world.append(&commands).await;
    let working = world.work();
    world.check(&["p"]).await;
    let commits = world.history("p").await;
    assert_eq!(commits.len(), 100);
    assert!(commits.iter().all(|commit| commit.outcome == Outcome::Success));
    let sizes: Vec<usize> = world.commits.asked().iter().map(Vec::len).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 100, "each commit is sent once");
    let is_within = |size: &usize| (1..=10).contains(size);
    assert!(sizes.iter().all(is_within), "at most 10 commits on one aggregate: {sizes:?}");
    let load = Load { aggregate: probe("p"), fold_version: 1 };
    let stored = world.home.commits().load(&[load]).await.unwrap().remove(0);
    assert!(stored.tail.len() <= 10, "{} commits behind the snapshot", stored.tail.len());
    assert_eq!(stored.published, stored.snapshot.unwrap().sequence);
    working.drain().await;
}

#[tokio::test]
async fn an_aggregate_that_left_memory_is_loaded_again() {
    let settings = Settings { lane_cache_bytes_max: 2_000, ..Settings::default() };
    let world = World::with(1, settings);
    let working = world.work();
    for round in 0..3 {
        let commands: Vec<_> =
            (0..50).map(|n| add(&format!("p{n}"), &format!("r{round}")).expecting(round)).collect();
        world.append(&commands).await;
        world.settled().await;
    }
    for n in 0..50 {
        let commits = world.history(&format!("p{n}")).await;
        assert_eq!(commits.len(), 3);
        assert!(commits.iter().all(|commit| commit.outcome == Outcome::Success));
    }
    world.check(&["p0", "p49"]).await;
    working.drain().await;
}

#[tokio::test]
async fn a_snapshot_is_only_where_to_begin() {
    let settings = Settings { snapshot_commits: 3, ..Settings::default() };
    let world = World::with(1, settings);
    let working = world.work();
    let commands: Vec<_> = (0..7).map(|n| add("p", &format!("r{n}")).expecting(n)).collect();
    world.append(&commands).await;
    world.settled().await;
    working.drain().await;
    let successor = world.work();
    world.append(&[add("p", "next").expecting(7)]).await;
    assert_eq!(world.outcome("p", "next").await.outcome, Outcome::Success);
    world.check(&["p"]).await;
    successor.drain().await;
}
