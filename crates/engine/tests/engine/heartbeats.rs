//! What a worker says of itself every second.

use std::sync::atomic::Ordering;

use ordain_engine::Settings;
use ordain_model::{Outcome, Timestamp};
use ordain_ports::{Announced, Heartbeat, LaneBeat};
use ordain_testkit::faulty::Insert;
use ordain_testkit::{Gate, until};

use crate::probe::{HOLDS, MAY_GO};
use crate::world::{START, World, add, wanted};

/// A world whose workers beat often.
fn world(partitions: u32) -> World {
    World::with(partitions, Settings { heartbeat_every_ms: 5, ..Settings::default() })
}

impl World {
    /// What the heartbeats show, once they show it.
    async fn beaten<T>(&self, what: &str, seen: impl Fn(&[Heartbeat]) -> Option<T>) -> T {
        until(what, || async { seen(&self.home.heartbeats().beats().await.unwrap()) }).await
    }

    /// The only lane, once it is as it shall be.
    async fn lane_beats(&self, what: &str, seen: impl Fn(&LaneBeat) -> bool) -> LaneBeat {
        let only = |beats: &[Heartbeat]| {
            let lane = beats.first()?.lanes.first()?;
            seen(lane).then(|| lane.clone())
        };
        self.beaten(what, only).await
    }
}

#[tokio::test]
async fn a_worker_says_which_partitions_it_has_and_what_it_knows() {
    let world = world(3);
    let first = world.work();
    let all = |beats: &[Heartbeat]| {
        beats.first().filter(|beat| beat.lanes.len() == 3 && beat.beat > 3).cloned()
    };
    let beat = world.beaten("all lanes", all).await;
    let mut partitions: Vec<u32> = beat.lanes.iter().map(|lane| lane.partition).collect();
    partitions.sort_unstable();
    assert_eq!(partitions, [0, 1, 2]);
    assert_eq!((beat.role.as_str(), beat.started, &beat.last_error), ("worker", START, &None));
    let is_add = |one: &Announced| one.aggregate_type == "probe" && one.command == "add";
    assert!(beat.announced.iter().any(is_add), "{:?}", beat.announced);
    let second = world.work();
    let shared = |beats: &[Heartbeat]| {
        let lanes: usize = beats.iter().map(|beat| beat.lanes.len()).sum();
        let has_some = beats.iter().all(|beat| !beat.lanes.is_empty());
        (beats.len() == 2 && lanes == 3 && has_some).then_some(())
    };
    world.beaten("both members with their share", shared).await;
    first.drain().await;
    world.beaten("the other with all", |beats| all(beats).filter(|_| beats.len() == 1)).await;
    second.drain().await;
    assert_eq!(world.home.heartbeats().beats().await.unwrap(), [], "nobody is left");
}

#[tokio::test]
async fn a_worker_that_crashed_beats_no_more_and_does_not_leave() {
    let world = world(1);
    let working = world.work();
    world.beaten("a beat", |beats| beats.first().map(|_| ())).await;
    working.crash().await;
    let last = world.home.heartbeats().beats().await.unwrap();
    assert_eq!(last.len(), 1);
    let successor = world.work();
    let moved = |beats: &[Heartbeat]| {
        let other = beats.iter().find(|beat| beat.member != last[0].member)?;
        (other.beat > 5).then_some(())
    };
    world.beaten("the successor", moved).await;
    assert!(world.home.heartbeats().beats().await.unwrap().contains(&last[0]), "it stands still");
    successor.drain().await;
}

#[tokio::test]
async fn a_lane_says_how_far_it_is_what_it_can_and_how_long_its_oldest_record_waits() {
    let world = world(1);
    let gate = Gate::shut();
    world.append(&[add("p", "a"), add("p", "b")]).await;
    world.commits.plan(Insert::PausedBefore(gate.clone()));
    let working = world.work();
    gate.reached().await;
    // The log stamps records by the clock of the machine, which may be behind that of the world.
    world.clock.set(Timestamp::from_nanoseconds(4_000_000_000_000_000_000));
    let is_told = |lane: &LaneBeat| lane.oldest_wait_ms > 1_000_000_000_000;
    let before = world.lane_beats("a wait", is_told).await.oldest_wait_ms;
    world.clock.advance_ms(7_000);
    let waits = world.lane_beats("a wait", |lane| lane.oldest_wait_ms == before + 7_000).await;
    assert_eq!((waits.progress, waits.capacity_per_second), (None, None), "nothing is handled");
    gate.open();
    let done = world.lane_beats("progress", |lane| {
        lane.progress == Some(2) && lane.capacity_per_second.is_some()
    });
    let done = done.await;
    assert_eq!((done.oldest_wait_ms, done.stopped), (0, None));
    assert!(done.capacity_per_second.unwrap() > 0.0);
    working.drain().await;
}

#[tokio::test]
async fn a_lane_that_stands_still_and_an_error_are_said() {
    let world = world(1);
    let unknown = wanted("p", "b", "never-built-here", "{}");
    let announced = Announced {
        aggregate_type: "probe".to_owned(),
        command: "never-built-here".to_owned(),
        schema: unknown.command.schema,
    };
    world.home.announcements().announce(vec![announced]).await.unwrap();
    world.commits.plan(Insert::Unavailable);
    world.append(&[add("p", "a"), unknown]).await;
    let working = world.work();
    let stopped = world.lane_beats("the stop", |lane| lane.stopped.is_some()).await;
    let why = stopped.stopped.unwrap();
    assert!(why.contains("another build"), "{why}");
    let error = |beats: &[Heartbeat]| beats.first()?.last_error.clone();
    let error = world.beaten("the error", error).await;
    assert!(error.contains("partition 0: insert: "), "{error}");
    working.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_worker_beats_while_its_rules_take_long() {
    let world = world(1);
    world
        .append(&[wanted("p", "a", "sleep", r#"{"ms":20}"#), wanted("p", "b", "hold", "{}")])
        .await;
    let working = world.work();
    until("a rule that holds its thread", || async { HOLDS.load(Ordering::SeqCst).then_some(()) })
        .await;
    let counted = |beats: &[Heartbeat]| beats.first().map(|beat| beat.beat);
    let before = world.beaten("a beat", counted).await;
    // More than may have been on its way.
    world.beaten("more", |beats| counted(beats).filter(|beat| *beat > before + 3)).await;
    MAY_GO.store(true, Ordering::SeqCst);
    // Where the rule kept the only thread to itself, no limit but its own has ended that.
    assert_eq!(world.outcome("p", "b").await.outcome, Outcome::Success);
    working.drain().await;
}
