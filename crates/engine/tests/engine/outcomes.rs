//! What becomes of commands when nothing goes wrong around them.

use ordain_engine::Settings;
use ordain_model::{Code, Outcome};
use ordain_ports::Answer;

use crate::world::{START, World, add, forgetful, wanted};

#[tokio::test]
async fn every_accepted_command_gets_one_outcome_and_its_reply() {
    let world = World::new().await;
    let working = world.work();
    let commands: Vec<_> =
        (0..100).map(|n| add(&format!("p{}", n % 7), &format!("r{n}"))).collect();
    world.append(&commands).await;
    for n in 0..100 {
        let commit = world.outcome(&format!("p{}", n % 7), &format!("r{n}")).await;
        assert_eq!(commit.outcome, Outcome::Success);
    }
    world.check(&["p0", "p1", "p2", "p3", "p4", "p5", "p6"]).await;
    assert_eq!(world.replied().len(), 100);
    for reply in world.replied() {
        let commit = world.find(reply.aggregate.id(), reply.request.as_str()).await.unwrap();
        assert_eq!(reply.answer, Answer::Commit(commit));
        assert_eq!(reply.to.nonce, 7);
    }
    working.drain().await;
}

#[tokio::test]
async fn a_refusal_is_an_outcome_and_stays_one() {
    for settings in [Settings::default(), forgetful()] {
        let world = World::with(1, settings);
        let working = world.work();
        world.append(&[wanted("p", "r", "refuse", "{}"), add("p", "s")]).await;
        let refused = world.outcome("p", "r").await;
        assert_eq!(refused.outcome, Outcome::Fail(Code::new("REFUSED")));
        assert_eq!((refused.revision, refused.sequence), (1, 0));
        world.append(&[wanted("p", "r", "refuse", "{}"), add("p", "r")]).await;
        world.check(&["p"]).await;
        assert_eq!(world.history("p").await.len(), 2);
        assert_eq!(world.find("p", "r").await.unwrap(), refused);
        working.drain().await;
    }
}

#[tokio::test]
async fn a_repeat_is_answered_with_the_stored_outcome_in_the_batch_and_later() {
    for settings in [Settings::default(), forgetful()] {
        let world = World::with(1, settings);
        world
            .append(&[add("p", "r"), add("p", "r"), add("q", "r"), add("p", "s"), add("p", "r")])
            .await;
        let working = world.work();
        world.settled().await;
        world.append(&[add("p", "s"), add("p", "t"), add("p", "r"), add("q", "r")]).await;
        world.check(&["p", "q"]).await;
        assert_eq!(world.history("p").await.len(), 3);
        assert_eq!(world.history("q").await.len(), 1, "at another aggregate it is another command");
        let replied = world.replied();
        assert_eq!(replied.len(), 9, "every sending is answered");
        let first = world.find("p", "r").await.unwrap();
        let is_first = |reply: &&ordain_ports::Reply| {
            reply.aggregate.id() == "p" && reply.request.as_str() == "r"
        };
        for reply in replied.iter().filter(is_first) {
            assert_eq!(reply.answer, Answer::Commit(first.clone()));
        }
        working.drain().await;
    }
}

#[tokio::test]
async fn a_request_id_used_for_another_command_changes_nothing() {
    for settings in [Settings::default(), forgetful()] {
        let world = World::with(1, settings);
        let working = world.work();
        world.append(&[add("p", "r"), wanted("p", "r", "add", r#"{"by":5}"#)]).await;
        world.settled().await;
        world.append(&[wanted("p", "r", "add", r#"{"by":6}"#)]).await;
        world.check(&["p"]).await;
        let commits = world.history("p").await;
        assert_eq!(commits.len(), 1);
        assert_eq!(commits.first().unwrap().fingerprint, add("p", "r").command.fingerprint);
        working.drain().await;
    }
}

#[tokio::test]
async fn an_expected_sequence_is_held_against_what_the_batch_leaves() {
    let world = World::new().await;
    world
        .append(&[
            add("p", "a").expecting(0),
            add("p", "b").expecting(1),
            add("p", "c").expecting(1),
            wanted("p", "d", "refuse", "{}").expecting(2),
            add("p", "e").expecting(2),
        ])
        .await;
    let working = world.work();
    world.check(&["p"]).await;
    let outcomes: Vec<_> =
        world.history("p").await.iter().map(|commit| commit.outcome.clone()).collect();
    let mismatch = Outcome::Fail(Code::SEQUENCE_MISMATCH);
    let refused = Outcome::Fail(Code::new("REFUSED"));
    let success = Outcome::Success;
    assert_eq!(outcomes, [success.clone(), success.clone(), mismatch, refused, success]);
    working.drain().await;
}

#[tokio::test]
async fn a_command_may_be_accepted_though_nothing_happens() {
    let world = World::new().await;
    let working = world.work();
    world.append(&[wanted("p", "r", "nothing", "{}"), add("p", "s")]).await;
    world.check(&["p"]).await;
    let commit = world.find("p", "r").await.unwrap();
    assert_eq!(
        (commit.outcome.clone(), commit.revision, commit.sequence),
        (Outcome::Success, 1, 0)
    );
    working.drain().await;
}

#[tokio::test]
async fn times_grow_though_the_clock_goes_back() {
    let world = World::new().await;
    let working = world.work();
    world.append(&[wanted("p", "a", "add-many", r#"{"times":3}"#)]).await;
    world.outcome("p", "a").await;
    world.clock.set(START.plus_nanoseconds(-3_600_000_000_000));
    world.append(&[add("p", "b")]).await;
    world.check(&["p"]).await;
    let commit = world.find("p", "b").await.unwrap();
    assert_eq!(commit.time, START.plus_nanoseconds(3), "one after the last event");
    working.drain().await;
}
