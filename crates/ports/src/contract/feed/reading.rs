//! What feeds promise of beginning, reading and saving.

use tokio::time::timeout;

use super::super::member::{
    ALL, Requests, append, fill, lane, read, read_over_all, sole_member, whole,
};
use super::super::samples::{aggregate, command, large_command, request};
use super::super::world::{never, within};
use super::super::{Damage, Logs, Setup};
use super::Topic;
use crate::{Content, Input, Record};

const ONE: Setup = Setup { partitions: 1, ..Setup::DEFAULT };

fn offsets_in<R>(records: &[Record<R>], partition: u32) -> Vec<u64> {
    let own = records.iter().filter(|record| record.position.partition == partition);
    own.map(|record| record.position.offset).collect()
}

fn offsets<R>(records: &[Record<R>]) -> Vec<u64> {
    records.iter().map(|record| record.position.offset).collect()
}

/// Promise 2: where nothing was saved, a lane begins at offset 0, with what was appended long
/// before anyone joined.
pub async fn a_lane_begins_at_the_beginning<W: Logs, T: Topic>() {
    let world = W::fresh(Setup::DEFAULT).await;
    fill::<W, T>(&world, 12, [0, 2]).await;
    let (_feed, lanes) = sole_member::<W, T>(&world).await;
    for lane in lanes.values() {
        assert_eq!(lane.progress(), None, "nothing was saved");
    }
    let read = read_over_all::<W, _>(&lanes, 24).await;
    for partition in lanes.keys() {
        let own: Vec<u64> = offsets_in(&read, *partition);
        let expected: Vec<u64> = (0..own.len() as u64).collect();
        assert_eq!(own, expected, "partition {partition} begins elsewhere");
    }
}

/// Promise 2: where progress was saved, a lane begins there and says so.
pub async fn a_lane_begins_at_the_saved_progress<W: Logs, T: Topic>() {
    let world = W::fresh(Setup::DEFAULT).await;
    fill::<W, T>(&world, 1, [0, 5]).await;
    let (mut feed, before) = sole_member::<W, T>(&world).await;
    let partition = read_over_all::<W, _>(&before, 5).await[0].position.partition;
    before[&partition].save(3).await.expect("saves");
    feed.leave();
    drop((feed, before));
    let (_feed, lanes) = sole_member::<W, T>(&world).await;
    for (other, lane) in &lanes {
        let expected = (*other == partition).then_some(3);
        assert_eq!(lane.progress(), expected, "the progress of {other}");
    }
    assert_eq!(offsets(&read::<W, _>(&lanes[&partition], 2).await), [3, 4]);
}

/// Promise 2: a progress at the end of the log is where the next record is read.
pub async fn a_lane_begins_at_a_progress_at_the_end<W: Logs>() {
    let world = W::fresh(ONE).await;
    fill::<W, Requests>(&world, 1, [0, 3]).await;
    let (feed, lanes) = sole_member::<W, Requests>(&world).await;
    lanes[&0].save(3).await.expect("saves");
    drop((feed, lanes));
    let (_feed, lanes) = sole_member::<W, Requests>(&world).await;
    never::<W, _>("there was nothing to read", lanes[&0].next(ALL, ALL)).await;
    fill::<W, Requests>(&world, 1, [3, 4]).await;
    assert_eq!(offsets(&read::<W, _>(&lanes[&0], 1).await), [3]);
}

/// Promise 3: a lane without records waits, and gives what is appended while it waits.
pub async fn an_empty_lane_waits_for_records<W: Logs, T: Topic>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let (_feed, lanes) = sole_member::<W, T>(&world).await;
    for lane in lanes.values() {
        never::<W, _>("there was nothing to read", lane.next(1, 1)).await;
        assert!(!lane.is_revoked());
    }
    let mut waiting = tokio::task::JoinSet::new();
    for lane in lanes.values() {
        let lane = lane.clone();
        waiting.spawn(async move { lane.next(ALL, ALL).await.expect("reads") });
    }
    T::append(&world, &aggregate("a"), 7).await;
    let first = within::<W, _>("the record", waiting.join_next()).await;
    let Some(Ok(Input::Records(records))) = first else { panic!("no record came: {first:?}") };
    assert_eq!(T::number(whole(&records[0])), (aggregate("a"), 7));
    assert_eq!(records.len(), 1);
}

/// Promise 3: in the order of offsets and without gap, as many as the limit of records allows and
/// at least one.
pub async fn next_keeps_to_its_limit_of_records<W: Logs>() {
    let world = W::fresh(ONE).await;
    fill::<W, Requests>(&world, 1, [0, 10]).await;
    let (_feed, lanes) = sole_member::<W, Requests>(&world).await;
    let (mut read, mut sizes) = (Vec::new(), Vec::new());
    for records_max in [1, 3, 0, 2, 100, 100, 100] {
        if read.len() == 10 {
            break;
        }
        let input = within::<W, _>("records", lanes[&0].next(records_max, ALL)).await;
        let Input::Records(records) = input.expect("reads") else { panic!("revoked") };
        assert!(!records.is_empty(), "a lane gave no records instead of waiting");
        assert!(records.len() <= records_max.max(1), "more records than {records_max}");
        sizes.push(records.len());
        read.extend(records);
    }
    assert_eq!(offsets(&read), (0..10).collect::<Vec<_>>(), "in pieces of {sizes:?}");
}

