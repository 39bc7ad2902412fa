//! One bad command stops nobody.

use ordain_engine::Settings;
use ordain_model::{Code, Outcome};
use ordain_ports::{Answer, Delivered};
use ordain_testkit::within;

use crate::world::{World, add, wanted};

/// A bad command between two good ones to its own aggregate and one to another.
async fn rejected(name: &str, data: &str, code: &'static str) {
    let settings =
        Settings { event_bytes_max: 1_000, commit_bytes_max: 1_000, ..Settings::default() };
    let world = World::with(1, settings);
    world
        .append(&[
            add("p", "before"),
            wanted("p", "bad", name, data),
            add("p", "after").expecting(1),
            add("q", "other"),
        ])
        .await;
    let working = world.work();
    world.check(&["p", "q"]).await;
    let bad = world.find("p", "bad").await.unwrap();
    assert_eq!(bad.outcome, Outcome::Rejected(Code::new(code)), "{name}");
    for (id, request) in [("p", "before"), ("p", "after"), ("q", "other")] {
        let commit = world.find(id, request).await.unwrap();
        assert_eq!(commit.outcome, Outcome::Success, "{name}: {request}");
    }
    let letters = world.home.dead_letters().list(None, 10).await.unwrap();
    let named: Vec<_> = letters
        .iter()
        .map(|letter| (letter.id.offset, letter.code.as_str(), letter.data.as_slice()))
        .collect();
    assert_eq!(named, [(1, code, data.as_bytes())]);
    let replied = world.replied();
    let reply = replied.iter().find(|reply| reply.request.as_str() == "bad").unwrap();
    assert_eq!(reply.answer, Answer::Commit(bad), "the caller is told");
    working.drain().await;
}

#[tokio::test]
async fn a_rule_that_panics() {
    rejected("panic", "{}", "RULE_PANICKED").await;
}

#[tokio::test]
async fn an_event_whose_fold_panics() {
    rejected("unfoldable", "{}", "RULE_PANICKED").await;
}

#[tokio::test]
async fn an_event_that_breaks_its_schema() {
    rejected("invalid", "{}", "EVENT_INVALID").await;
}

#[tokio::test]
async fn an_event_that_is_too_large() {
    rejected("big", r#"{"bytes":1000}"#, "EVENT_TOO_LARGE").await;
}

#[tokio::test]
async fn a_commit_that_is_too_large() {
    rejected("add-many", r#"{"times":100}"#, "COMMIT_TOO_LARGE").await;
}

#[tokio::test]
async fn a_body_that_is_not_the_commands() {
    rejected("add", r#"{"by":"many"}"#, "UNPROCESSABLE").await;
}

#[tokio::test]
async fn a_command_that_no_build_ever_announced() {
    rejected("fly", "{}", "UNKNOWN_COMMAND").await;
}

#[tokio::test]
async fn a_record_that_names_nobody_is_only_a_dead_letter() {
    let world = World::new().await;
    world.append(&[add("p", "a")]).await;
    let delivery = world.home.append_raw(0, b"no command at all").unwrap();
    let Delivered::At(position) = within("the delivery", delivery).await else {
        panic!("not delivered")
    };
    world.append(&[add("p", "b")]).await;
    let working = world.work();
    world.check(&["p"]).await;
    assert_eq!(world.history("p").await.len(), 2);
    let letters = world.home.dead_letters().list(None, 10).await.unwrap();
    let letter = letters.first().unwrap();
    assert_eq!((letter.id.offset, letter.code.as_str()), (position.offset, "UNREADABLE"));
    assert!(letter.data.ends_with(b"no command at all"));
    working.drain().await;
}

#[tokio::test]
async fn an_answer_over_the_limit_says_where_to_look() {
    let settings = Settings { reply_bytes_max: 100, ..Settings::default() };
    let world = World::with(1, settings);
    world.append(&[wanted("p", "r", "big", r#"{"bytes":200}"#), add("p", "s")]).await;
    let working = world.work();
    world.check(&["p"]).await;
    let answers: Vec<_> = world.replied().into_iter().map(|reply| reply.answer).collect();
    assert_eq!(answers.first(), Some(&Answer::LookUp));
    assert!(matches!(answers.get(1), Some(Answer::Commit(_))));
    working.drain().await;
}

#[tokio::test]
async fn a_rejection_whose_dead_letter_was_lost_in_a_crash_gets_it_again() {
    let world = World::new().await;
    let gate = ordain_testkit::Gate::shut();
    world.commits.plan(ordain_testkit::faulty::Insert::PausedAfter(gate.clone()));
    world.append(&[wanted("p", "bad", "panic", "{}"), add("p", "good")]).await;
    let crashing = world.work();
    gate.reached().await;
    crashing.crash().await;
    assert!(world.home.dead_letters().list(None, 10).await.unwrap().is_empty());
    let successor = world.work();
    world.check(&["p"]).await;
    let letters = world.home.dead_letters().list(None, 10).await.unwrap();
    assert_eq!(letters.first().map(|letter| letter.code.as_str()), Some("RULE_PANICKED"));
    // A repeat of the rejected command has a record of its own and no letter.
    world.append(&[wanted("p", "bad", "panic", "{}")]).await;
    world.settled().await;
    assert_eq!(world.home.dead_letters().list(None, 10).await.unwrap().len(), 1);
    successor.drain().await;
}
