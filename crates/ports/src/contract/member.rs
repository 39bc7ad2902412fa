//! What the suites of logs read through: the lanes of one member, and the two topics that feeds
//! are promised for.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use ordain_model::{AggregateKey, Command};
use tokio::time::timeout;

use super::samples::{Line, aggregate, command, request};
use super::world::within;
use super::{Logs, World};
use crate::{Content, Delivered, Feed, Input, Lane, Position, Published, Record};

/// More records and bytes than any test writes.
pub(crate) const ALL: usize = 1 << 30;

/// A topic that feeds are promised for.
#[async_trait]
pub trait Topic: Sized + Send + Sync + 'static {
    /// What its records say.
    type Content: Clone + Send + Sync + PartialEq + std::fmt::Debug + 'static;

    /// A new member of the group that the suite reads with.
    async fn join<W: Logs>(world: &W) -> Box<dyn Feed<Self::Content>>;

    /// How many partitions it has.
    async fn partitions<W: Logs>(world: &W) -> u32;

    /// Appends one record about this aggregate, numbered, and waits until it is durable.
    async fn append<W: Logs>(world: &W, about: &AggregateKey, number: u64);

    /// The aggregate and the number that a record carries.
    fn number(content: &Self::Content) -> (AggregateKey, u64);
}

/// The log of requests, read by the workers' group.
#[derive(Debug)]
pub struct Requests;

/// The log of events, read by the group of a view.
#[derive(Debug)]
pub struct Events;

#[async_trait]
impl Topic for Requests {
    type Content = Command;

    async fn join<W: Logs>(world: &W) -> Box<dyn Feed<Command>> {
        world.join_requests().await
    }

    async fn partitions<W: Logs>(world: &W) -> u32 {
        let ends = world.command_log().await.ends().await.expect("reads the ends");
        u32::try_from(ends.len()).expect("not that many")
    }

    async fn append<W: Logs>(world: &W, about: &AggregateKey, number: u64) {
        append(world, &command(about, &request(&number.to_string()))).await;
    }

    fn number(content: &Command) -> (AggregateKey, u64) {
        let number = content.request.as_str().parse().expect("a number");
        (content.aggregate.clone(), number)
    }
}

#[async_trait]
impl Topic for Events {
    type Content = Published;

    async fn join<W: Logs>(world: &W) -> Box<dyn Feed<Published>> {
        world.join_events("view-suite").await
    }

    async fn partitions<W: Logs>(world: &W) -> u32 {
        world.event_partitions().await
    }

    async fn append<W: Logs>(world: &W, about: &AggregateKey, number: u64) {
        let commit = Line::of(about.id()).success_of(&request(&number.to_string()), 1);
        world.event_log().await.publish(&[commit]).await.expect("publishes");
    }

    fn number(content: &Published) -> (AggregateKey, u64) {
        let number = content.request.as_str().parse().expect("a number");
        (content.aggregate.clone(), number)
    }
}

/// Appends a command and waits until it is durable; says where it stands.
pub(crate) async fn append<W: Logs>(world: &W, command: &Command) -> Position {
    let log = world.command_log().await;
    let delivery = log.append(command.clone()).expect("the log takes it");
    match within::<W, _>("a delivery", delivery).await {
        Delivered::At(position) => position,
        other => panic!("the command should have been delivered, but: {other:?}"),
    }
}

/// Appends records to every partition: so many aggregates, so many records each. Records of one
/// aggregate carry the numbers from `first` on.
pub(crate) async fn fill<W: Logs, T: Topic>(world: &W, aggregates: u64, numbers: [u64; 2]) {
    for about in 0..aggregates {
        for number in numbers[0]..numbers[1] {
            T::append(world, &aggregate(&format!("a{about}")), number).await;
        }
    }
}

pub(crate) type AnyLane<R> = Arc<dyn Lane<R>>;

/// The next lane that the member is given.
pub(crate) async fn lane<W: World, R>(feed: &mut Box<dyn Feed<R>>) -> AnyLane<R> {
    let lane = within::<W, _>("a lane", feed.lane()).await.expect("gives a lane");
    Arc::from(lane.expect("the member has not left"))
}

/// So many lanes, by partition; no partition may be given twice.
pub(crate) async fn lanes<W: World, R>(
    feed: &mut Box<dyn Feed<R>>,
    count: usize,
) -> BTreeMap<u32, AnyLane<R>> {
    let mut lanes = BTreeMap::new();
    while lanes.len() < count {
        let lane = lane::<W, R>(feed).await;
        let before = lanes.insert(lane.partition(), lane);
        assert!(before.is_none(), "one member was given a partition twice");
    }
    lanes
}

/// A member that has every partition, and its lanes.
pub(crate) async fn sole_member<W: Logs, T: Topic>(
    world: &W,
) -> (Box<dyn Feed<T::Content>>, BTreeMap<u32, AnyLane<T::Content>>) {
    let mut feed = T::join(world).await;
    let count = T::partitions(world).await as usize;
    let lanes = lanes::<W, _>(&mut feed, count).await;
    (feed, lanes)
}

/// The next so many records of a lane.
pub(crate) async fn read<W: World, R>(lane: &AnyLane<R>, count: usize) -> Vec<Record<R>> {
    let mut records = Vec::new();
    while records.len() < count {
        let left = count - records.len();
        let input = within::<W, _>("records", lane.next(left, ALL)).await.expect("reads");
        match input {
            Input::Records(more) => {
                assert!(!more.is_empty(), "a lane gave no records instead of waiting");
                assert!(more.len() <= left, "a lane gave more records than asked for");
                records.extend(more);
            }
            Input::Gone(gone) => panic!("records are gone: {gone:?}"),
            Input::Revoked => panic!("the lane was revoked without need"),
        }
    }
    records
}

/// So many records over all these lanes, those of each lane in its order.
pub(crate) async fn read_over_all<W: World, R>(
    lanes: &BTreeMap<u32, AnyLane<R>>,
    count: usize,
) -> Vec<Record<R>> {
    // Where a lane has nothing now, another may have: an abandoned reading loses nothing.
    let look = W::PATIENCE.quiet / 20;
    let mut all = Vec::new();
    let reading = async {
        while all.len() < count {
            for lane in lanes.values() {
                let left = count - all.len();
                if let Ok(input) = timeout(look, lane.next(left, ALL)).await {
                    let Input::Records(more) = input.expect("reads") else {
                        panic!("the lane was revoked without need")
                    };
                    all.extend(more);
                }
            }
        }
    };
    within::<W, _>("records over all lanes", reading).await;
    all
}

/// Reads until the lane says that it was revoked.
pub(crate) async fn read_revoked<W: World, R>(lane: &AnyLane<R>) {
    let reading =
        async { while let Input::Records(_) = lane.next(ALL, ALL).await.expect("reads") {} };
    within::<W, _>("a lane to be revoked", reading).await;
    assert!(lane.is_revoked(), "the lane read Revoked, and says that it is not");
}

/// What a record says, when all of it can be read.
pub(crate) fn whole<R>(record: &Record<R>) -> &R {
    match &record.content {
        Content::Whole(content) => content,
        Content::Damaged(damaged) => panic!("a whole record cannot be read: {}", damaged.why),
    }
}
