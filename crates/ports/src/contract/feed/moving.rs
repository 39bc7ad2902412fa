//! What feeds promise when members join, leave and crash: who has a lane, and what becomes of a
//! lane that has moved.

use std::collections::{BTreeMap, BTreeSet};

use super::super::member::{
    ALL, AnyLane, Requests, fill, lane, lanes, read, read_revoked, sole_member, whole,
};
use super::super::world::{never, until, within};
use super::super::{Logs, Revoking, Setup};
use super::Topic;
use crate::{Feed, Input};

const TIGHT: Setup = Setup { revoking: Revoking::Tight, ..Setup::DEFAULT };

type AnyFeed<R> = Box<dyn Feed<R>>;
type Lanes<R> = BTreeMap<u32, AnyLane<R>>;

/// Lets a second member join the one that has these lanes; gives the lane that is the first to be
/// revoked for it.
async fn second_member<W: Logs, T: Topic>(
    world: &W,
    lanes: &Lanes<T::Content>,
) -> (AnyFeed<T::Content>, AnyLane<T::Content>) {
    let second = T::join(world).await;
    let revoked = until::<W, _, _>("a lane to be revoked for a second member", || {
        let revoked = lanes.values().find(|lane| lane.is_revoked()).cloned();
        async move { revoked }
    })
    .await;
    (second, revoked)
}

fn assert_fenced(saved: Result<(), crate::Error>) {
    match saved {
        Err(error) => assert!(error.is_stop(), "a fenced lane is to stop, but: {error}"),
        Ok(()) => panic!("progress was saved through a fenced lane"),
    }
}

/// Promise 1: when a second member joins, each has lanes, together every partition once.
pub async fn two_members_share_the_partitions<W: Logs, T: Topic>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let (_first, mut held) = sole_member::<W, T>(&world).await;
    let (mut second, _) = second_member::<W, T>(&world, &held).await;
    let count = held.len();
    held.retain(|_, lane| !lane.is_revoked());
    let moved = lanes::<W, _>(&mut second, count - held.len()).await;
    assert!(!moved.is_empty() && !held.is_empty(), "one member has nothing");
    let all: BTreeSet<u32> = held.keys().chain(moved.keys()).copied().collect();
    assert_eq!(all.len(), count, "a partition has two lanes, or none");
    assert!(held.values().chain(moved.values()).all(|lane| !lane.is_revoked()));
}

/// Promise 1: a member more than there are partitions waits, and takes over when one leaves.
pub async fn a_member_without_partition_takes_over<W: Logs>() {
    let world = W::fresh(Setup { partitions: 1, ..Setup::DEFAULT }).await;
    let (mut first, held) = sole_member::<W, Requests>(&world).await;
    let mut second = world.join_requests().await;
    never::<W, _>("one partition has two lanes", lane::<W, _>(&mut second)).await;
    assert!(!held[&0].is_revoked(), "a lane moved without need");
    first.leave();
    drop(held);
    assert_eq!(lane::<W, _>(&mut second).await.partition(), 0);
}

/// Promise 4: a revoked lane reads `Revoked`, and keeps doing so, whatever there is to read.
pub async fn a_revoked_lane_reads_revoked<W: Logs, T: Topic>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let (_first, held) = sole_member::<W, T>(&world).await;
    // The lanes wait for records when they are revoked.
    let mut waiting = tokio::task::JoinSet::new();
    for lane in held.values() {
        let lane = lane.clone();
        waiting.spawn(async move { (lane.next(1, ALL).await.expect("reads"), lane) });
    }
    let (_second, _) = second_member::<W, T>(&world, &held).await;
    let first = within::<W, _>("a waiting lane to be told", waiting.join_next()).await;
    let Some(Ok((Input::Revoked, revoked))) = first else { panic!("it read something else") };
    fill::<W, T>(&world, 12, [0, 1]).await;
    for _ in 0..3 {
        let input = within::<W, _>("a lane to answer", revoked.next(1, ALL)).await;
        assert!(matches!(input, Ok(Input::Revoked)), "a revoked lane read {input:?}");
    }
}

/// Promise 4: a revoked lane may still save, and its partition goes to nobody before it is
/// dropped; the next lane begins at what was saved last.
pub async fn a_revoked_lane_may_save_until_it_is_dropped<W: Logs, T: Topic>() {
    let world = W::fresh(Setup::DEFAULT).await;
    fill::<W, T>(&world, 12, [0, 3]).await;
    let (_first, mut held) = sole_member::<W, T>(&world).await;
    let (mut second, revoked) = second_member::<W, T>(&world, &held).await;
    let partition = revoked.partition();
    read_revoked::<W, _>(&revoked).await;
    for progress in 1..=2 {
        let saving = within::<W, _>("a save", revoked.save(progress)).await;
        assert!(saving.is_ok(), "a revoked lane may still save, but: {saving:?}");
    }
    let early = async {
        loop {
            let lane = lane::<W, _>(&mut second).await;
            if lane.partition() == partition {
                return;
            }
        }
    };
    never::<W, _>("a partition was given out before its old lane was dropped", early).await;
    revoked.save(3).await.expect("saves, for nobody else has the partition");
    held.retain(|_, lane| !lane.is_revoked());
    drop(revoked);
    let next = loop {
        let lane = lane::<W, _>(&mut second).await;
        if lane.partition() == partition {
            break lane;
        }
    };
    assert_eq!(next.progress(), Some(3), "the new lane begins elsewhere");
}

