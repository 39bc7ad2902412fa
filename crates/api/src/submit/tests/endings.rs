//! How one caller's wait ends.

use std::time::Duration;

use bytes::Bytes;
use ordain_model::Timestamp;
use ordain_ports::{Answer, Delivered, NotAccepted};

use super::{LONG, is_replay, settle};
use crate::scripted::{HERE, Scripted, deposit};
use crate::{Answered, Invalid, Refusal, SubmitLimits, Wait};

#[tokio::test(start_paused = true)]
async fn a_reply_that_overtakes_the_acknowledgement_is_the_answer() {
    let scripted = Scripted::start().await;
    let answer = scripted.submit(deposit("r", 1), LONG);
    let commit = scripted.decide(&scripted.log.appended(1).await);
    assert_eq!(answer.await.unwrap(), Answered::Decided { commit, replayed: false });
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_comes_while_the_command_is_being_produced_is_the_answer() {
    let scripted = Scripted::start().await;
    let (outcomes, replies) = (scripted.outcomes.clone(), scripted.replies.clone());
    scripted.log.meanwhile(move |command| {
        if let Some(command) = command {
            let commit = outcomes.store(command);
            replies.answer(command, Answer::Commit(commit));
        }
    });
    let answered = scripted.submitter.submit(deposit("r", 1), LONG).await;
    assert!(!is_replay(&answered));
    assert!(scripted.outcomes.queries().is_empty(), "nothing had to be looked up");
}

#[tokio::test(start_paused = true)]
async fn an_outcome_of_an_unknown_delivery_is_the_answer() {
    let scripted = Scripted::start().await;
    let answer = scripted.submit(deposit("r", 1), LONG);
    let command = scripted.log.appended(1).await;
    scripted.log.deliver(1, Delivered::Unknown);
    settle().await;
    assert!(!answer.is_finished(), "an unknown delivery ends no wait");
    scripted.decide(&command);
    assert!(!is_replay(&answer.await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn the_outcome_of_an_earlier_record_is_marked_as_a_replay() {
    let scripted = Scripted::start().await;
    let first = scripted.submit(deposit("r", 1), LONG);
    let commit = scripted.decide(&scripted.log.appended(1).await);
    first.await.unwrap();
    let again = scripted.submit(deposit("r", 1), LONG);
    let command = scripted.log.appended(2).await;
    scripted.decide(&command);
    assert_eq!(again.await.unwrap(), Answered::Decided { commit, replayed: true });
}

#[tokio::test(start_paused = true)]
async fn a_time_out_says_whether_the_command_is_known_to_be_durable() {
    let scripted = Scripted::start().await;
    for (which, delivered, accepted) in
        [(1, Some(HERE), true), (2, Some(Delivered::Unknown), false), (3, None, false)]
    {
        let begun = tokio::time::Instant::now();
        let answer = scripted.submit(deposit(&format!("r{which}"), 1), LONG);
        scripted.log.appended(which).await;
        if let Some(delivered) = delivered {
            scripted.log.deliver(which, delivered);
        }
        let answered = answer.await.unwrap();
        assert!(
            matches!(answered, Answered::TimedOut { accepted: said, .. } if said == accepted),
            "{answered:?}"
        );
        let took = begun.elapsed();
        assert!(took >= Duration::from_secs(5) && took < Duration::from_secs(6), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_log_refuses_is_certainly_not_accepted() {
    let scripted = Scripted::start().await;
    for (why, refusal) in [
        (NotAccepted::Full, Refusal::Busy),
        (NotAccepted::NoSpace, Refusal::NoSpace),
        (NotAccepted::Closed, Refusal::Draining),
    ] {
        scripted.log.refuse(Some(why));
        let answered = scripted.submitter.submit(deposit("r", 1), LONG).await;
        assert!(
            matches!(answered, Answered::NotAccepted { why, .. } if why == refusal),
            "{answered:?}"
        );
    }
    scripted.log.refuse(None);
    let answer = scripted.submit(deposit("r", 1), LONG);
    scripted.decide(&scripted.log.appended(1).await);
    assert!(!is_replay(&answer.await.unwrap()), "a later attempt is produced anew");
}

#[tokio::test(start_paused = true)]
async fn over_the_limit_nothing_is_accepted() {
    let limits = SubmitLimits { in_flight_commands_max: 2, ..SubmitLimits::default() };
    let scripted = Scripted::start_with(limits).await;
    let first = scripted.submit(deposit("r1", 1), LONG);
    scripted.submit(deposit("r2", 1), LONG);
    scripted.log.appended(2).await;
    let third = scripted.submitter.submit(deposit("r3", 1), LONG).await;
    assert!(matches!(third, Answered::NotAccepted { why: Refusal::Busy, .. }), "{third:?}");
    assert_eq!(scripted.log.count(), 2);
    scripted.decide(&scripted.log.appended(1).await);
    first.await.unwrap();
    scripted.submit(deposit("r3", 1), LONG);
    scripted.log.appended(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_takes_nothing_more_and_answers_all() {
    let scripted = Scripted::start().await;
    let answer = scripted.submit(deposit("r1", 1), LONG);
    let command = scripted.log.appended(1).await;
    let submitter = scripted.submitter.clone();
    let drained = tokio::spawn(async move { submitter.drain(Duration::from_secs(3)).await });
    settle().await;
    let late = scripted.submitter.submit(deposit("r2", 1), LONG).await;
    assert!(matches!(late, Answered::NotAccepted { why: Refusal::Draining, .. }), "{late:?}");
    assert!(!drained.is_finished());
    scripted.decide(&command);
    answer.await.unwrap();
    assert!(drained.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_at_its_limit() {
    let scripted = Scripted::start().await;
    scripted.submit(deposit("r1", 1), LONG);
    scripted.log.appended(1).await;
    assert!(!scripted.submitter.drain(Duration::from_secs(1)).await);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_durability_does_not_wait_for_the_decision() {
    let scripted = Scripted::start().await;
    let answer = scripted.submit(deposit("r", 1), Wait::Durable(Duration::from_secs(5)));
    scripted.log.appended(1).await;
    settle().await;
    assert!(!answer.is_finished(), "not before it is durable");
    scripted.log.deliver(1, HERE);
    assert_eq!(answer.await.unwrap(), Answered::Accepted);
}

#[tokio::test(start_paused = true)]
async fn a_command_whose_deadline_has_passed_is_sent_all_the_same() {
    let scripted = Scripted::start().await;
    let deadline = Some(Timestamp::from_nanoseconds(1));
    let answer = scripted.submit(crate::Request { deadline, ..deposit("r", 1) }, LONG);
    let command = scripted.log.appended(1).await;
    assert_eq!(command.deadline, deadline);
    scripted.decide(&command);
    answer.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_invalid_is_never_produced() {
    let scripted = Scripted::start().await;
    let limit = SubmitLimits::default().command_bytes_max;
    let long = format!("{{\"amount\":1{}}}", " ".repeat(limit));
    let with = |body: &'static str| crate::Request { body: Bytes::from(body), ..deposit("r", 1) };
    let malformed = [
        "",
        "{",
        "{\"amount\":1,\"amount\":1}",
        "{\"amount\":18446744073709551616}",
        "{\"a\\u0000\":1}",
        "{\"amount\":\"\\ud800\"}",
        "[[[[1",
        "{\"amount\":1} 2",
    ];
    for body in malformed {
        let answered = scripted.submitter.submit(with(body), LONG).await;
        assert!(
            matches!(answered, Answered::Invalid(Invalid::Malformed(_))),
            "{body}: {answered:?}"
        );
    }
    for body in ["{}", "[]", "{\"amount\":0}", "{\"amount\":1.5}", "{\"amount\":1,\"more\":1}"] {
        let answered = scripted.submitter.submit(with(body), LONG).await;
        assert!(
            matches!(answered, Answered::Invalid(Invalid::Violations(_) | Invalid::Undecodable(_))),
            "{body}: {answered:?}"
        );
    }
    let unknown = crate::Request { command: "burn".parse().unwrap(), ..deposit("r", 1) };
    let large = crate::Request { body: long.into(), ..deposit("r", 1) };
    for (request, invalid) in
        [(unknown, Invalid::UnknownCommand), (large, Invalid::TooLarge { bytes_max: limit })]
    {
        let answered = scripted.submitter.submit(request, LONG).await;
        assert_eq!(answered, Answered::Invalid(invalid));
    }
    assert_eq!(scripted.log.count(), 0);
}
