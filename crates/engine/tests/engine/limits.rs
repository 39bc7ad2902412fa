//! The limits on what is kept in memory and behind a snapshot.

use ordain_engine::Settings;
use ordain_model::{Outcome, Stored};
use ordain_ports::Load;
use ordain_testkit::Gate;
use ordain_testkit::faulty::{Call, Insert, Publish};

use crate::world::{Wanted, World, add, forgetful, probe, wanted};

/// What the store has of the probe `p`.
async fn stored(world: &World) -> Stored {
    let load = Load { aggregate: probe("p"), fold_version: 1 };
    world.home.commits().load(&[load]).await.unwrap().remove(0)
}

#[tokio::test]
async fn an_aggregate_never_has_more_commits_behind_its_snapshot_than_allowed() {
    let settings = Settings { snapshot_commits: 5, tail_commits_max: 10, ..Settings::default() };
    let world = World::with(1, settings);
    let commands: Vec<_> = (0..100).map(|n| add("p", &format!("r{n}")).expecting(n)).collect();
    world.append(&commands).await;
    let gates: Vec<Gate> = (0..10).map(|_| Gate::shut()).collect();
    for gate in &gates {
        world.commits.plan(Insert::PausedAfter(gate.clone()));
    }
    let working = world.work();
    for gate in gates {
        gate.reached().await;
        let stored = stored(&world).await;
        assert!(stored.tail.len() <= 10, "{} commits behind the snapshot", stored.tail.len());
        gate.open();
    }
    world.check(&["p"]).await;
    let commits = world.history("p").await;
    assert_eq!(commits.len(), 100);
    assert!(commits.iter().all(|commit| commit.outcome == Outcome::Success));
    let sizes: Vec<usize> = world.commits.asked().iter().map(Vec::len).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 100, "each commit is sent once");
    let is_within = |size: &usize| (1..=10).contains(size);
    assert!(sizes.iter().all(is_within), "at most 10 commits on one aggregate: {sizes:?}");
    let stored = stored(&world).await;
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

/// Probes of a thousand bytes each, in a lane that may hold ten thousand and asks for four.
const HEAVY: usize = 40;
const HEAVY_BYTES: usize = 1_000;

fn lean() -> Settings {
    Settings { lane_cache_bytes_max: 10_000, load_aggregates_max: 4, ..Settings::default() }
}

fn heavy(request: &str) -> Vec<Wanted> {
    let body = format!(r#"{{"bytes":{HEAVY_BYTES}}}"#);
    (0..HEAVY).map(|n| wanted(&format!("p{n}"), request, "big", &body)).collect()
}

/// At most four aggregates are loaded at a time, and no more than the limit and those four before
/// something is settled.
fn assert_lean(calls: &[Call]) {
    let mut held = 0;
    for call in calls {
        match call {
            Call::Load { aggregates, bytes } => {
                assert!(*aggregates <= 4, "{aggregates} aggregates at once");
                held += bytes;
                assert!(held <= 10_000 + 4 * 2 * HEAVY_BYTES, "{held} bytes at once: {calls:?}");
            }
            Call::Insert(_) => held = 0,
        }
    }
}

#[tokio::test]
async fn a_cold_lane_loads_and_settles_a_batch_in_parts() {
    let world = World::with(1, lean());
    let working = world.work();
    world.append(&heavy("first")).await;
    world.settled().await;
    working.drain().await;
    let before = world.commits.take_calls();
    assert_lean(&before);
    // All that a batch may take stands in the log before the cold lane begins.
    let commands: Vec<_> = (0..2 * HEAVY)
        .map(|n| {
            let sequence = 1 + (n / HEAVY) as u64;
            add(&format!("p{}", n % HEAVY), &format!("r{sequence}")).expecting(sequence)
        })
        .collect();
    world.append(&commands).await;
    let working = world.work();
    world.settled().await;
    let calls = world.commits.take_calls();
    assert_lean(&calls);
    let loaded: usize =
        calls.iter().map(|call| if let Call::Load { bytes, .. } = call { *bytes } else { 0 }).sum();
    assert!(loaded >= HEAVY * HEAVY_BYTES, "the lane was cold: {loaded} bytes");
    for n in 0..HEAVY {
        let commits = world.history(&format!("p{n}")).await;
        assert_eq!(commits.len(), 3);
        assert!(commits.iter().all(|commit| commit.outcome == Outcome::Success));
    }
    world.check(&["p0", "p7", "p39"]).await;
    working.drain().await;
}

#[tokio::test]
async fn repeats_whose_events_are_not_published_are_loaded_in_parts() {
    let world = World::with(1, lean());
    let crashing = world.work();
    // Some progress, so that the successor begins elsewhere and need not be careful.
    world.append(&[add("q", "before")]).await;
    world.settled().await;
    let gate = Gate::shut();
    world.events.plan(Publish::PausedBefore(gate.clone()));
    world.append(&heavy("first")).await;
    gate.reached().await;
    world.outcome("p39", "first").await;
    crashing.crash().await;
    assert_eq!(world.published().await.len(), 1);
    drop(world.commits.take_calls());
    let successor = world.work();
    world.check(&["p0", "p20", "p39"]).await;
    let calls = world.commits.take_calls();
    assert!(!calls.is_empty(), "the aggregates of unpublished repeats are loaded");
    let is_lean = |call: &Call| !matches!(call, Call::Load { aggregates: 5.., .. });
    assert!(calls.iter().all(is_lean), "{calls:?}");
    assert_eq!(world.published().await.len(), 1 + HEAVY, "each event, and none twice");
    successor.drain().await;
}

/// Repeats of what a lane does not remember come to light only when their insert is refused.
#[tokio::test]
async fn outcomes_are_looked_up_in_parts_wherever_repeats_come_to_light() {
    let settings = Settings { load_aggregates_max: 4, ..forgetful() };
    let world = World::with(1, settings);
    let working = world.work();
    let commands: Vec<_> = (0..20).map(|n| add(&format!("p{n}"), "first")).collect();
    world.append(&commands).await;
    world.settled().await;
    // No repeat: the next batch is decided before anything is looked up.
    world.append(&[add("q", "first")]).await;
    world.settled().await;
    drop(world.outcomes.take_counts());
    let again = (0..20).map(|n| add(&format!("p{n}"), "second"));
    world.append(&commands.iter().cloned().chain(again).collect::<Vec<_>>()).await;
    world.check(&["p0", "p9", "p19", "q"]).await;
    let counts = world.outcomes.take_counts();
    assert!(counts.contains(&4), "{counts:?}");
    assert!(counts.iter().all(|count| *count <= 4), "{counts:?}");
    for n in 0..20 {
        assert_eq!(world.history(&format!("p{n}")).await.len(), 2);
    }
    working.drain().await;
}

#[tokio::test]
async fn the_news_of_stored_snapshots_has_room_in_its_queue() {
    // Every commit makes a snapshot, and a batch is as small as it can be.
    let settings = Settings {
        batch_records_max: 1,
        unfinished_batches_max: 1,
        snapshot_commits: 1,
        tail_commits_max: 1,
        ..Settings::default()
    };
    let world = World::with(1, settings);
    let commands: Vec<_> =
        (0..100).map(|n| add(&format!("p{}", n % 10), &format!("r{n}"))).collect();
    world.append(&commands).await;
    let working = world.work();
    world.check(&["p0", "p9"]).await;
    working.drain().await;
}