/// Promise 3: a limit of bytes ends a batch, but a record that is larger than it is given, alone.
pub async fn next_keeps_to_its_limit_of_bytes<W: Logs>() {
    let world = W::fresh(ONE).await;
    let sizes = [10, 10, 400_000, 10, 10];
    for (number, bytes) in sizes.into_iter().enumerate() {
        let id = request(&number.to_string());
        append(&world, &large_command(&aggregate("a"), &id, bytes)).await;
    }
    let (_feed, lanes) = sole_member::<W, Requests>(&world).await;
    let mut batches = Vec::new();
    while batches.iter().map(Vec::len).sum::<usize>() < sizes.len() {
        let input = within::<W, _>("records", lanes[&0].next(100, 5_000)).await;
        let Input::Records(records) = input.expect("reads") else { panic!("revoked") };
        let bytes: usize = records.iter().map(|record| record.bytes).sum();
        assert!(records.len() == 1 || bytes <= 5_000, "{} records of {bytes}", records.len());
        batches.push(offsets(&records));
    }
    assert_eq!(batches.concat(), [0, 1, 2, 3, 4]);
    assert!(batches.contains(&vec![2]), "the large record was not given alone: {batches:?}");
    let tiny = |batch: &Vec<u64>| batch.len() == 1;
    for _ in 0..2 {
        append(&world, &command(&aggregate("a"), &request("more"))).await;
    }
    let input = within::<W, _>("a record", lanes[&0].next(100, 0)).await.expect("reads");
    let Input::Records(records) = input else { panic!("revoked") };
    assert!(tiny(&offsets(&records)), "a limit that nothing fits into gives one record");
}

/// Promise 3: a reading that is abandoned has taken nothing.
pub async fn an_abandoned_next_loses_nothing<W: Logs, T: Topic>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let (_feed, lanes) = sole_member::<W, T>(&world).await;
    let mut read = Vec::new();
    for number in 0..30 {
        T::append(&world, &aggregate("a"), number).await;
        for lane in lanes.values() {
            // Not long enough to wait for anything: sometimes it is there, sometimes not.
            if let Ok(input) = timeout(W::PATIENCE.quiet / 1_000, lane.next(1, ALL)).await {
                let Input::Records(records) = input.expect("reads") else { panic!("revoked") };
                read.extend(records);
            }
        }
    }
    let left = 30_usize.saturating_sub(read.len());
    read.extend(read_over_all::<W, _>(&lanes, left).await);
    assert_eq!(offsets(&read), (0..30).collect::<Vec<_>>(), "a record was lost or given twice");
}

/// Promise 3: an abandoned wait for a lane has taken none.
pub async fn an_abandoned_wait_for_a_lane_loses_none<W: Logs, T: Topic>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let mut feed = T::join(&world).await;
    let count = T::partitions(&world).await as usize;
    let mut given = std::collections::BTreeSet::new();
    let mut held = Vec::new();
    for _ in 0..50 {
        if let Ok(lane) = timeout(W::PATIENCE.quiet / 1_000, feed.lane()).await {
            let lane = lane.expect("gives").expect("not left");
            assert!(given.insert(lane.partition()), "a partition was given twice");
            held.push(lane);
        }
    }
    held.extend(lanes_left::<W, T>(&mut feed, count - given.len()).await);
    assert_eq!(held.len(), count);
}

async fn lanes_left<W: Logs, T: Topic>(
    feed: &mut Box<dyn crate::Feed<T::Content>>,
    count: usize,
) -> Vec<Box<dyn crate::Lane<T::Content>>> {
    let mut held = Vec::new();
    for _ in 0..count {
        let lane = within::<W, _>("a lane", feed.lane()).await.expect("gives");
        held.push(lane.expect("not left"));
    }
    held
}

