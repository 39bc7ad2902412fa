//! Never late: what is not taken up before its deadline is not executed.

use std::sync::Arc;

use ordain_model::{Outcome, Timestamp};
use ordain_ports::{Answer, Clock};
use ordain_testkit::Gate;
use ordain_testkit::clock::Manual;
use ordain_testkit::faulty::{Insert, Read};

use crate::world::{START, World, add};

#[tokio::test]
async fn a_passed_deadline_is_an_outcome_of_its_own() {
    let world = World::new().await;
    world.append(&[add("p", "late").before(START.plus_nanoseconds(-1)), add("p", "r")]).await;
    let working = world.work();
    world.check(&["p"]).await;
    assert_eq!(world.find("p", "late").await.unwrap().outcome, Outcome::Expired);
    assert_eq!(world.find("p", "r").await.unwrap().outcome, Outcome::Success);
    working.drain().await;
}

#[tokio::test]
async fn a_deadline_that_is_not_over_is_met() {
    let world = World::new().await;
    world.append(&[add("p", "r").before(START)]).await;
    let working = world.work();
    assert_eq!(world.outcome("p", "r").await.outcome, Outcome::Success);
    working.drain().await;
}

#[tokio::test]
async fn the_deadline_is_checked_again_before_every_sending() {
    let world = World::new().await;
    let working = world.work();
    world.append(&[add("p", "before")]).await;
    world.settled().await;
    // The first sending is in time and is lost; the deadline passes before the reload.
    let gate = Gate::shut();
    world.commits.plan(Insert::Lost);
    world.commits.plan_read(Read::PausedBefore(gate.clone()));
    world.append(&[add("p", "r").before(START.plus_nanoseconds(1_000_000))]).await;
    gate.reached().await;
    world.clock.advance_ms(10);
    gate.open();
    assert_eq!(world.outcome("p", "r").await.outcome, Outcome::Expired);
    let sent: Vec<Outcome> =
        world.commits.asked().iter().flatten().map(|commit| commit.outcome.clone()).collect();
    assert_eq!(sent, [Outcome::Success, Outcome::Success, Outcome::Expired]);
    world.check(&["p"]).await;
    working.drain().await;
}

#[tokio::test]
async fn a_command_that_waits_behind_another_batch_expires() {
    let world = World::new().await;
    let gate = Gate::shut();
    world.commits.plan(Insert::PausedBefore(gate.clone()));
    let other = world.work();
    // The batch in front holds the lane until the deadline of the one behind is over.
    world.append(&[add("q", "front")]).await;
    gate.reached().await;
    world.append(&[add("p", "r").before(START.plus_nanoseconds(1_000_000))]).await;
    world.clock.advance_ms(10);
    gate.open();
    assert_eq!(world.outcome("p", "r").await.outcome, Outcome::Expired);
    world.check(&["p", "q"]).await;
    other.drain().await;
}

#[tokio::test]
async fn a_repeat_of_what_succeeded_in_time_gets_its_success() {
    let world = World::new().await;
    let working = world.work();
    let deadline = START.plus_nanoseconds(1_000_000);
    world.append(&[add("p", "r").before(deadline)]).await;
    world.outcome("p", "r").await;
    world.clock.advance_ms(10);
    world.append(&[add("p", "r").before(deadline)]).await;
    world.check(&["p"]).await;
    let commits = world.history("p").await;
    let outcomes: Vec<_> = commits.iter().map(|commit| &commit.outcome).collect();
    assert_eq!(outcomes, [&Outcome::Success]);
    let answers: Vec<_> = world.replied().into_iter().map(|reply| reply.answer).collect();
    let success = Answer::Commit(commits.first().unwrap().clone());
    assert_eq!(answers, [success.clone(), success], "both sendings");
    working.drain().await;
}

/// Every look at it takes a millisecond.
struct Ticking(Manual);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        self.0.advance_ms(1);
        self.0.now()
    }
}

#[tokio::test]
async fn a_deadline_that_passes_between_the_decision_and_the_sending_is_kept() {
    const MILLISECOND: i64 = 1_000_000;
    let world = World::new().await;
    // One of these deadlines, the latest first, passes just when the batch has been decided.
    let commands: Vec<_> = (0..50)
        .rev()
        .map(|n| add(&format!("p{n}"), "r").before(START.plus_nanoseconds(n * MILLISECOND)))
        .collect();
    world.append(&commands).await;
    let working = world.work_by(Arc::new(Ticking(world.clock.clone())));
    world.settled().await;
    let mut successes = 0;
    for n in 0..50 {
        let commit = world.find(&format!("p{n}"), "r").await.unwrap();
        if commit.outcome == Outcome::Success {
            successes += 1;
            let looked_at_least = commit.time.plus_nanoseconds(MILLISECOND);
            assert!(looked_at_least <= START.plus_nanoseconds(n * MILLISECOND), "p{n} is late");
        } else {
            assert_eq!(commit.outcome, Outcome::Expired);
        }
    }
    assert!((1..50).contains(&successes), "some are in time and some are late: {successes}");
    working.drain().await;
}
