//! Who is refused because of the owners of partitions, and who is not.

mod builds;
mod retries;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ordain_ports::{Clock as _, Heartbeat};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep};

use crate::scripted::{Beats, Scripted, StoppedClock, deposit, worker};
use crate::{Answered, Refusal, Request, SubmitLimits, Wait};

const LONG: Wait = Wait::Outcome(Duration::from_secs(5));

/// Every member beats each second, as long as the handle is not aborted.
fn beating(beats: &Arc<Beats>) -> JoinHandle<()> {
    let beats = Arc::clone(beats);
    tokio::spawn(async move {
        loop {
            sleep(Duration::from_secs(1)).await;
            beats.go_on();
        }
    })
}

/// A submitter that has read that heartbeat and that so many records are not done in both
/// partitions.
async fn behind(records: u64, heartbeat: Heartbeat) -> Scripted {
    let scripted = Scripted::start().await;
    scripted.log.ends.send_replace(vec![records; 2]);
    scripted.beats.set(Some(vec![heartbeat]));
    beating(&scripted.beats);
    sleep(Duration::from_millis(1_001)).await;
    scripted
}

impl Scripted {
    /// Why the command is refused, and when to try again; `None` when it is produced.
    async fn refused(&self, request: Request, wait: Wait) -> Option<(Refusal, Duration)> {
        let before = self.log.count();
        let mut answer = self.submit(request, wait);
        let refused = tokio::time::timeout(Duration::from_millis(1), &mut answer).await;
        match refused {
            Ok(Ok(Answered::NotAccepted { why, retry_after })) => {
                assert_eq!(self.log.count(), before, "refused and still produced");
                Some((why, retry_after))
            }
            Ok(other) => panic!("{other:?}"),
            Err(_) => {
                assert_eq!(self.log.count(), before + 1);
                None
            }
        }
    }

