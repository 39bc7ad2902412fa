//! The contract of the event log.

use std::collections::BTreeMap;
use std::slice;
use std::sync::Arc;

use ordain_model::{AggregateKey, Commit};
use tokio::task::JoinSet;

use super::member::{AnyLane, lanes, read_over_all, whole};
use super::samples::{Line, request};
use super::world::never;
use super::{Logs, Setup};
use crate::{Feed, Position, Published};

/// The events of these commits as followers read them.
fn events(commits: &[Arc<Commit>]) -> Vec<Published> {
    let of_commit = |commit: &Arc<Commit>| {
        let published = |event: &ordain_model::Event| Published {
            aggregate: commit.aggregate.clone(),
            request: commit.request.clone(),
            event: event.clone(),
            trace: commit.trace,
        };
        commit.events.iter().map(published).collect::<Vec<_>>()
    };
    commits.iter().flat_map(of_commit).collect()
}

struct Follower {
    _feed: Box<dyn Feed<Published>>,
    lanes: BTreeMap<u32, AnyLane<Published>>,
}

async fn follow<W: Logs>(world: &W, group: &str) -> Follower {
    let mut feed = world.join_events(group).await;
    let count = world.event_partitions().await as usize;
    let lanes = lanes::<W, _>(&mut feed, count).await;
    Follower { _feed: feed, lanes }
}

impl Follower {
    /// The next so many events over all partitions, with their places, as they stand there.
    async fn read<W: Logs>(&self, count: usize) -> Vec<(Position, Published)> {
        let records = read_over_all::<W, _>(&self.lanes, count).await;
        records.iter().map(|record| (record.position, whole(record).clone())).collect()
    }

    /// Fails when there is anything more to read.
    async fn expect_no_more<W: Logs>(&self) {
        for lane in self.lanes.values() {
            never::<W, _>("an event was published that should not be", lane.next(1, 1)).await;
        }
    }
}

fn by_aggregate(read: Vec<(Position, Published)>) -> BTreeMap<AggregateKey, Vec<Published>> {
    let mut partitions: BTreeMap<AggregateKey, u32> = BTreeMap::new();
    let mut all: BTreeMap<AggregateKey, Vec<Published>> = BTreeMap::new();
    for (position, event) in read {
        let home = *partitions.entry(event.aggregate.clone()).or_insert(position.partition);
        assert_eq!(position.partition, home, "events of one aggregate stand in two partitions");
        all.entry(event.aggregate.clone()).or_default().push(event);
    }
    all
}

/// Promise 1: what was published is there after an abrupt end.
pub async fn published_events_survive_a_restart<W: Logs>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let mut line = Line::of("a");
    let commits = [line.success(2), line.success(1)];
    world.event_log().await.publish(&commits).await.expect("publishes");
    let world = world.restart(Setup::DEFAULT).await;
    let follower = follow(&world, "view-a").await;
    let read = follower.read::<W>(3).await;
    let read: Vec<Published> = read.into_iter().map(|(_, event)| event).collect();
    assert_eq!(read, events(&commits), "published events were lost");
}

/// Promise 1: all of a large call is published, also where it meets many partitions.
pub async fn a_large_call_is_published_whole<W: Logs>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let mut commits = Vec::new();
    for nth in 0..100 {
        let mut line = Line::of(&format!("a{nth}"));
        commits.extend([line.success(3), line.success(2)]);
    }
    world.event_log().await.publish(&commits).await.expect("publishes");
    let follower = follow(&world, "view-a").await;
    let read = by_aggregate(follower.read::<W>(500).await);
    for (aggregate, read) in read {
        let own = |commit: &&Arc<Commit>| commit.aggregate == aggregate;
        let own: Vec<_> = commits.iter().filter(own).cloned().collect();
        assert_eq!(read, events(&own));
    }
}

