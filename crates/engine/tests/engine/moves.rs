//! Lanes that move: revoked, fenced, crashed, paused, and two at one aggregate.

use std::sync::Arc;

use ordain_model::Outcome;
use ordain_ports::{Action, Answer, partition_of};
use ordain_testkit::faulty::{Insert, Save};
use ordain_testkit::{Gate, until};

use crate::world::{World, add, forgetful, probe};

#[tokio::test]
async fn a_worker_that_comes_back_from_a_pause_before_its_insert_changes_nothing() {
    let world = World::impatient();
    let gate = Gate::shut();
    world.commits.plan(Insert::PausedBefore(gate.clone()));
    world.append(&[add("p", "a"), add("p", "b")]).await;
    let zombie = world.work();
    gate.reached().await;
    // The partition moves while the worker stands before its insert, for longer than it may.
    // What its successor decides, it decides at another time.
    world.clock.advance_ms(10);
    let successor = world.work_without_faults();
    zombie.leave();
    until("the successor to decide", || world.find("p", "b")).await;
    let before = world.history("p").await;
    gate.open();
    zombie.left().await;
    world.check(&["p"]).await;
    assert_eq!(world.history("p").await, before);
    for reply in world.replied() {
        let commit = world.find("p", reply.request.as_str()).await.unwrap();
        assert_eq!(reply.answer, Answer::Commit(commit), "nobody is told what is not stored");
    }
    let saved = world.home.command_log().progress().await.unwrap();
    assert_eq!(saved, [Some(2)], "the successor's");
    successor.drain().await;
}

#[tokio::test]
async fn a_crash_after_the_insert_loses_no_event_and_repeats_no_effect() {
    let world = World::new().await;
    let gate = Gate::shut();
    world.commits.plan(Insert::PausedAfter(gate.clone()));
    world.append(&[add("p", "a"), add("p", "b")]).await;
    let crashing = world.work();
    gate.reached().await;
    crashing.crash().await;
    assert_eq!(world.history("p").await.len(), 2);
    let successor = world.work();
    world.check(&["p"]).await;
    assert_eq!(world.history("p").await.len(), 2);
    let replied = world.replied();
    assert_eq!(replied.len(), 2, "the successor answers what its predecessor could not");
    successor.drain().await;
}

#[tokio::test]
async fn progress_that_is_lost_or_fenced_is_made_again() {
    for fault in [Save::Unavailable, Save::AnswerLost, Save::Fenced] {
        let world = World::new().await;
        let working = world.work();
        working.control.plan_save(0, fault.clone());
        world.append(&[add("p", "a"), add("p", "b")]).await;
        world.outcome("p", "b").await;
        if matches!(fault, Save::Fenced) {
            until("the save", || async {
                (!working.control.saves_asked().is_empty()).then_some(())
            })
            .await;
            working.crash().await;
            let successor = world.work();
            world.check(&["p"]).await;
            successor.drain().await;
        } else {
            world.check(&["p"]).await;
            working.drain().await;
        }
        assert_eq!(world.history("p").await.len(), 2, "{fault:?}");
    }
}

#[tokio::test]
async fn a_drained_worker_finishes_what_it_has_taken() {
    let world = World::new().await;
    let gate = Gate::shut();
    world.commits.plan(Insert::PausedBefore(gate.clone()));
    world.append(&[add("p", "a"), add("p", "b")]).await;
    let working = world.work();
    gate.reached().await;
    let drained = tokio::spawn(working.drain());
    gate.open();
    drained.await.unwrap();
    assert!(world.find("p", "b").await.is_some());
    let progress = world.home.command_log().progress().await.unwrap();
    assert_eq!(progress, [Some(2)], "its progress is saved before it leaves");
    assert_eq!(world.replied().len(), 2);
}

#[tokio::test]
async fn a_worker_leaves_while_its_store_does_not_answer() {
    let world = World::new().await;
    for _ in 0..1_000 {
        world.commits.plan(Insert::Unavailable);
    }
    world.append(&[add("p", "a")]).await;
    let working = world.work();
    until("some tries", || async { (world.commits.asked().len() > 2).then_some(()) }).await;
    working.drain().await;
    assert!(world.find("p", "a").await.is_none());
    let successor = world.work_without_faults();
    world.check(&["p"]).await;
    assert_eq!(world.history("p").await.len(), 1);
    successor.drain().await;
}

