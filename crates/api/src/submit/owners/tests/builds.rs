//! Workers of other builds: what they do not announce is not taken while they live.

use std::time::Duration;

use ordain_ports::Heartbeat;
use tokio::time::sleep;

use super::{LONG, behind};
use crate::scripted::{Scripted, deposit, worker};
use crate::{Refusal, Request};

/// A worker of another build, which does not know how to deposit.
pub(super) fn of_another_build(member: &str) -> Heartbeat {
    let mut other = worker(member, 0);
    other.announced.retain(|one| one.command != "deposit");
    other
}

#[tokio::test(start_paused = true)]
async fn what_not_every_living_worker_announces_is_refused() {
    let scripted = behind(0, worker("w", 2)).await;
    assert_eq!(scripted.why("a").await, None);
    let mut known_otherwise = worker("other", 0);
    let schema = known_otherwise.announced[0].schema;
    for one in known_otherwise.announced.iter_mut().filter(|one| one.command == "deposit") {
        one.schema = schema;
    }
    for (round, other) in [of_another_build("other"), known_otherwise].into_iter().enumerate() {
        scripted.beats.set(Some(vec![worker("w", 2), other]));
        sleep(Duration::from_millis(2_001)).await;
        let refused = scripted.refused(deposit(&format!("b{round}"), 1), LONG).await;
        let (why, retry_after) = refused.unwrap();
        assert_eq!(why, Refusal::NotAnnounced);
        assert!((1..=5).contains(&retry_after.as_secs()), "{retry_after:?}");
        let open = Request {
            command: "open".parse().unwrap(),
            body: "{}".into(),
            ..deposit(&format!("c{round}"), 1)
        };
        assert_eq!(scripted.refused(open, LONG).await, None, "every worker announces this");
        // It has left: nobody is there any more who might take it up and not know it.
        scripted.beats.set(Some(vec![worker("w", 2)]));
        sleep(Duration::from_millis(1_001)).await;
        assert_eq!(scripted.why(&format!("d{round}")).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn only_who_was_seen_to_beat_keeps_a_command_from_being_taken() {
    let scripted = Scripted::start().await;
    sleep(Duration::from_millis(100)).await;
    // There before this process looked, and dead for all it knows.
    scripted.beats.set(Some(vec![worker("w", 2), of_another_build("other")]));
    let beat = |members: usize| {
        let mut beats = scripted.beats.get();
        beats.iter_mut().take(members).for_each(|heartbeat| heartbeat.beat += 1);
        scripted.beats.set(Some(beats));
    };
    for round in 0..4 {
        sleep(Duration::from_secs(1)).await;
        assert_eq!(scripted.why(&format!("a{round}")).await, None);
        beat(1);
    }
    beat(2);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(scripted.why("b").await, Some(Refusal::NotAnnounced), "it beats");
    let beats = scripted.beats.get();
    scripted.beats.set(None);
    sleep(Duration::from_secs(1)).await;
    let why = scripted.why("c").await;
    assert_eq!(why, Some(Refusal::NotAnnounced), "nothing says that it has gone");
    scripted.beats.set(Some(beats));
    beat(1);
    sleep(Duration::from_secs(1)).await;
    let why = scripted.why("d").await;
    assert_eq!(why, Some(Refusal::NotAnnounced), "it may have moved unseen");
    for _ in 0..4 {
        beat(1);
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(scripted.why("f").await, None, "it has stood still for too long to live");
}