/// Promise 2: events of one aggregate stand in one partition in the order given, within a call and
/// over calls, through whichever client.
pub async fn events_of_one_aggregate_stand_in_order<W: Logs>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let mut lines: Vec<Line> = (0..6).map(|nth| Line::of(&format!("a{nth}"))).collect();
    let mut written = Vec::new();
    for call in 0..20 {
        let mut commits = Vec::new();
        for line in &mut lines {
            commits.extend([line.success(call % 3), line.success(1)]);
        }
        world.event_log().await.publish(&commits).await.expect("publishes");
        written.extend(commits);
    }
    let all = events(&written);
    let follower = follow(&world, "view-a").await;
    let read = by_aggregate(follower.read::<W>(all.len()).await);
    assert_eq!(read.len(), lines.len());
    for (aggregate, read) in read {
        let own: Vec<_> = all.iter().filter(|one| one.aggregate == aggregate).cloned().collect();
        assert_eq!(read, own, "events of {aggregate} are not in the order given");
    }
}

/// Promise 2: also when several publish at once, each aggregate through one of them.
pub async fn order_holds_beside_other_publishers<W: Logs>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let mut running = JoinSet::new();
    for publisher in 0..6 {
        let log = world.event_log().await;
        running.spawn(async move {
            let mut lines = [0, 1].map(|nth| Line::of(&format!("a-{publisher}-{nth}")));
            for _ in 0..15 {
                let commits: Vec<_> = lines.iter_mut().map(|line| line.success(2)).collect();
                log.publish(&commits).await.expect("publishes");
            }
        });
    }
    let follower = follow(&world, "view-a").await;
    let read = by_aggregate(follower.read::<W>(6 * 2 * 15 * 2).await);
    running.join_all().await;
    for (aggregate, read) in read {
        let sequences: Vec<u64> = read.iter().map(|one| one.event.sequence).collect();
        assert_eq!(sequences, (1..=30).collect::<Vec<_>>(), "events of {aggregate}");
    }
}

/// Promise 3: publishing again what has been published is allowed; it stands there again, in order,
/// and what is new follows it.
pub async fn publishing_again_appends_again<W: Logs>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let log = world.event_log().await;
    let mut line = Line::of("a");
    let (first, second) = (line.success(2), line.success(1));
    log.publish(slice::from_ref(&first)).await.expect("publishes");
    log.publish(&[first.clone(), second.clone()]).await.expect("publishes again");
    let follower = follow(&world, "view-a").await;
    let read = follower.read::<W>(5).await;
    let read: Vec<Published> = read.into_iter().map(|(_, event)| event).collect();
    assert_eq!(read, events(&[first.clone(), first, second]));
}

/// Promise 4: aggregate, request id, time and all the rest come as they were, data byte for byte,
/// to every group that follows.
pub async fn every_group_reads_events_as_they_were<W: Logs>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let mut line = Line::of("A-1:b.c~d_e");
    let commits = [line.success_of(&request("~:x"), 3), line.success(1)];
    world.event_log().await.publish(&commits).await.expect("publishes");
    for group in ["view-a", "view-a-b", "view-b"] {
        let follower = follow(&world, group).await;
        let read = follower.read::<W>(4).await;
        let read: Vec<Published> = read.into_iter().map(|(_, event)| event).collect();
        assert_eq!(read, events(&commits), "group {group}");
    }
}

/// Promise 4: commits without events, and calls without commits, leave nothing in the log.
pub async fn commits_without_events_are_passed_over<W: Logs>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let log = world.event_log().await;
    let mut line = Line::of("a");
    log.publish(&[]).await.expect("publishes nothing");
    log.publish(&[line.refusal(), line.success(0)]).await.expect("publishes nothing");
    let commits = [line.success(1), line.refusal(), line.success(1), line.refusal()];
    log.publish(&commits).await.expect("publishes");
    let follower = follow(&world, "view-a").await;
    let read = follower.read::<W>(2).await;
    let read: Vec<Published> = read.into_iter().map(|(_, event)| event).collect();
    assert_eq!(read, events(&commits));
    follower.expect_no_more::<W>().await;
}