#[tokio::test]
async fn two_workers_share_the_partitions_and_decide_everything_once() {
    let world = World::with(4, forgetful());
    let ids: Vec<String> = (0..12).map(|n| format!("p{n}")).collect();
    let first = world.work();
    let commands: Vec<_> =
        (0..240).map(|n| add(ids.get(n % 12).unwrap(), &format!("r{n}"))).collect();
    world.append(commands.get(..120).unwrap()).await;
    let second = world.work();
    world.append(commands.get(120..).unwrap()).await;
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    world.check(&ids).await;
    first.drain().await;
    world.append(&commands).await;
    world.check(&ids).await;
    for id in ids {
        assert_eq!(world.history(id).await.len(), 20);
    }
    second.drain().await;
}

#[tokio::test]
async fn raised_partitions_keep_every_promise() {
    let world = World::new().await;
    let ids: Vec<String> = (0..8).map(|n| format!("p{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    assert!(ids.iter().any(|id| partition_of(&probe(id), 4) != 0), "some aggregates move");
    let gate = Gate::shut();
    world.commits.plan(Insert::PausedAfter(gate.clone()));
    let commands: Vec<_> =
        ids.iter().flat_map(|id| [add(id, "a").expecting(0), add(id, "b").expecting(1)]).collect();
    world.append(&commands).await;
    let working = world.work();
    // Committed, but neither published nor saved as progress when the process ends.
    gate.reached().await;
    working.crash().await;
    let world = world.reopen(4).await;
    // In the new partitions stand repeats and new commands for what the old one still holds.
    let more: Vec<_> =
        ids.iter().flat_map(|id| [add(id, "b").expecting(1), add(id, "c").expecting(2)]).collect();
    world.append(&more).await;
    let working = world.work();
    // The new partitions are done before the old one is worked at all.
    let gate = Gate::shut();
    working.control.pause_next(0, gate.clone());
    world.settled_where(|partition| partition != 0).await;
    gate.open();
    world.check(&ids).await;
    for id in ids {
        let commits = world.history(id).await;
        assert_eq!(commits.len(), 3);
        assert!(commits.iter().all(|commit| commit.outcome == Outcome::Success));
    }
    working.drain().await;
}

#[tokio::test]
async fn two_owners_at_once_both_make_progress_or_give_way() {
    let world = Arc::new(World::new().await);
    let rival = Arc::clone(&world);
    // The rival stands for another lane at the same aggregate: it stores commits of its own
    // between the worker's load and its insert.
    let gate = Gate::shut();
    world.commits.plan(Insert::PausedBefore(gate.clone()));
    world.append(&[add("p", "a"), add("p", "b")]).await;
    let working = world.work();
    gate.reached().await;
    let asked = rival.commits.asked();
    let mut foreign = asked.first().unwrap().first().unwrap().as_ref().clone();
    foreign.request = "foreign".parse().unwrap();
    foreign.source.partition = 7;
    let stored = world.home.commits().insert(&[Arc::new(foreign)]).await;
    assert_eq!(stored.stored, 1);
    gate.open();
    world.check(&["p"]).await;
    let requests: Vec<_> =
        world.history("p").await.iter().map(|commit| commit.request.to_string()).collect();
    assert_eq!(requests, ["foreign", "a", "b"]);
    working.drain().await;
}

#[tokio::test]
async fn a_feed_that_does_not_answer_is_asked_again() {
    let world = World::new().await;
    let working = world.work();
    world.append(&[add("p", "a")]).await;
    world.settled().await;
    for action in [Action::TryAgain, Action::CallPerson, Action::TryAgain] {
        working.control.plan_lane(action);
    }
    // The lane ends, so that the member asks for the next one.
    assert!(working.control.fence(0));
    until("the errors", || async { working.control.is_lane_plan_done().then_some(()) }).await;
    world.append(&[add("p", "b")]).await;
    world.check(&["p"]).await;
    assert_eq!(world.history("p").await.len(), 2);
    working.drain().await;
}

#[tokio::test]
async fn a_feed_that_failed_for_good_ends_the_worker() {
    let world = World::new().await;
    for action in [Action::Stop, Action::GiveUp] {
        let working = world.work();
        world.append(&[add("p", "a")]).await;
        world.settled().await;
        working.control.plan_lane(action);
        assert!(working.control.fence(0));
        assert_eq!(working.error().await.action(), action);
    }
}
