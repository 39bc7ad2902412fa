//! What a lane remembers of outcomes: what is stored, of whom, so much, and nothing in place of
//! publishing.

use ordain_engine::Settings;
use ordain_model::Outcome;
use ordain_ports::Answer;
use ordain_testkit::faulty::{Insert, Publish, Read};
use ordain_testkit::{Gate, until};

use crate::world::{START, World, add};

#[tokio::test]
async fn a_lane_remembers_the_newest_outcomes_and_no_more_than_it_may() {
    let settings = Settings { lane_outcomes_bytes_max: 4_000, ..Settings::default() };
    let world = World::with(1, settings);
    let working = world.work();
    // One batch each, so that the look-up at the start of the lane is over.
    for n in 0..20 {
        world.append(&[add("p", &format!("r{n}"))]).await;
        world.settled().await;
    }
    drop(world.outcomes.take_counts());
    for n in [19, 18, 19] {
        world.append(&[add("p", &format!("r{n}"))]).await;
        world.settled().await;
    }
    assert_eq!(world.outcomes.take_counts(), Vec::<usize>::new(), "the newest are remembered");
    world.append(&[add("p", "r0")]).await;
    world.check(&["p"]).await;
    assert_eq!(world.outcomes.take_counts(), [1], "the oldest is not");
    assert_eq!(world.history("p").await.len(), 20);
    assert_eq!(world.replied().len(), 24, "every sending is answered");
    working.drain().await;
}

#[tokio::test]
async fn a_request_id_is_remembered_with_its_aggregate() {
    let world = World::new().await;
    let working = world.work();
    world.append(&[add("p", "r")]).await;
    world.settled().await;
    world.append(&[add("q", "r"), add("p", "r")]).await;
    world.check(&["p", "q"]).await;
    assert_eq!(world.history("p").await.len(), 1);
    assert_eq!(world.history("q").await.len(), 1);
    working.drain().await;
}

#[tokio::test]
async fn what_was_decided_and_not_stored_is_not_remembered() {
    let world = World::new().await;
    let working = world.work();
    world.append(&[add("p", "before")]).await;
    world.settled().await;
    // Decided in time, and lost; when it is decided anew, its deadline is over.
    let gate = Gate::shut();
    world.commits.plan(Insert::Lost);
    world.commits.plan_read(Read::PausedBefore(gate.clone()));
    let late = add("p", "r").before(START.plus_nanoseconds(1_000_000));
    world.append(std::slice::from_ref(&late)).await;
    gate.reached().await;
    world.clock.advance_ms(10);
    gate.open();
    world.settled().await;
    world.append(&[late]).await;
    world.check(&["p"]).await;
    let stored = world.find("p", "r").await.unwrap();
    assert_eq!(stored.outcome, Outcome::Expired);
    let replied = world.replied();
    let answers: Vec<_> = replied.iter().filter(|reply| reply.request.as_str() == "r").collect();
    assert_eq!(answers.len(), 2);
    assert!(answers.iter().all(|reply| reply.answer == Answer::Commit(stored.clone())));
    working.drain().await;
}

#[tokio::test]
async fn a_repeat_that_is_remembered_does_not_stand_in_for_publishing() {
    let world = World::new().await;
    let gate = Gate::shut();
    world.events.plan(Publish::PausedBefore(gate.clone()));
    let crashing = world.work();
    world.append(&[add("p", "a")]).await;
    gate.reached().await;
    world.append(&[add("p", "a")]).await;
    until("the second reply", || async { (world.replied().len() == 2).then_some(()) }).await;
    let progress = world.home.command_log().progress().await.unwrap();
    assert_eq!(progress.first().copied().flatten().unwrap_or(0), 0, "nothing is done yet");
    crashing.crash().await;
    assert!(world.published().await.is_empty());
    let successor = world.work();
    world.check(&["p"]).await;
    assert_eq!(world.published().await.len(), 1);
    successor.drain().await;
}
