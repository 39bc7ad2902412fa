//! Inserts whose result is unknown, or that end early: nothing is assumed, everything behind is
//! decided anew.

use ordain_model::{Code, Outcome};
use ordain_testkit::Gate;
use ordain_testkit::faulty::Insert;

use crate::world::{Wanted, World, add, forgetful, wanted};

/// Six commands to two aggregates, each seeing what the ones before leave.
fn six() -> Vec<Wanted> {
    vec![
        add("p", "a").expecting(0),
        add("q", "b").expecting(0),
        add("p", "c").expecting(1),
        add("q", "d").expecting(1),
        add("p", "e").expecting(2),
        add("q", "f").expecting(2),
    ]
}

async fn with(faults: &[Insert]) {
    let world = World::new().await;
    for fault in faults {
        world.commits.plan(fault.clone());
    }
    world.append(&six()).await;
    let working = world.work();
    world.check(&["p", "q"]).await;
    assert!(world.commits.is_plan_done(), "all that was planned has happened");
    for id in ["p", "q"] {
        let commits = world.history(id).await;
        assert_eq!(commits.len(), 3, "{faults:?}");
        let all = commits.iter().all(|commit| commit.outcome == Outcome::Success);
        assert!(all, "each was decided on what the ones before left: {faults:?}");
    }
    assert_eq!(world.replied().len(), 6, "each sending is answered once");
    working.drain().await;
}

#[tokio::test]
async fn an_insert_that_never_arrives_is_sent_again() {
    with(&[Insert::Lost]).await;
    with(&[Insert::Unavailable, Insert::Unavailable, Insert::Lost]).await;
}

#[tokio::test]
async fn an_insert_whose_answer_is_lost_has_happened() {
    with(&[Insert::AnswerLost]).await;
}

#[tokio::test]
async fn a_prefix_is_true_and_the_rest_is_decided_anew() {
    for stored in 0..6 {
        for reported in 0..=stored {
            with(&[Insert::Prefix { stored, reported }]).await;
        }
    }
    let twice = Insert::Prefix { stored: 2, reported: 1 };
    with(&[twice.clone(), twice]).await;
}

#[tokio::test]
async fn a_duplicate_that_is_rolled_back_is_not_waited_for() {
    for at in 0..6 {
        with(&[Insert::RepeatRolledBack(at)]).await;
        with(&[Insert::ConflictRolledBack(at)]).await;
    }
    with(&[Insert::RepeatRolledBack(1), Insert::RepeatRolledBack(0), Insert::Lost]).await;
}

#[tokio::test]
async fn an_insert_that_lands_after_the_reload_does_not_count_twice() {
    let world = World::new().await;
    let gate = Gate::shut();
    world.commits.plan(Insert::Late);
    world.commits.plan(Insert::PausedBefore(gate.clone()));
    world.append(&six()).await;
    let working = world.work();
    gate.reached().await;
    // The sender has looked, found nothing and decided anew; now the first insert arrives.
    assert_eq!(world.commits.land().await.unwrap().stored, 6);
    gate.open();
    world.check(&["p", "q"]).await;
    assert_eq!(world.history("p").await.len() + world.history("q").await.len(), 6);
    working.drain().await;
}

#[tokio::test]
async fn an_insert_that_lands_after_its_repeat_changes_nothing() {
    let world = World::new().await;
    world.commits.plan(Insert::Late);
    world.append(&six()).await;
    let working = world.work();
    world.settled().await;
    let before = (world.history("p").await, world.history("q").await);
    assert_eq!(world.commits.land().await.unwrap().stored, 0);
    assert_eq!((world.history("p").await, world.history("q").await), before);
    world.check(&["p", "q"]).await;
    working.drain().await;
}

#[tokio::test]
async fn what_cannot_be_stored_is_rejected_and_its_neighbours_go_on() {
    let world = World::new().await;
    world.commits.plan(Insert::NotStorable(1));
    world.append(&[add("p", "a"), add("p", "b"), add("p", "c").expecting(1), add("q", "d")]).await;
    let working = world.work();
    world.check(&["p", "q"]).await;
    let not_storable = Outcome::Rejected(Code::new("NOT_STORABLE"));
    assert_eq!(world.find("p", "b").await.unwrap().outcome, not_storable);
    for (id, request) in [("p", "a"), ("p", "c"), ("q", "d")] {
        assert_eq!(world.find(id, request).await.unwrap().outcome, Outcome::Success, "{request}");
    }
    let letters = world.home.dead_letters().list(None, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    let letter = letters.first().unwrap();
    assert_eq!(
        (letter.code.as_str(), letter.data.as_slice()),
        ("NOT_STORABLE", &br#"{"by":1}"#[..])
    );
    working.drain().await;
}

#[tokio::test]
async fn nothing_numbered_on_a_commit_that_did_not_come_true_is_sent() {
    // What is remembered is never sent.
    let world = World::with(1, forgetful());
    let working = world.work();
    world.append(&[add("p", "r")]).await;
    world.settled().await;
    // The repeat in the middle takes no revision: what stood behind it must be numbered anew. They
    // are one batch, because all of them wait behind another.
    let gate = Gate::shut();
    world.commits.plan(Insert::PausedBefore(gate.clone()));
    world.append(&[add("q", "before")]).await;
    gate.reached().await;
    world.append(&[add("p", "a"), add("p", "r"), wanted("p", "b", "refuse", "{}")]).await;
    gate.open();
    world.check(&["p"]).await;
    let revisions: Vec<_> =
        world.history("p").await.iter().map(|c| (c.request.to_string(), c.revision)).collect();
    let expected = [("r", 1), ("a", 2), ("b", 3)].map(|(request, r)| (request.to_owned(), r));
    assert_eq!(revisions, expected);
    let sent: Vec<Vec<_>> = world
        .commits
        .asked()
        .iter()
        .map(|commits| commits.iter().map(|c| (c.request.to_string(), c.revision)).collect())
        .collect();
    let named = |sent: &[(&str, u64)]| -> Vec<_> {
        sent.iter().map(|(request, revision)| ((*request).to_owned(), *revision)).collect()
    };
    let expected = [
        named(&[("r", 1)]),
        named(&[("before", 1)]),
        named(&[("a", 2), ("r", 3), ("b", 4)]),
        named(&[("b", 3)]),
    ];
    assert_eq!(sent, expected);
    working.drain().await;
}
