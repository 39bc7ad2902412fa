//! A command that is refused because of the owners, and has an outcome already: a retry gets it.

use std::time::Duration;

use ordain_ports::Heartbeat;
use tokio::time::{Instant, sleep};

use super::builds::of_another_build;
use super::{LONG, beating};
use crate::scripted::{Scripted, deposit, worker};
use crate::{Answered, Refusal, Request, SubmitLimits, Wait};

/// A submitter under which `r` deposits 1 and has its outcome, and which then reads this for a
/// while: so many records that are not done, and these heartbeats.
async fn then(limits: SubmitLimits, (records, beats): (u64, Vec<Heartbeat>)) -> Scripted {
    let scripted = Scripted::start_with(limits).await;
    let answer = scripted.submit(deposit("r", 1), LONG);
    scripted.decide(&scripted.log.appended(1).await);
    assert!(matches!(answer.await.unwrap(), Answered::Decided { replayed: false, .. }));
    scripted.log.ends.send_replace(vec![records; 2]);
    scripted.beats.set(Some(beats));
    beating(&scripted.beats);
    sleep(Duration::from_secs(5)).await;
    scripted
}

/// The same, and nobody works any partition.
async fn without_a_worker(limits: SubmitLimits) -> Scripted {
    then(limits, (0, Vec::new())).await
}

impl Scripted {
    async fn told(&self, request: Request) -> Result<Answered, Refusal> {
        match self.submitter.submit(request, LONG).await {
            Answered::NotAccepted { why, .. } => Err(why),
            answered => Ok(answered),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_of_what_has_an_outcome_gets_it_while_others_are_refused() {
    for (refusal, behind) in [
        (Refusal::NoWorker, (0, Vec::new())),
        (Refusal::Overloaded, (1_000_000, vec![worker("w", 2)])),
        (Refusal::NotAnnounced, (0, vec![worker("w", 2), of_another_build("other")])),
    ] {
        let scripted = then(SubmitLimits::default(), behind).await;
        let again = scripted.told(deposit("r", 1)).await;
        assert!(matches!(again, Ok(Answered::Decided { replayed: true, .. })), "{again:?}");
        assert_eq!(scripted.told(deposit("r", 2)).await, Ok(Answered::KeyReused));
        assert_eq!(scripted.told(deposit("s", 1)).await, Err(refusal));
        assert_eq!(scripted.log.count(), 1, "nothing more was produced");
    }
}

#[tokio::test(start_paused = true)]
async fn who_cannot_be_looked_up_soon_is_refused_as_ever() {
    let scripted = without_a_worker(SubmitLimits::default()).await;
    scripted.outcomes.fail(true);
    let begun = Instant::now();
    assert_eq!(scripted.told(deposit("r", 1)).await, Err(Refusal::NoWorker));
    assert!(begun.elapsed() < Duration::from_millis(10), "{:?}", begun.elapsed());
    scripted.outcomes.hang();
    assert_eq!(scripted.told(deposit("r", 1)).await, Err(Refusal::NoWorker));
    assert!(begun.elapsed() < Duration::from_millis(600), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn nobody_is_looked_up_for_longer_than_he_waits() {
    let scripted = without_a_worker(SubmitLimits::default()).await;
    scripted.outcomes.hang();
    for (number, ms) in [100, 0, 200].into_iter().enumerate() {
        let limit = Duration::from_millis(ms);
        let begun = Instant::now();
        let wait = if number == 2 { Wait::Durable(limit) } else { Wait::Outcome(limit) };
        let answered = scripted.submitter.submit(deposit("r", 1), wait).await;
        assert!(matches!(answered, Answered::NotAccepted { .. }), "{answered:?}");
        assert!(begun.elapsed() < limit + Duration::from_millis(10), "{:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn only_some_of_those_who_are_refused_are_looked_up_and_they_in_one_query() {
    let limits = SubmitLimits { refused_look_up_commands_max: 3, ..SubmitLimits::default() };
    let scripted = without_a_worker(limits).await;
    let before = scripted.outcomes.queries().len();
    let answers: Vec<_> =
        (0..10).map(|n| scripted.submit(deposit(&format!("s{n}"), 1), LONG)).collect();
    for answer in answers {
        let answered = answer.await.unwrap();
        assert!(matches!(answered, Answered::NotAccepted { .. }), "{answered:?}");
    }
    assert_eq!(scripted.outcomes.queries()[before..], [3]);
}

#[tokio::test(start_paused = true)]
async fn what_was_certainly_never_sent_is_not_looked_up() {
    let scripted = without_a_worker(SubmitLimits::default()).await;
    let before = scripted.outcomes.queries().len();
    let fresh = Request { may_be_repeat: false, ..deposit("s", 1) };
    assert_eq!(scripted.told(fresh).await, Err(Refusal::NoWorker));
    assert_eq!(scripted.outcomes.queries().len(), before);
}