/// Promise 3: a record that cannot be read is given as it is, in its place; its neighbours are
/// whole. Where it can be read for whom it was, that is said.
pub async fn a_damaged_record_is_given_in_its_place<W: Logs>() {
    let world = W::fresh(ONE).await;
    let a = aggregate("a");
    append(&world, &command(&a, &request("0"))).await;
    let garbage = vec![0xff, 0, 0x80, b'{'];
    let first = world.append_damaged(Damage::Whole(garbage.clone())).await;
    append(&world, &command(&a, &request("2"))).await;
    let second = world.append_damaged(Damage::Body(a.clone(), request("3"))).await;
    world.append_damaged(Damage::Whole(vec![])).await;
    append(&world, &command(&a, &request("5"))).await;
    let (_feed, lanes) = sole_member::<W, Requests>(&world).await;
    let records = read::<W, _>(&lanes[&0], 6).await;
    assert_eq!(offsets(&records), (0..6).collect::<Vec<_>>());
    for whole_one in [0, 2, 5] {
        let expected = command(&a, &request(&whole_one.to_string()));
        assert_eq!(whole(&records[whole_one]), &expected);
    }
    let damaged = |nth: usize| match &records[nth].content {
        Content::Damaged(damaged) => damaged,
        Content::Whole(_) => panic!("a damaged record was read whole"),
    };
    assert_eq!((records[1].position, &damaged(1).named), (first, &None));
    assert_eq!(damaged(1).bytes, garbage, "the bytes of a damaged record");
    let named = Some((a, request("3")));
    assert_eq!((records[3].position, &damaged(3).named), (second, &named));
    assert_eq!(damaged(4).bytes, Vec::<u8>::new());
}

/// Promise 6: saved progress survives an abrupt end and never goes back, whatever is saved.
pub async fn saved_progress_never_goes_back<W: Logs, T: Topic>() {
    let world = W::fresh(Setup::DEFAULT).await;
    fill::<W, T>(&world, 1, [0, 9]).await;
    let (feed, lanes) = sole_member::<W, T>(&world).await;
    let partition = read_over_all::<W, _>(&lanes, 9).await[0].position.partition;
    lanes[&partition].save(2).await.expect("saves");
    lanes[&partition].save(7).await.expect("saves");
    // Whether saving less is an error is not said; that it changes nothing is.
    drop(lanes[&partition].save(4).await);
    drop(lanes[&partition].save(0).await);
    drop((feed, lanes));
    for _ in 0..2 {
        let (_feed, lanes) = sole_member::<W, T>(&world).await;
        let progress = lanes[&partition].progress();
        assert_eq!(progress, Some(7), "saved progress went back");
        drop(lanes[&partition].save(5).await);
    }
    let world = world.restart(Setup::DEFAULT).await;
    let (_feed, lanes) = sole_member::<W, T>(&world).await;
    assert_eq!(lanes[&partition].progress(), Some(7), "saved progress was lost");
    assert_eq!(offsets(&read::<W, _>(&lanes[&partition], 2).await), [7, 8]);
}

/// Promise 6: a lane may be saved through while it waits for records.
pub async fn a_waiting_lane_can_be_saved_through<W: Logs, T: Topic>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let (_feed, lanes) = sole_member::<W, T>(&world).await;
    let lane = lanes.values().next().expect("a lane");
    tokio::select! {
        // In this order, so that the lane waits before anything is saved.
        biased;
        input = lane.next(1, ALL) => panic!("there was nothing to read, but: {input:?}"),
        saved = within::<W, _>("a save", lane.save(0)) => saved.expect("saves"),
    }
}

/// Promise 7: when there are more partitions than before, each gets a lane, and what stands in the
/// new ones is read from its beginning; the old ones keep their progress.
pub async fn new_partitions_are_read_from_the_beginning<W: Logs>() {
    let before = Setup { partitions: 2, ..Setup::DEFAULT };
    let world = W::fresh(before).await;
    fill::<W, Requests>(&world, 20, [0, 1]).await;
    let (feed, lanes) = sole_member::<W, Requests>(&world).await;
    for lane in lanes.values() {
        lane.save(1).await.expect("saves");
    }
    drop((feed, lanes));
    let world = world.raise(Setup { partitions: 5, ..before }).await;
    fill::<W, Requests>(&world, 40, [1, 2]).await;
    let ends = world.command_log().await.ends().await.expect("reads");
    assert_eq!(ends.len(), 5, "the log has not more partitions");
    assert!(ends.iter().all(|end| *end > 0), "a partition stays empty: {ends:?}");
    let (_feed, lanes) = sole_member::<W, Requests>(&world).await;
    assert_eq!(lanes.len(), 5, "a new partition has no lane");
    for (partition, lane) in &lanes {
        let progress = (*partition < 2).then_some(1);
        assert_eq!(lane.progress(), progress, "the progress of partition {partition}");
        let from = progress.unwrap_or(0);
        let end = ends[*partition as usize];
        let count = usize::try_from(end - from).expect("not that many");
        let read = offsets(&read::<W, _>(lane, count).await);
        assert_eq!(read, (from..end).collect::<Vec<_>>(), "partition {partition}");
    }
}

/// Promise 1: a member that is alone is given every partition, each once, and no more.
pub async fn a_member_alone_has_every_partition<W: Logs, T: Topic>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let (mut feed, lanes) = sole_member::<W, T>(&world).await;
    let partitions: Vec<u32> = lanes.keys().copied().collect();
    assert_eq!(partitions, (0..T::partitions(&world).await).collect::<Vec<_>>());
    assert!(lanes.values().all(|lane| !lane.is_revoked()));
    never::<W, _>("a partition was given twice", lane::<W, _>(&mut feed)).await;
}
