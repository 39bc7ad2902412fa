//! The contract of the command log.

use std::collections::{BTreeMap, BTreeSet};

use ordain_model::Command;
use tokio::task::JoinSet;

use super::member::{Requests, append, read, sole_member, whole};
use super::samples::{aggregate, command, json, request, time};
use super::world::within;
use super::{Logs, Setup, Waiting};
use crate::{Delivered, NotAccepted, Position};

fn numbered(id: &str, number: usize) -> Command {
    command(&aggregate(id), &request(&format!("r{number}")))
}

/// Everything that the workers' group can read now, by position; the member leaves again.
async fn read_all<W: Logs>(world: &W) -> BTreeMap<Position, Command> {
    let ends = world.command_log().await.ends().await.expect("reads the ends");
    let (_feed, lanes) = sole_member::<W, Requests>(world).await;
    let mut all = BTreeMap::new();
    for (partition, lane) in lanes {
        let left = ends[partition as usize] - lane.progress().unwrap_or(0);
        let count = usize::try_from(left).expect("not that many");
        for record in read::<W, _>(&lane, count).await {
            let before = all.insert(record.position, whole(&record).clone());
            assert!(before.is_none(), "a record was read twice");
        }
    }
    all
}

/// Promise 1: acknowledged commands are read where they were said to stand, whole, exactly once,
/// after an abrupt end too.
pub async fn an_acknowledged_command_survives_a_restart<W: Logs>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let mut written = BTreeMap::new();
    for number in 0..30 {
        let mut one = numbered(&format!("a{}", number % 7), number);
        if number % 2 == 0 {
            (one.expected_sequence, one.deadline) = (None, None);
            one.data = json("null");
        }
        let position = append(&world, &one).await;
        assert!(written.insert(position, one).is_none(), "two commands stand at one place");
    }
    let world = world.restart(Setup::DEFAULT).await;
    assert_eq!(read_all(&world).await, written, "not what was acknowledged");
}

/// Promise 1: what lies below the saved progress is not read again, all above it is.
pub async fn commands_are_read_once_between_two_saved_progresses<W: Logs>() {
    let mut world = W::fresh(Setup { partitions: 1, ..Setup::DEFAULT }).await;
    let mut read_in_turn = Vec::new();
    for turn in 0..3_u64 {
        for number in 0..4 {
            append(&world, &numbered("a", number)).await;
        }
        let (feed, lanes) = sole_member::<W, Requests>(&world).await;
        let records = read::<W, _>(&lanes[&0], 4).await;
        read_in_turn.extend(records.iter().map(|record| record.position.offset));
        lanes[&0].save((turn + 1) * 4).await.expect("saves");
        drop((feed, lanes));
        world = world.restart(Setup { partitions: 1, ..Setup::DEFAULT }).await;
    }
    assert_eq!(read_in_turn, (0..12).collect::<Vec<_>>(), "each command once");
}

/// Promise 1: commands appended at once through several clients each get a place of their own.
pub async fn commands_appended_at_once_are_all_read<W: Logs>() {
    let world = W::fresh(Setup::DEFAULT).await;
    let mut running = JoinSet::new();
    for writer in 0..8 {
        let log = world.command_log().await;
        running.spawn(async move {
            let mut waiting = Vec::new();
            for number in 0..40 {
                let one = numbered(&format!("a{}", number % 5), writer * 100 + number);
                waiting.push((one.clone(), log.append(one).expect("the log takes it")));
            }
            let mut written = Vec::new();
            for (one, delivery) in waiting {
                let delivered = within::<W, _>("a delivery", delivery).await;
                let Delivered::At(position) = delivered else { panic!("not delivered") };
                written.push((position, one));
            }
            written
        });
    }
    let written = running.join_all().await.concat();
    let by_position: BTreeMap<_, _> = written.iter().cloned().collect();
    assert_eq!(by_position.len(), written.len(), "two commands stand at one place");
    assert_eq!(read_all(&world).await, by_position);
}

/// Promise 1: a delivery that nobody waits for does not keep its command from being read.
pub async fn a_command_whose_delivery_is_dropped_is_read<W: Logs>() {
    let world = W::fresh(Setup { partitions: 1, ..Setup::DEFAULT }).await;
    let one = numbered("a", 1);
    drop(world.command_log().await.append(one.clone()).expect("the log takes it"));
    let (_feed, lanes) = sole_member::<W, Requests>(&world).await;
    assert_eq!(whole(&read::<W, _>(&lanes[&0], 1).await[0]), &one);
}

