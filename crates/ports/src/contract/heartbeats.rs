//! The contract of the keeper of heartbeats.

use std::collections::BTreeMap;

use tokio::task::JoinSet;

use super::samples::{schema, time};
use super::{Beating, Setup};
use crate::{Announced, Heartbeat, Heartbeats, LaneBeat};

fn heartbeat(member: &str, beat: u64) -> Heartbeat {
    Heartbeat {
        member: member.to_owned(),
        beat,
        role: "worker".to_owned(),
        version: "1.2.3".to_owned(),
        started: time(7),
        lanes: Vec::new(),
        announced: Vec::new(),
        last_error: None,
    }
}

/// A heartbeat that says all there is to say.
fn talkative(member: &str, beat: u64) -> Heartbeat {
    let lane = |partition, progress, capacity| LaneBeat {
        partition,
        progress,
        capacity_per_second: capacity,
        handled_per_second: 0.1 + 0.2,
        oldest_wait_ms: 1_234,
        stopped: progress.map(|_| "a \"person\" $must act\u{7f}ü".to_owned()),
    };
    Heartbeat {
        lanes: vec![lane(0, None, None), lane(11, Some(1 << 50), Some(1.0 / 3.0))],
        announced: vec![Announced {
            aggregate_type: "account".to_owned(),
            command: "deposit".to_owned(),
            schema: schema(3),
        }],
        last_error: Some("$no.answer".to_owned()),
        ..heartbeat(member, beat)
    }
}

async fn beats(heartbeats: &dyn Heartbeats) -> BTreeMap<String, Heartbeat> {
    let mut all = BTreeMap::new();
    for beat in heartbeats.beats().await.expect("reads") {
        let twice = all.insert(beat.member.clone(), beat);
        assert_eq!(twice, None, "a member is given twice");
    }
    all
}

async fn assert_last(heartbeats: &dyn Heartbeats, expected: &[&Heartbeat]) {
    let expected: BTreeMap<String, Heartbeat> =
        expected.iter().map(|beat| (beat.member.clone(), (*beat).clone())).collect();
    assert_eq!(beats(heartbeats).await, expected, "the last heartbeats");
}

/// Promise 1: every member has its last heartbeat, as it was, until the next.
pub async fn the_last_heartbeat_of_each_member_is_given<W: Beating>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let heartbeats = world.heartbeats().await;
    assert_last(&*heartbeats, &[]).await;
    let (first, other) = (talkative("a", 1), heartbeat("b", 1));
    heartbeats.beat(first.clone()).await.expect("beats");
    assert_last(&*heartbeats, &[&first]).await;
    heartbeats.beat(other.clone()).await.expect("beats");
    assert_last(&*world.heartbeats().await, &[&first, &other]).await;
    // What the next one does not say any more is gone.
    let next = heartbeat("a", 2);
    heartbeats.beat(next.clone()).await.expect("beats");
    assert_last(&*heartbeats, &[&next, &other]).await;
    let skipping = talkative("a", 17);
    heartbeats.beat(skipping.clone()).await.expect("beats");
    assert_last(&*heartbeats, &[&skipping, &other]).await;
}

/// Promise 2: one that arrives late is taken and does nothing.
pub async fn an_earlier_heartbeat_never_replaces_a_later_one<W: Beating>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let heartbeats = world.heartbeats().await;
    let last = talkative("a", 5);
    heartbeats.beat(last.clone()).await.expect("beats");
    for late in [4, 1] {
        heartbeats.beat(heartbeat("a", late)).await.expect("beats late");
        assert_last(&*heartbeats, &[&last]).await;
    }
}

/// Promise 2: of many that arrive at once the latest stays.
pub async fn the_latest_of_many_heartbeats_at_once_stays<W: Beating>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let mut running = JoinSet::new();
    for beat in 1..=16 {
        let heartbeats = world.heartbeats().await;
        running.spawn(async move {
            heartbeats.beat(heartbeat("a", beat)).await.expect("beats");
            let given = beats(&*heartbeats).await["a"].beat;
            assert!(given >= beat, "the last heartbeats: {given} after {beat}");
        });
    }
    running.join_all().await;
    assert_last(&*world.heartbeats().await, &[&heartbeat("a", 16)]).await;
}

/// Promise 3: who has left is gone at once, and no late heartbeat brings it back; the others stay.
pub async fn who_has_left_is_not_given<W: Beating>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let heartbeats = world.heartbeats().await;
    let other = heartbeat("b", 3);
    for beat in [heartbeat("a", 1), other.clone(), heartbeat("a", 2)] {
        heartbeats.beat(beat).await.expect("beats");
    }
    heartbeats.leave("a").await.expect("leaves");
    assert_last(&*heartbeats, &[&other]).await;
    for late in [1, 2, 3] {
        heartbeats.beat(heartbeat("a", late)).await.expect("beats late");
        assert_last(&*world.heartbeats().await, &[&other]).await;
    }
    heartbeats.leave("a").await.expect("leaves again");
    heartbeats.leave("c").await.expect("leaves without a beat");
    heartbeats.beat(heartbeat("c", 1)).await.expect("beats late");
    assert_last(&*heartbeats, &[&other]).await;
}
