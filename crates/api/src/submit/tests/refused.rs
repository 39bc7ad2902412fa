//! What is refused for want of a place or of room, and has an outcome already: a retry gets it.

use std::time::Duration;

use ordain_ports::{Delivered, NotAccepted};
use tokio::time::sleep;

use super::{LONG, is_replay};
use crate::scripted::{HERE, Scripted, deposit};
use crate::{Answered, Refusal, SubmitLimits};

/// A submitter under which `r` deposits 1 and has its outcome.
async fn decided(limits: SubmitLimits) -> Scripted {
    let scripted = Scripted::start_with(limits).await;
    let answer = scripted.submit(deposit("r", 1), LONG);
    scripted.decide(&scripted.log.appended(1).await);
    assert!(!is_replay(&answer.await.unwrap()));
    scripted.log.deliver(1, HERE);
    sleep(Duration::from_millis(10)).await;
    scripted
}

impl Scripted {
    /// The retry gets its outcome, another body the news that its name is taken, and what is new is
    /// refused.
    async fn is_retried(&self, refusal: Refusal) {
        assert!(is_replay(&self.submitter.submit(deposit("r", 1), LONG).await));
        let other = self.submitter.submit(deposit("r", 2), LONG).await;
        assert_eq!(other, Answered::KeyReused);
        let new = self.submitter.submit(deposit("new", 1), LONG).await;
        assert!(matches!(new, Answered::NotAccepted { why, .. } if why == refusal), "{new:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_gets_its_outcome_while_the_process_is_busy() {
    let limits = SubmitLimits { in_flight_commands_max: 1, ..SubmitLimits::default() };
    let scripted = decided(limits).await;
    scripted.submit(deposit("first", 1), LONG);
    scripted.log.appended(2).await;
    scripted.is_retried(Refusal::Busy).await;
    assert_eq!(scripted.log.count(), 2, "nothing more was produced");
}

#[tokio::test(start_paused = true)]
async fn a_retry_gets_its_outcome_while_the_log_takes_nothing() {
    let scripted = decided(SubmitLimits::default()).await;
    for (why, refusal) in
        [(NotAccepted::Full, Refusal::Busy), (NotAccepted::NoSpace, Refusal::NoSpace)]
    {
        scripted.log.refuse(Some(why));
        scripted.is_retried(refusal).await;
    }
}

/// A full disk is met on the way to it.
#[tokio::test(start_paused = true)]
async fn a_retry_gets_its_outcome_when_the_log_had_no_room_for_it() {
    let scripted = decided(SubmitLimits::default()).await;
    let again = scripted.submit(deposit("r", 1), LONG);
    scripted.log.appended(2).await;
    scripted.log.deliver(2, Delivered::Not(NotAccepted::NoSpace));
    assert!(is_replay(&again.await.unwrap()));
}

/// Its look-ups would be taken from all others.
#[tokio::test(start_paused = true)]
async fn a_tenant_over_its_share_is_not_looked_up() {
    let limits = SubmitLimits { in_flight_commands_per_tenant_max: 1, ..SubmitLimits::default() };
    let scripted = decided(limits).await;
    scripted.submit(deposit("first", 1), LONG);
    scripted.log.appended(2).await;
    let before = scripted.outcomes.queries().len();
    let again = scripted.submitter.submit(deposit("r", 1), LONG).await;
    let tenant_busy = matches!(again, Answered::NotAccepted { why: Refusal::TenantBusy, .. });
    assert!(tenant_busy, "{again:?}");
    assert_eq!(scripted.outcomes.queries().len(), before);
}