/// Promise 2: commands of one aggregate, each appended after the acknowledgement of the one before,
/// stand in one partition in that order.
pub async fn commands_of_one_aggregate_stand_in_order<W: Logs>() {
    let world = W::fresh(Setup { partitions: 5, ..Setup::DEFAULT }).await;
    let mut partitions = BTreeSet::new();
    let mut last: BTreeMap<String, Position> = BTreeMap::new();
    for number in 0..60 {
        let id = format!("a{}", number % 12);
        let position = append(&world, &numbered(&id, number)).await;
        if let Some(before) = last.insert(id, position) {
            assert_eq!(position.partition, before.partition, "an aggregate has moved");
            assert!(position.offset > before.offset, "a command was overtaken");
        }
        partitions.insert(position.partition);
    }
    assert!(partitions.len() > 1, "twelve aggregates share one of five partitions");
}

/// Promise 2: also after a restart, and for commands that were enqueued one behind the other.
pub async fn an_aggregate_keeps_its_partition<W: Logs>() {
    let setup = Setup { partitions: 5, ..Setup::DEFAULT };
    let mut world = W::fresh(setup).await;
    let mut last: Option<Position> = None;
    for _ in 0..3 {
        let log = world.command_log().await;
        let waiting: Vec<_> =
            (0..20).map(|number| log.append(numbered("a", number)).expect("takes it")).collect();
        for delivery in waiting {
            let delivered = within::<W, _>("a delivery", delivery).await;
            let Delivered::At(position) = delivered else { panic!("not delivered") };
            if let Some(before) = last.replace(position) {
                assert_eq!(position.partition, before.partition, "an aggregate has moved");
                assert!(position.offset > before.offset, "a command was overtaken");
            }
        }
        drop(log);
        world = world.restart(setup).await;
    }
}

/// Promise 3: what was refused, or said not to be delivered, is not in the log, now or after a
/// restart; what was acknowledged beside it is.
pub async fn a_refused_command_is_never_in_the_log<W: Logs>() {
    let setup = Setup { partitions: 1, waiting: Waiting::Tight, ..Setup::DEFAULT };
    let world = W::fresh(setup).await;
    let log = world.command_log().await;
    let (mut waiting, mut refused) = (Vec::new(), BTreeSet::new());
    for number in 0..20_000 {
        match log.append(numbered("a", number)) {
            Ok(delivery) => waiting.push((number, delivery)),
            Err(NotAccepted::Full) => {
                refused.insert(format!("r{number}"));
            }
            Err(other) => panic!("the log is full at most, but: {other}"),
        }
    }
    assert!(!refused.is_empty(), "a log with a tight limit has refused nothing");
    let mut acknowledged = BTreeSet::new();
    for (number, delivery) in waiting {
        match within::<W, _>("a delivery", delivery).await {
            Delivered::At(_) => acknowledged.insert(format!("r{number}")),
            Delivered::Not(_) => refused.insert(format!("r{number}")),
            Delivered::Unknown => panic!("nothing has failed, and a delivery is unknown"),
        };
    }
    drop(log);
    let world = world.restart(setup).await;
    let read = read_all(&world).await;
    let read: BTreeSet<String> = read.values().map(|one| one.request.to_string()).collect();
    assert!(read.is_disjoint(&refused), "a refused command is in the log");
    assert_eq!(read, acknowledged, "not what was acknowledged");
}

/// Promise 4: a record that was read is there after an abrupt end, whether or not its appender has
/// been told.
pub async fn what_was_read_survives_a_restart<W: Logs>() {
    let setup = Setup { partitions: 1, ..Setup::DEFAULT };
    let mut world = W::fresh(setup).await;
    for turn in 1..=4 {
        let log = world.command_log().await;
        // Nobody waits for the deliveries: the restart comes as soon as the records are read.
        for number in 0..5 {
            drop(log.append(numbered("a", number)).expect("the log takes it"));
        }
        let (feed, lanes) = sole_member::<W, Requests>(&world).await;
        let shown = read::<W, _>(&lanes[&0], turn * 5).await;
        drop((log, feed, lanes));
        world = world.restart(setup).await;
        let (_feed, lanes) = sole_member::<W, Requests>(&world).await;
        let again = read::<W, _>(&lanes[&0], turn * 5).await;
        assert_eq!(again, shown, "what was read is not there after the restart");
    }
}

