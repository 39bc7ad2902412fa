//! A record that ends the process is found, and only it is lost.

use ordain_model::{Code, Outcome};
use ordain_ports::Position;
use ordain_testkit::Gate;
use ordain_testkit::faulty::{Insert, Publish, Read, Save};

use crate::world::{World, add};

/// A world in which the process has ended so often while the first record was being decided.
async fn crashed(times: usize) -> World {
    let world = World::new().await;
    world.append(&[add("poison", "bad"), add("p", "after")]).await;
    for _ in 0..times {
        // The "process" ends when the aggregate is loaded to be decided.
        let gate = Gate::shut();
        world.commits.plan_read(Read::PausedBefore(gate.clone()));
        let working = world.work();
        gate.reached().await;
        working.crash().await;
    }
    world
}

#[tokio::test]
async fn a_record_that_ends_the_process_every_time_is_rejected_after_five_starts() {
    let world = crashed(4).await;
    let working = world.work();
    world.check(&["p", "poison"]).await;
    let bad = world.find("poison", "bad").await.unwrap();
    assert_eq!(bad.outcome, Outcome::Rejected(Code::new("RULE_CRASHED")));
    assert_eq!(world.find("p", "after").await.unwrap().outcome, Outcome::Success);
    let letters = world.home.dead_letters().list(None, 10).await.unwrap();
    assert_eq!(letters.first().unwrap().code.as_str(), "RULE_CRASHED");
    working.drain().await;
}

#[tokio::test]
async fn a_record_that_was_only_near_some_crashes_is_not_rejected() {
    let world = crashed(3).await;
    let working = world.work();
    world.check(&["p", "poison"]).await;
    assert_eq!(world.find("poison", "bad").await.unwrap().outcome, Outcome::Success);
    assert_eq!(world.find("p", "after").await.unwrap().outcome, Outcome::Success);
    working.drain().await;
}

#[tokio::test]
async fn marks_of_other_records_do_not_add_up() {
    let world = crashed(3).await;
    let working = world.work();
    world.settled().await;
    working.drain().await;
    // Another record meets as many crashes; the marks of the first are forgotten.
    world.append(&[add("other", "next")]).await;
    for _ in 0..3 {
        let gate = Gate::shut();
        world.commits.plan_read(Read::PausedBefore(gate.clone()));
        let working = world.work();
        gate.reached().await;
        working.crash().await;
    }
    let working = world.work();
    assert_eq!(world.outcome("other", "next").await.outcome, Outcome::Success);
    working.drain().await;
}

#[tokio::test]
async fn a_lane_that_is_lost_is_no_crash_of_the_record_it_was_deciding() {
    let world = crashed(1).await;
    let mut gate = Gate::shut();
    world.commits.plan_read(Read::PausedBefore(gate.clone()));
    let working = world.work();
    for _ in 0..4 {
        gate.reached().await;
        // The partition is taken away while the record is being decided; the process goes on, and
        // is given the partition again.
        assert!(working.control.fence(0));
        world.commits.plan(Insert::Unavailable);
        let next = Gate::shut();
        world.commits.plan_read(Read::PausedBefore(next.clone()));
        gate.open();
        gate = next;
    }
    gate.reached().await;
    gate.open();
    world.check(&["p", "poison"]).await;
    assert_eq!(world.find("poison", "bad").await.unwrap().outcome, Outcome::Success);
    working.drain().await;
}

#[tokio::test]
async fn a_lane_whose_finisher_is_fenced_leaves_no_mark_behind() {
    let world = crashed(1).await;
    let gates = [Gate::shut(), Gate::shut(), Gate::shut()];
    for gate in &gates {
        world.commits.plan_read(Read::PausedBefore(gate.clone()));
    }
    let [first, second, again] = gates;
    let publishing = Gate::shut();
    world.events.plan(Publish::PausedBefore(publishing.clone()));
    let working = world.work();
    first.reached().await;
    working.control.plan_save(0, Save::Fenced);
    first.open();
    // The second record is marked and being loaded when the finisher of the first learns that the
    // partition has moved.
    second.reached().await;
    publishing.open();
    // The member is given the partition again, and looks the first record's aggregate up.
    again.reached().await;
    working.crash().await;
    let position = Position { partition: 0, offset: 1 };
    let marked = world.home.crash_marks().mark(position).await.unwrap();
    assert_eq!(marked, 1, "the lane that was lost left its mark behind");
}
