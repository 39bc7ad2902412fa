//! What several callers of one request id get.

use std::time::Duration;

use ordain_ports::{Delivered, NotAccepted};

use super::{LONG, is_replay, settle};
use crate::scripted::{HERE, Scripted, deposit};
use crate::{Answered, Refusal, Wait};

const SHORT: Wait = Wait::Outcome(Duration::from_secs(1));

#[tokio::test(start_paused = true)]
async fn the_same_command_in_flight_is_produced_once_and_each_waits_as_long_as_it_likes() {
    let scripted = Scripted::start().await;
    let first = scripted.submit(deposit("r", 1), SHORT);
    let command = scripted.log.appended(1).await;
    // The same command, written differently.
    let same = crate::Request { body: "{ \"amount\": 1 }".into(), ..deposit("r", 1) };
    let second = scripted.submit(same, LONG);
    let timed_out = first.await.unwrap();
    assert!(matches!(timed_out, Answered::TimedOut { .. }), "{timed_out:?}");
    assert!(!second.is_finished());
    scripted.decide(&command);
    assert!(is_replay(&second.await.unwrap()), "whoever is attached has produced nothing");
    assert_eq!(scripted.log.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_certain_refusal_goes_to_all_even_when_the_first_has_left() {
    for first_leaves in [false, true] {
        let scripted = Scripted::start().await;
        let first = scripted.submit(deposit("r", 1), LONG);
        scripted.log.appended(1).await;
        let second = scripted.submit(deposit("r", 1), LONG);
        settle().await;
        if first_leaves {
            first.abort();
            settle().await;
        }
        scripted.log.deliver(1, Delivered::Not(NotAccepted::NoSpace));
        for answer in if first_leaves { vec![second] } else { vec![first, second] } {
            let answered = answer.await.unwrap();
            assert!(
                matches!(answered, Answered::NotAccepted { why: Refusal::NoSpace, .. }),
                "{answered:?}"
            );
        }
        scripted.submit(deposit("r", 1), LONG);
        scripted.log.appended(2).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_flight_outlives_whoever_began_it() {
    let scripted = Scripted::start().await;
    let first = scripted.submit(deposit("r", 1), LONG);
    let command = scripted.log.appended(1).await;
    first.abort();
    settle().await;
    let second = scripted.submit(deposit("r", 1), LONG);
    settle().await;
    assert_eq!(scripted.log.count(), 1, "attached, not produced again");
    scripted.log.deliver(1, HERE);
    scripted.decide(&command);
    assert!(is_replay(&second.await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_flight_is_forgotten_once_nobody_waits_and_its_delivery_is_known() {
    for delivered in [HERE, Delivered::Unknown] {
        let scripted = Scripted::start().await;
        let first = scripted.submit(deposit("r", 1), SHORT);
        scripted.log.appended(1).await;
        first.await.unwrap();
        assert!(!scripted.submitter.waiting.is_empty(), "its delivery is not known yet");
        scripted.log.deliver(1, delivered);
        settle().await;
        assert!(scripted.submitter.waiting.is_empty());
        assert!(scripted.submitter.drain(Duration::ZERO).await, "its place is free");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_used_for_another_command_meanwhile_is_refused_by_what_the_worker_decides() {
    let scripted = Scripted::start().await;
    let first = scripted.submit(deposit("r", 1), LONG);
    scripted.log.appended(1).await;
    let other = scripted.submit(deposit("r", 2), LONG);
    let second_command = scripted.log.appended(2).await;
    // The log has the second one first.
    scripted.decide(&second_command);
    assert_eq!(first.await.unwrap(), Answered::KeyReused);
    assert!(!is_replay(&other.await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn every_part_of_the_fingerprint_makes_another_command() {
    let scripted = Scripted::start().await;
    let base = deposit("r", 1);
    let others = [
        crate::Request { expected_sequence: Some(0), ..base.clone() },
        crate::Request { deadline: Some(super::super::Timestamp::default()), ..base.clone() },
        crate::Request { command: "withdraw".parse().unwrap(), ..base.clone() },
        deposit("r", 2),
    ];
    let first = scripted.submit(base, LONG);
    let command = scripted.log.appended(1).await;
    let others: Vec<_> = others.into_iter().map(|request| scripted.submit(request, LONG)).collect();
    scripted.log.appended(1 + others.len()).await;
    scripted.decide(&command);
    assert!(!is_replay(&first.await.unwrap()));
    for other in others {
        assert_eq!(other.await.unwrap(), Answered::KeyReused);
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_request_id_at_another_aggregate_is_another_command() {
    let scripted = Scripted::start().await;
    let first = scripted.submit(deposit("r", 1), LONG);
    let command = scripted.log.appended(1).await;
    let aggregate = "default/account/b".parse().unwrap();
    let other = scripted.submit(crate::Request { aggregate, ..deposit("r", 1) }, LONG);
    let other_command = scripted.log.appended(2).await;
    scripted.decide(&command);
    assert!(!is_replay(&first.await.unwrap()));
    settle().await;
    assert!(!other.is_finished());
    scripted.decide(&other_command);
    assert!(!is_replay(&other.await.unwrap()));
}
