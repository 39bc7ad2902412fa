//! Events reach the log complete and in order, whatever fails on the way.

use ordain_ports::partition_of;
use ordain_testkit::faulty::{Insert, Publish};
use ordain_testkit::{Gate, until};

use crate::world::{World, add, probe, wanted};

#[tokio::test]
async fn a_publication_that_fails_is_made_again_from_what_is_known() {
    for published in 0..5 {
        let world = World::new().await;
        world.events.plan(Publish::Prefix(published));
        world
            .append(&[wanted("p", "a", "add-many", r#"{"times":3}"#), add("q", "b"), add("p", "c")])
            .await;
        let working = world.work();
        world.check(&["p", "q"]).await;
        assert!(world.events.is_plan_done());
        working.drain().await;
    }
}

#[tokio::test]
async fn a_crash_before_publishing_is_healed_by_the_repeat() {
    let world = World::new().await;
    let gate = Gate::shut();
    world.events.plan(Publish::PausedBefore(gate.clone()));
    world.append(&[add("p", "a"), add("p", "b")]).await;
    let crashing = world.work();
    gate.reached().await;
    crashing.crash().await;
    assert!(world.published().await.is_empty());
    let successor = world.work();
    world.check(&["p"]).await;
    assert_eq!(world.published().await.len(), 2);
    successor.drain().await;
}

#[tokio::test]
async fn a_crash_between_two_events_of_one_command_is_healed() {
    let world = World::new().await;
    world.events.plan(Publish::Prefix(1));
    let gate = Gate::shut();
    world.events.plan(Publish::PausedBefore(gate.clone()));
    world.append(&[wanted("p", "a", "add-many", r#"{"times":3}"#)]).await;
    let crashing = world.work();
    gate.reached().await;
    crashing.crash().await;
    let successor = world.work();
    world.append(&[add("p", "b")]).await;
    world.check(&["p"]).await;
    successor.drain().await;
}

#[tokio::test]
async fn a_command_behind_an_unpublished_commit_publishes_that_first() {
    let world = World::new().await;
    assert_ne!(partition_of(&probe("p"), 3), 0, "it moves");
    // Another lane committed and crashed before it published: its source lies in a partition
    // whose progress is behind it.
    world.append(&[add("p", "a")]).await;
    let gate = Gate::shut();
    world.events.plan(Publish::PausedBefore(gate.clone()));
    let crashing = world.work();
    gate.reached().await;
    crashing.crash().await;
    let world = world.reopen(3).await;
    let working = world.work();
    // The partition that the commit came from is not worked for now.
    let gate = Gate::shut();
    working.control.pause_next(0, gate.clone());
    world.append(&[add("p", "b"), add("p", "a")]).await;
    world.settled_where(|partition| partition != 0).await;
    assert_eq!(sequences(&world, "p").await, [1, 2]);
    gate.open();
    world.check(&["p"]).await;
    working.drain().await;
}

#[tokio::test]
async fn replies_do_not_wait_for_publishing() {
    let world = World::new().await;
    let gate = Gate::shut();
    world.events.plan(Publish::PausedBefore(gate.clone()));
    world.append(&[add("p", "a")]).await;
    let working = world.work();
    gate.reached().await;
    assert_eq!(world.replied().len(), 1);
    world.append(&[add("p", "b")]).await;
    until("the next reply", || async { (world.replied().len() == 2).then_some(()) }).await;
    assert!(world.published().await.is_empty());
    let progress = world.home.command_log().progress().await.unwrap();
    assert_eq!(progress.first().copied().flatten().unwrap_or(0), 0, "nothing is done yet");
    gate.open();
    world.check(&["p"]).await;
    working.drain().await;
}

#[tokio::test]
async fn what_was_published_is_not_published_again_by_a_late_repeat() {
    let world = World::new().await;
    let working = world.work();
    world.append(&[add("p", "a"), add("p", "b")]).await;
    world.settled().await;
    working.drain().await;
    let successor = world.work();
    world.append(&[add("p", "a"), add("p", "b")]).await;
    world.check(&["p"]).await;
    assert_eq!(world.published().await.len(), 2);
    successor.drain().await;
}

/// What was handed to the log of one probe, as sequences in the order of publication.
async fn sequences(world: &World, id: &str) -> Vec<u64> {
    let published = world.published().await;
    let of = published.iter().filter(|seen| seen.aggregate == probe(id));
    of.map(|seen| seen.event.sequence).collect()
}

#[tokio::test]
async fn a_conflict_in_the_middle_of_a_batch_keeps_the_order() {
    for at in 1..4 {
        let world = World::new().await;
        world.commits.plan(Insert::ConflictRolledBack(at));
        world.append(&[add("p", "a"), add("q", "b"), add("p", "c"), add("q", "d")]).await;
        let working = world.work();
        world.check(&["p", "q"]).await;
        for id in ["p", "q"] {
            assert_eq!(sequences(&world, id).await, [1, 2], "{id}, conflict at {at}");
        }
        working.drain().await;
    }
}

#[tokio::test]
async fn an_unknown_insert_in_the_middle_of_a_batch_publishes_each_event_once() {
    for stored in 0..=4 {
        let world = World::new().await;
        world.commits.plan(Insert::Prefix { stored, reported: stored / 2 });
        world.append(&[add("p", "a"), add("p", "b"), add("p", "c"), add("p", "d")]).await;
        let working = world.work();
        world.check(&["p"]).await;
        assert_eq!(sequences(&world, "p").await, [1, 2, 3, 4], "{stored} stored");
        working.drain().await;
    }
}