/// Promise 5: the ends are at or above what was acknowledged, and 0 in an empty partition.
pub async fn ends_are_above_what_was_acknowledged<W: Logs>() {
    let setup = Setup { partitions: 4, ..Setup::DEFAULT };
    let world = W::fresh(setup).await;
    let log = world.command_log().await;
    assert_eq!(log.ends().await.expect("reads"), [0, 0, 0, 0], "a new log has ends");
    let mut counts = vec![0; 4];
    for number in 0..40 {
        let position = append(&world, &numbered(&format!("a{number}"), number)).await;
        let ends = log.ends().await.expect("reads");
        let end = ends[position.partition as usize];
        assert!(end > position.offset, "an end is below what was acknowledged");
        counts[position.partition as usize] += 1;
    }
    assert_eq!(log.ends().await.expect("reads"), counts);
    drop(log);
    let world = world.restart(setup).await;
    assert_eq!(world.command_log().await.ends().await.expect("reads"), counts, "after a restart");
}

/// Promise 5: the progress is at or above what any member has saved, and none where none was.
pub async fn progress_is_above_what_was_saved<W: Logs>() {
    let setup = Setup { partitions: 2, ..Setup::DEFAULT };
    let world = W::fresh(setup).await;
    let log = world.command_log().await;
    for number in 0..20 {
        append(&world, &numbered(&format!("a{number}"), number)).await;
    }
    assert_eq!(log.progress().await.expect("reads"), [None, None], "nothing was saved");
    let (_feed, lanes) = sole_member::<W, Requests>(&world).await;
    for progress in 1..=3 {
        lanes[&1].save(progress).await.expect("saves");
        let read = log.progress().await.expect("reads");
        assert_eq!(read, [None, Some(progress)], "a saved progress is not shown");
    }
    lanes[&0].save(0).await.expect("saves");
    assert_eq!(log.progress().await.expect("reads"), [Some(0), Some(3)]);
    drop((log, _feed, lanes));
    let world = world.restart(setup).await;
    let read = world.command_log().await.progress().await.expect("reads");
    assert_eq!(read, [Some(0), Some(3)], "saved progress was lost");
}

/// Promise 1: pruning takes nothing that lies at or above the saved progress, and nothing where
/// none was saved; the offsets stay what they were.
pub async fn pruning_leaves_what_is_not_done<W: Logs>() {
    let setup = Setup { partitions: 2, ..Setup::DEFAULT };
    let world = W::fresh(setup).await;
    let mut written = BTreeMap::new();
    for number in 0..20 {
        let one = numbered(&format!("a{number}"), number);
        written.insert(append(&world, &one).await, one);
    }
    let log = world.command_log().await;
    let ends = log.ends().await.expect("reads");
    let (mut feed, lanes) = sole_member::<W, Requests>(&world).await;
    lanes[&0].save(2).await.expect("saves");
    let far_future = time(u64::from(u32::MAX) * 1_000_000_000);
    log.prune(far_future).await.expect("prunes");
    assert_eq!(log.ends().await.expect("reads"), ends, "pruning moves no end");
    assert_eq!(log.progress().await.expect("reads"), [Some(2), None]);
    feed.leave();
    drop((log, feed, lanes));
    let world = world.restart(setup).await;
    written.retain(|position, _| position.partition == 1 || position.offset >= 2);
    assert_eq!(read_all(&world).await, written, "pruning took what is not done");
}

/// Promise 1: pruning takes nothing that is younger than asked for, not even what is done.
pub async fn pruning_leaves_what_is_young<W: Logs>() {
    let world = W::fresh(Setup { partitions: 1, ..Setup::DEFAULT }).await;
    for number in 0..3 {
        append(&world, &numbered("a", number)).await;
    }
    let (_feed, lanes) = sole_member::<W, Requests>(&world).await;
    lanes[&0].save(3).await.expect("saves");
    world.command_log().await.prune(ordain_model::Timestamp::default()).await.expect("prunes");
    // The lane was given out before anything was saved, so it still begins at the beginning.
    let records = read::<W, _>(&lanes[&0], 3).await;
    assert_eq!(records.len(), 3, "pruning took what is young");
}
