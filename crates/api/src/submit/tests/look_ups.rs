//! Outcomes that no reply brought.

use std::time::Duration;

use ordain_ports::Answer;
use tokio::time::Instant;

use super::{LONG, is_replay, settle};
use crate::scripted::{Scripted, deposit};
use crate::{Answered, SubmitLimits, Wait};

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_made_good_by_the_first_look_up() {
    let scripted = Scripted::start().await;
    let begun = Instant::now();
    let answer = scripted.submit(deposit("r", 1), LONG);
    scripted.outcomes.store(&scripted.log.appended(1).await);
    assert!(!is_replay(&answer.await.unwrap()));
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(200) && took <= Duration::from_millis(260), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn all_that_are_due_are_asked_for_in_one_query_and_ever_less_often() {
    let scripted = Scripted::start().await;
    let wait = Wait::Outcome(Duration::from_millis(4_500));
    let answers: Vec<_> =
        (0..40).map(|n| scripted.submit(deposit(&format!("r{n}"), 1), wait)).collect();
    for answer in answers {
        answer.await.unwrap();
    }
    let queries = scripted.outcomes.queries();
    assert!(queries.iter().all(|ids| *ids == 40), "{queries:?}");
    // After 200, 600, 1,400 and 3,000 ms, and at the end of the wait.
    assert_eq!(queries.len(), 5, "{queries:?}");
}

#[tokio::test(start_paused = true)]
async fn a_query_has_a_limit() {
    let limits = SubmitLimits { look_up_commands_max: 3, ..SubmitLimits::default() };
    let scripted = Scripted::start_with(limits).await;
    for n in 0..7 {
        scripted.submit(deposit(&format!("r{n}"), 1), LONG);
    }
    scripted.log.appended(7).await;
    scripted.replies.lost();
    settle().await;
    assert_eq!(scripted.outcomes.queries(), [3, 3, 1]);
}

#[tokio::test(start_paused = true)]
async fn all_outcomes_are_looked_up_at_once_after_replies_may_have_been_lost() {
    let scripted = Scripted::start().await;
    let begun = Instant::now();
    let mut answers = Vec::new();
    for n in 1..=3 {
        answers.push(scripted.submit(deposit(&format!("r{n}"), 1), LONG));
        scripted.outcomes.store(&scripted.log.appended(n).await);
    }
    scripted.replies.lost();
    for answer in answers {
        assert!(!is_replay(&answer.await.unwrap()));
    }
    assert_eq!((scripted.outcomes.queries(), begun.elapsed()), (vec![3], Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn an_answer_too_large_for_a_reply_is_looked_up_at_once() {
    let scripted = Scripted::start().await;
    let begun = Instant::now();
    let answer = scripted.submit(deposit("r", 1), LONG);
    let command = scripted.log.appended(1).await;
    scripted.outcomes.store(&command);
    scripted.replies.answer(&command, Answer::LookUp);
    assert!(!is_replay(&answer.await.unwrap()));
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_outcome_found_under_another_fingerprint_means_that_the_key_was_reused() {
    let scripted = Scripted::start().await;
    let first = scripted.submit(deposit("r", 1), LONG);
    scripted.outcomes.store(&scripted.log.appended(1).await);
    first.await.unwrap();
    let other = scripted.submit(deposit("r", 2), LONG);
    assert_eq!(other.await.unwrap(), Answered::KeyReused);
}

#[tokio::test(start_paused = true)]
async fn the_outcome_is_looked_up_once_more_before_giving_up() {
    let limits = SubmitLimits { look_up_first_ms: 60_000, ..SubmitLimits::default() };
    let scripted = Scripted::start_with(limits).await;
    let wait = Wait::Outcome(Duration::from_millis(100));
    let answer = scripted.submit(deposit("r", 1), wait);
    scripted.outcomes.store(&scripted.log.appended(1).await);
    assert!(!is_replay(&answer.await.unwrap()));
    assert_eq!(scripted.outcomes.queries(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_changes_nothing_and_is_asked_again() {
    let scripted = Scripted::start().await;
    scripted.outcomes.fail(true);
    let answer = scripted.submit(deposit("r", 1), LONG);
    scripted.outcomes.store(&scripted.log.appended(1).await);
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(!answer.is_finished());
    scripted.outcomes.fail(false);
    assert!(!is_replay(&answer.await.unwrap()));
}