/// Promise 4: past the bound the partition goes to another, though the old lane is still there.
/// Promise 5: that one can save no more, is told to stop, and changes nothing.
pub async fn a_lane_that_is_not_dropped_is_fenced<W: Logs, T: Topic>() {
    let world = W::fresh(TIGHT).await;
    fill::<W, T>(&world, 12, [0, 3]).await;
    let (first, held) = sole_member::<W, T>(&world).await;
    let (mut second, _) = second_member::<W, T>(&world, &held).await;
    let moved = lane::<W, _>(&mut second).await;
    let zombie = &held[&moved.partition()];
    assert!(zombie.is_revoked(), "one partition has two lanes that are not revoked");
    let input = within::<W, _>("a fenced lane to answer", zombie.next(1, ALL)).await;
    assert!(!matches!(input, Ok(Input::Records(_))), "a fenced lane still reads");
    assert_fenced(zombie.save(2).await);
    moved.save(1).await.expect("the new lane saves");
    assert_fenced(zombie.save(3).await);
    let partition = moved.partition();
    drop((first, held, second, moved));
    let (_feed, lanes) = sole_member::<W, T>(&world).await;
    assert_eq!(lanes[&partition].progress(), Some(1), "a fenced lane has changed the progress");
}

/// Promise 5: also a save that was under way when the lane was fenced changes nothing that the
/// next lane relies on: what it begins at is never below what any save has reported.
pub async fn a_new_lane_begins_at_or_above_every_reported_save<W: Logs>() {
    let setup = Setup { partitions: 1, ..TIGHT };
    let world = W::fresh(setup).await;
    let (mut feed, lanes) = sole_member::<W, Requests>(&world).await;
    let mut held = lanes[&0].clone();
    drop(lanes);
    let mut progress = 0;
    for _ in 0..4 {
        let zombie = held.clone();
        let saving = tokio::spawn(async move {
            let mut reported = progress;
            while zombie.save(reported + 1).await.is_ok() {
                reported += 1;
            }
            reported
        });
        let mut next = world.join_requests().await;
        // Leaving revokes, and the zombie never drops its lane: the bound must pass.
        feed.leave();
        held = lane::<W, _>(&mut next).await;
        let reported = within::<W, _>("the zombie to be fenced", saving).await.expect("saves");
        let begun = held.progress().unwrap_or(0);
        assert!(begun >= reported, "a lane begins at {begun}, {reported} was reported as saved");
        progress = begun;
        feed = next;
    }
}

/// Promise 4: leaving revokes all lanes of the member, which may save and be dropped in peace; it
/// is given no more lanes.
pub async fn leaving_revokes_all_lanes<W: Logs, T: Topic>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let (mut feed, lanes) = sole_member::<W, T>(&world).await;
    feed.leave();
    for lane in lanes.values() {
        read_revoked::<W, _>(lane).await;
        lane.save(0).await.expect("a revoked lane may still save");
    }
    let more = within::<W, _>("a member that has left", feed.lane()).await.expect("answers");
    assert!(more.is_none(), "a member that has left was given a lane");
    let mut next = T::join(&world).await;
    never::<W, _>("a partition moved before its lane was dropped", lane::<W, _>(&mut next)).await;
    let count = lanes.len();
    drop(lanes);
    let moved = super::super::member::lanes::<W, _>(&mut next, count).await;
    assert!(moved.values().all(|lane| lane.progress() == Some(0)));
}

/// Promise 4: a lane that is dropped though nobody asked for it goes to some member again.
pub async fn a_dropped_lane_is_given_out_again<W: Logs, T: Topic>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let (mut feed, mut held) = sole_member::<W, T>(&world).await;
    let (partition, dropped) = held.pop_first().expect("a lane");
    dropped.save(0).await.expect("saves");
    drop(dropped);
    let again = lane::<W, _>(&mut feed).await;
    assert_eq!(again.partition(), partition, "another partition was given out");
    assert_eq!(again.progress(), Some(0));
    assert!(held.values().all(|lane| !lane.is_revoked()), "another lane was touched");
}

/// Promise 8: a feed dropped without leaving has crashed: its lanes are fenced and move, though
/// somebody still holds them.
pub async fn a_dropped_feed_is_a_crash<W: Logs, T: Topic>() {
    let world = W::fresh(Setup::DEFAULT).await;
    fill::<W, T>(&world, 12, [0, 2]).await;
    let (feed, zombies) = sole_member::<W, T>(&world).await;
    for lane in zombies.values() {
        lane.save(1).await.expect("saves");
    }
    let mut next = T::join(&world).await;
    drop(feed);
    let moved = lanes::<W, _>(&mut next, zombies.len()).await;
    for (partition, lane) in &moved {
        let zombie = &zombies[partition];
        assert!(zombie.is_revoked(), "one partition has two lanes that are not revoked");
        assert_fenced(zombie.save(2).await);
        assert_eq!(lane.progress(), Some(1), "partition {partition}");
    }
    drop((moved, next));
    let (_feed, lanes) = sole_member::<W, T>(&world).await;
    assert!(lanes.values().all(|lane| lane.progress() == Some(1)), "a fenced lane has saved");
}

/// Promise 3: what a lane gives is what was appended to its partition, in its order, also when the
/// lane has moved in between.
pub async fn a_partition_is_read_on_by_its_next_member<W: Logs>() {
    let world = W::fresh(Setup { partitions: 1, ..Setup::DEFAULT }).await;
    fill::<W, Requests>(&world, 1, [0, 20]).await;
    let mut numbers = Vec::new();
    for turn in 1..=4_u64 {
        let (mut feed, lanes) = sole_member::<W, Requests>(&world).await;
        let records = read::<W, _>(&lanes[&0], 5).await;
        numbers.extend(records.iter().map(|record| Requests::number(whole(record)).1));
        lanes[&0].save(turn * 5).await.expect("saves");
        if turn % 2 == 0 {
            feed.leave();
        }
    }
    assert_eq!(numbers, (0..20).collect::<Vec<_>>());
}