    async fn why(&self, request: &str) -> Option<Refusal> {
        self.refused(deposit(request, 1), LONG).await.map(|(why, _)| why)
    }
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_stands_still_for_three_seconds_is_missing_until_it_moves() {
    let scripted = Scripted::start().await;
    scripted.beats.set(Some(vec![worker("w", 2)]));
    sleep(Duration::from_millis(2_900)).await;
    assert_eq!(scripted.why("a").await, None);
    sleep(Duration::from_millis(200)).await;
    let (why, retry_after) = scripted.refused(deposit("b", 1), LONG).await.unwrap();
    assert_eq!(why, Refusal::NoWorker);
    assert!((1..=5).contains(&retry_after.as_secs()), "{retry_after:?}");
    scripted.beats.go_on();
    sleep(Duration::from_millis(300)).await;
    assert_eq!(scripted.why("c").await, None);
}

#[tokio::test(start_paused = true)]
async fn without_any_worker_nothing_is_taken_after_three_seconds() {
    let scripted = Scripted::start().await;
    scripted.beats.set(Some(Vec::new()));
    sleep(Duration::from_millis(2_900)).await;
    assert_eq!(scripted.why("a").await, None);
    sleep(Duration::from_millis(300)).await;
    assert_eq!(scripted.why("b").await, Some(Refusal::NoWorker));
    let durable = Wait::Durable(Duration::from_secs(5));
    let refused = scripted.refused(deposit("c", 1), durable).await;
    assert_eq!(refused.map(|(why, _)| why), Some(Refusal::NoWorker));
    // Another owner takes over.
    scripted.beats.set(Some(vec![worker("new", 2)]));
    sleep(Duration::from_millis(300)).await;
    assert_eq!(scripted.why("d").await, None);
}

#[tokio::test(start_paused = true)]
async fn heartbeats_that_cannot_be_read_never_refuse() {
    let scripted = Scripted::start().await;
    scripted.log.ends.send_replace(vec![1_000_000; 2]);
    sleep(Duration::from_secs(100)).await;
    assert_eq!(scripted.why("a").await, None, "nothing was ever read");
    scripted.log.ends.send_replace(vec![0; 2]);
    for round in 0..10 {
        // Nobody has them, or somebody who stands still.
        scripted.beats.set(Some(vec![worker("w", round % 2 * 2)]));
        sleep(Duration::from_millis(2_500)).await;
        assert_eq!(scripted.why(&format!("r{round}")).await, None);
        // One read that fails, and the watch begins anew.
        scripted.beats.set(None);
        sleep(Duration::from_millis(1_001)).await;
        assert_eq!(scripted.why(&format!("f{round}")).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_member_had_is_its_successors() {
    let scripted = Scripted::start().await;
    let (dead, mut heir) = (worker("dead", 2), worker("heir", 2));
    scripted.beats.set(Some(vec![dead.clone(), heir.clone()]));
    for _ in 0..10 {
        sleep(Duration::from_secs(1)).await;
        heir.beat += 1;
        scripted.beats.set(Some(vec![dead.clone(), heir.clone()]));
    }
    assert_eq!(scripted.why("a").await, None);
    let table = scripted.submitter.owners().table();
    assert!(table.partitions.iter().all(|one| one.owner.as_ref().unwrap().0 == "heir"));
    let alive: BTreeMap<_, _> =
        table.members.iter().map(|one| (one.heartbeat.member.as_str(), one.is_alive)).collect();
    assert_eq!(alive, BTreeMap::from([("dead", false), ("heir", true)]));
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_was_added_has_longer_to_get_its_first_owner() {
    let scripted = behind(0, worker("w", 2)).await;
    scripted.log.ends.send_replace(vec![0; 64]);
    sleep(Duration::from_secs(8)).await;
    let to = |id: String| Request { aggregate: crate::staged::account(&id), ..deposit("r", 1) };
    for id in 0..64 {
        assert_eq!(scripted.refused(to(format!("a{id}")), LONG).await, None);
    }
    sleep(Duration::from_secs(12)).await;
    let mut refused = 0;
    for id in 0..64 {
        refused += usize::from(scripted.refused(to(format!("b{id}")), LONG).await.is_some());
    }
    assert!(refused > 32, "{refused} of 64");
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_waits_for_a_person_takes_nothing() {
    let mut heartbeat = worker("w", 2);
    heartbeat.lanes.iter_mut().for_each(|lane| lane.stopped = Some("a person".to_owned()));
    let scripted = behind(0, heartbeat).await;
    assert_eq!(scripted.why("a").await, Some(Refusal::NoWorker));
}

#[tokio::test(start_paused = true)]
async fn who_would_wait_for_longer_than_he_waits_is_refused() {
    let scripted = behind(1_000, worker("w", 2)).await;
    let outcome = |seconds| Wait::Outcome(Duration::from_secs(seconds));
    let (why, retry_after) = scripted.refused(deposit("a", 1), outcome(9)).await.unwrap();
    assert_eq!(why, Refusal::Overloaded);
    assert!((7..=12).contains(&retry_after.as_secs()), "1,000 at 100/s: {retry_after:?}");
    assert_eq!(scripted.refused(deposit("b", 1), outcome(12)).await, None);
    let durable = Wait::Durable(Duration::from_secs(5));
    assert_eq!(scripted.refused(deposit("c", 1), durable).await, None, "nobody waits");
    let at = |seconds: i64| {
        let deadline = StoppedClock.now().plus_nanoseconds(seconds * 1_000_000_000);
        Request { deadline: Some(deadline), ..deposit(&format!("d{seconds}"), 1) }
    };
    for wait in [outcome(60), durable] {
        let refused = scripted.refused(at(8), wait).await;
        assert_eq!(refused.map(|(why, _)| why), Some(Refusal::Overloaded));
    }
    assert_eq!(scripted.refused(at(-8), outcome(60)).await, None, "it may have succeeded before");
    scripted.log.progress.send_replace(vec![Some(1_000); 2]);
    sleep(Duration::from_millis(1_001)).await;
    assert_eq!(scripted.refused(deposit("e", 1), outcome(1)).await, None, "all is done");
    scripted.log.ends.send_replace(vec![4_100; 2]);
    sleep(Duration::from_millis(1_001)).await;
    let refused = scripted.refused(deposit("f", 1), durable).await;
    assert_eq!(refused.map(|(why, _)| why), Some(Refusal::Overloaded), "over lag_ms_max");
}

#[tokio::test(start_paused = true)]
async fn a_small_lag_and_one_whose_pace_is_not_known_never_refuse() {
    let mut slow = worker("w", 2);
    slow.lanes.iter_mut().for_each(|lane| lane.capacity_per_second = Some(0.01));
    let scripted = behind(98, slow.clone()).await;
    assert_eq!(scripted.why("a").await, None);
    let scripted = behind(100, slow.clone()).await;
    assert_eq!(scripted.why("a").await, Some(Refusal::Overloaded));
    slow.lanes.iter_mut().for_each(|lane| lane.capacity_per_second = None);
    let scripted = behind(1_000_000, slow).await;
    assert_eq!(scripted.why("a").await, None);
}

#[tokio::test(start_paused = true)]
async fn what_is_in_flight_is_attached_to_however_much_is_behind() {
    let scripted = behind(0, worker("w", 2)).await;
    let first = scripted.submit(deposit("a", 1), LONG);
    let command = scripted.log.appended(1).await;
    scripted.log.ends.send_replace(vec![9_000; 2]);
    sleep(Duration::from_millis(1_001)).await;
    let again = scripted.submit(deposit("a", 1), LONG);
    assert_eq!(scripted.why("b").await, Some(Refusal::Overloaded));
    scripted.decide(&command);
    for answer in [first, again] {
        assert!(matches!(answer.await.unwrap(), Answered::Decided { .. }));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_since_the_last_read_counts() {
    let scripted = behind(0, worker("w", 2)).await;
    let begun = Instant::now();
    let answers: Vec<_> =
        (0..700).map(|n| scripted.submit(deposit(&format!("r{n}"), 1), LONG)).collect();
    scripted.log.appended(440).await;
    let mut refused = 0;
    for answer in answers {
        match answer.await.unwrap() {
            Answered::NotAccepted { why: Refusal::Overloaded, .. } => refused += 1,
            other => assert!(matches!(other, Answered::TimedOut { .. }), "{other:?}"),
        }
    }
    assert!((240..=260).contains(&refused), "4.5 s at 100/s, of 700: {refused}");
    assert!(begun.elapsed() < Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn what_was_answered_since_the_last_read_counts_no_more() {
    let mut slow = worker("w", 2);
    slow.lanes.iter_mut().for_each(|lane| lane.capacity_per_second = Some(10.0));
    let scripted = behind(0, slow).await;
    for n in 1..=700 {
        let answer = scripted.submit(deposit(&format!("r{n}"), 1), LONG);
        scripted.decide(&scripted.log.appended(n).await);
        let answered = answer.await.unwrap();
        assert!(matches!(answered, Answered::Decided { .. }), "{n}: {answered:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_told_to_come_back_is_told_another_time_than_the_next() {
    let scripted = behind(1_000, worker("w", 2)).await;
    let mut told = Vec::new();
    for n in 0..10_000 {
        let refused = scripted.submitter.submit(deposit(&format!("r{n}"), 1), LONG).await;
        let Answered::NotAccepted { retry_after, .. } = refused else { panic!("{refused:?}") };
        told.push(retry_after.as_secs_f64());
    }
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let (first, later) = (mean(&told[..100]), mean(&told[2_000..2_100]));
    assert!((10.0..12.0).contains(&first), "{first}");
    assert!((29.0..32.0).contains(&later), "20 s behind them: {later}");
    let last = told.iter().copied().fold(0.0, f64::max);
    assert!(last > 60.0 && last <= 72.0, "retry_after_ms_max, about: {last}");
}

/// A worker that handles 100 commands a second, and says so; the backlog it saw at most.
fn handling(scripted: Scripted) -> JoinHandle<usize> {
    let log = Arc::clone(&scripted.log);
    let ends = Arc::clone(&log);
    log.meanwhile(move |command| {
        if command.is_some() {
            ends.ends.send_modify(|ends| ends.iter_mut().for_each(|end| *end += 1));
        }
    });
    tokio::spawn(async move {
        let mut most = 0;
        for done in 1..=1_500_usize {
            let command = scripted.log.appended(done).await;
            sleep(Duration::from_millis(10)).await;
            most = most.max(scripted.log.count() - done);
            scripted.decide(&command);
            scripted.log.progress.send_replace(vec![Some(done as u64); 2]);
        }
        most
    })
}

#[tokio::test(start_paused = true)]
async fn clients_that_come_back_when_they_are_told_get_through() {
    let scripted = behind(0, worker("w", 2)).await;
    let submitter = Arc::clone(&scripted.submitter);
    let handling = handling(scripted);
    let mut clients = JoinSet::new();
    for n in 0..1_500 {
        let submitter = Arc::clone(&submitter);
        clients.spawn(async move {
            for attempt in 1.. {
                match submitter.submit(deposit(&format!("r{n}"), 1), LONG).await {
                    Answered::Decided { .. } => return attempt,
                    Answered::NotAccepted { retry_after, .. } => sleep(retry_after).await,
                    other => panic!("{other:?}"),
                }
            }
            0
        });
    }
    let attempts: Vec<i32> = clients.join_all().await;
    let refused = attempts.iter().filter(|attempts| **attempts > 1).count();
    assert!(refused > 900, "{refused}");
    let again = attempts.iter().filter(|attempts| **attempts > 2).count();
    assert_eq!(again, 0, "sent away twice, of {refused}");
    let most = handling.await.unwrap();
    assert!(most <= 510, "5 s at 100/s: {most}");
}

#[tokio::test(start_paused = true)]
async fn a_tenant_has_its_own_limit() {
    let limits = SubmitLimits { in_flight_commands_per_tenant_max: 1, ..SubmitLimits::default() };
    let scripted = Scripted::start_with(limits).await;
    assert_eq!(scripted.why("a").await, None);
    assert_eq!(scripted.why("b").await, Some(Refusal::TenantBusy));
    scripted.decide(&scripted.log.appended(1).await);
    sleep(Duration::from_millis(10)).await;
    scripted.log.deliver(1, crate::scripted::HERE);
    assert_eq!(scripted.why("c").await, None);
}
