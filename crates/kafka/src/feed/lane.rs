//! A lane: reads one partition and saves its progress.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ordain_ports::{Error, Gone, Input, Lane, Record};
use tokio::sync::{Notify, oneshot};

use super::{Desk, Order, lock};
use crate::fault::Fault;
use crate::record::Recorded;

const HELD: u8 = 0;
const REVOKED: u8 = 1;
const FENCED: u8 = 2;

/// The wrong variant lets a lane go on whose partition is another's, and saves what it says.
pub(super) fn is_kept_for_ever() -> bool {
    fail::fail_point!("broken-zombie-keeps-lane", |_| true);
    false
}

/// What a lane and its thread share.
pub(crate) struct Hold<R> {
    /// Tells this lane from earlier ones of the partition.
    pub(crate) id: u64,
    pub(crate) partition: u32,
    /// How many partitions the log has.
    partitions: u32,
    /// The progress that was saved when the lane was given out.
    progress: Option<u64>,
    /// Only ever grows.
    standing: AtomicU8,
    buffer: Mutex<Buffer<R>>,
    arrived: Notify,
}

/// Records that have arrived and wait to be read.
struct Buffer<R> {
    records: VecDeque<Record<R>>,
    /// The offset that is to come next out of it.
    next: u64,
    /// The first offset that the brokers still have, once that is known; 0 before.
    begin: u64,
    bytes: usize,
    /// Whether the thread has stopped filling it for want of room.
    is_full: bool,
}

/// How much room there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) records: usize,
    pub(crate) bytes: usize,
}

impl<R> Hold<R> {
    /// A lane of this partition of so many.
    pub(crate) fn new(id: u64, (partition, of): (u32, u32), progress: Option<u64>) -> Self {
        let (records, next) = (VecDeque::new(), progress.unwrap_or(0));
        let buffer = Buffer { records, next, begin: 0, bytes: 0, is_full: false };
        Self {
            id,
            partition,
            partitions: of,
            progress,
            standing: AtomicU8::new(HELD),
            buffer: Mutex::new(buffer),
            arrived: Notify::new(),
        }
    }

    pub(crate) fn is_revoked(&self) -> bool {
        self.standing.load(Ordering::Acquire) != HELD
    }

    pub(crate) fn is_fenced(&self) -> bool {
        self.standing.load(Ordering::Acquire) == FENCED
    }

    pub(crate) fn revoke(&self) {
        self.become_at_least(REVOKED);
    }

    pub(crate) fn fence(&self) {
        self.become_at_least(FENCED);
    }

    fn become_at_least(&self, standing: u8) {
        self.standing.fetch_max(standing, Ordering::AcqRel);
        self.arrived.notify_one();
    }

    /// How much room there is up to these limits. None is remembered, and told once there is some.
    pub(crate) fn room(&self, limit: Room) -> Option<Room> {
        let mut buffer = lock(&self.buffer);
        let records = limit.records.saturating_sub(buffer.records.len());
        let bytes = limit.bytes.saturating_sub(buffer.bytes);
        buffer.is_full = records == 0 || bytes == 0;
        (!buffer.is_full).then_some(Room { records, bytes })
    }

    /// These have arrived.
    pub(crate) fn fill(&self, records: Vec<Record<R>>) {
        let mut buffer = lock(&self.buffer);
        buffer.bytes += records.iter().map(|record| record.bytes).sum::<usize>();
        buffer.records.extend(records);
        drop(buffer);
        self.arrived.notify_one();
    }

    /// The brokers have nothing before this offset any more.
    pub(crate) fn begins_at(&self, begin: u64) {
        lock(&self.buffer).begin = begin;
        self.arrived.notify_one();
    }

    /// The records before those that are to come next, if the brokers no longer have them. A broker
    /// that takes over, or starts again, may have some that were said to be gone: they are given.
    fn take_gone(&self) -> Option<Gone> {
        let mut buffer = lock(&self.buffer);
        let first = buffer.records.front().map(|record| record.position.offset);
        let (from, to) = (buffer.next, first.unwrap_or_else(|| buffer.begin.max(buffer.next)));
        buffer.next = to;
        (from < to).then_some(Gone { from, to, partitions: self.partitions })
    }

    /// The first that have arrived, up to where some are gone, and whether the thread waits to be
    /// told that there is room.
    fn take(&self, records_max: usize, bytes_max: usize) -> (Vec<Record<R>>, bool) {
        let mut buffer = lock(&self.buffer);
        let (mut count, mut bytes) = (0, 0_usize);
        for (record, offset) in buffer.records.iter().zip(buffer.next..).take(records_max.max(1)) {
            let is_too_much = count > 0 && bytes.saturating_add(record.bytes) > bytes_max;
            if is_too_much || record.position.offset != offset {
                break;
            }
            count += 1;
            bytes = bytes.saturating_add(record.bytes);
        }
        buffer.next += count as u64;
        let taken = buffer.records.drain(..count).collect();
        buffer.bytes = buffer.bytes.saturating_sub(bytes);
        let was_full = count > 0 && std::mem::take(&mut buffer.is_full);
        (taken, was_full)
    }
}

/// The owner's end of a lane.
pub(crate) struct Reader<R> {
    pub(crate) hold: Arc<Hold<R>>,
    pub(crate) desk: Arc<Desk<R>>,
}

#[async_trait]
impl<R: Recorded> Lane<R> for Reader<R> {
    fn partition(&self) -> u32 {
        self.hold.partition
    }

    fn progress(&self) -> Option<u64> {
        self.hold.progress
    }

    async fn next(&self, records_max: usize, bytes_max: usize) -> Result<Input<R>, Error> {
        loop {
            if self.is_revoked() {
                return Ok(Input::Revoked);
            }
            if let Some(gone) = self.hold.take_gone() {
                tell_gone::<R>(self.hold.partition, gone);
                return Ok(Input::Gone(gone));
            }
            let (records, was_full) = self.hold.take(records_max, bytes_max);
            if was_full {
                self.desk.wake();
            }
            if !records.is_empty() {
                return Ok(Input::Records(records));
            }
            self.hold.arrived.notified().await;
        }
    }

    async fn save(&self, progress: u64) -> Result<(), Error> {
        if self.hold.is_fenced() {
            return Err(Fault::Fenced.into());
        }
        let (told, saved) = oneshot::channel();
        let (partition, lane) = (self.hold.partition, self.hold.id);
        self.desk.order(Order::Save { partition, lane, progress, told });
        // The thread is gone only when the member is: then the lane is fenced.
        Ok(saved.await.unwrap_or(Err(Fault::Fenced))?)
    }

    fn is_revoked(&self) -> bool {
        self.hold.is_revoked()
    }
}

impl<R> Drop for Reader<R> {
    fn drop(&mut self) {
        let (partition, lane) = (self.hold.partition, self.hold.id);
        self.desk.order(Order::Dropped { partition, lane });
    }
}

/// Says that records are gone which nobody has handled.
///
/// Of the log of requests that is for an operator: commands that were accepted are lost, for they
/// are nowhere else. Find out what deleted them (`retention.ms` and `retention.bytes` of the topic
/// must be -1, and nobody but Kafka may delete records), and let whoever sent commands at that time
/// look up their outcomes: what is UNKNOWN has to be sent again, under the same request id. Events
/// are in the commits as well, from which followers take what they miss.
fn tell_gone<R: Recorded>(partition: u32, Gone { from, to, .. }: Gone) {
    if R::IS_SOLE {
        tracing::error!(partition, from, to, "kafka_records_gone");
    } else {
        tracing::warn!(partition, from, to, "kafka_records_gone");
    }
}

#[cfg(test)]
mod tests {
    use ordain_model::Timestamp;
    use ordain_ports::{Content, Position};

    use super::*;

    fn records(offsets: impl IntoIterator<Item = u64>) -> Vec<Record<()>> {
        let record = |offset| Record {
            position: Position { partition: 3, offset },
            time: Timestamp::default(),
            bytes: 1,
            content: Content::Whole(()),
        };
        offsets.into_iter().map(record).collect()
    }

    fn hold(progress: Option<u64>) -> Hold<()> {
        Hold::new(1, (3, 7), progress)
    }

    fn gone(from: u64, to: u64) -> Option<Gone> {
        Some(Gone { from, to, partitions: 7 })
    }

    fn taken(hold: &Hold<()>) -> Vec<u64> {
        let (records, _) = hold.take(100, 100);
        records.iter().map(|record| record.position.offset).collect()
    }

    #[test]
    fn what_is_gone_is_told_once_where_it_stood() {
        let hold = hold(Some(2));
        hold.fill(records([2, 3, 7, 8]));
        assert_eq!(hold.take_gone(), None);
        assert_eq!(taken(&hold), [2, 3]);
        assert_eq!(hold.take_gone(), gone(4, 7));
        assert_eq!(hold.take_gone(), None);
        assert_eq!(taken(&hold), [7, 8]);
        assert_eq!(hold.take_gone(), None);
    }

    #[test]
    fn a_begin_counts_where_nothing_has_arrived() {
        let told = hold(None);
        assert_eq!(told.take_gone(), None);
        told.begins_at(5);
        assert_eq!(told.take_gone(), gone(0, 5));
        assert_eq!(told.take_gone(), None);
        told.fill(records([5]));
        assert_eq!(told.take_gone(), None);
        assert_eq!(taken(&told), [5]);
        let known = hold(Some(9));
        known.begins_at(9);
        assert_eq!(known.take_gone(), None);
    }

    #[test]
    fn a_lane_does_not_stand_still_when_what_was_gone_comes_nevertheless() {
        let hold = hold(Some(1));
        hold.begins_at(4);
        assert_eq!(hold.take_gone(), gone(1, 4));
        hold.fill(records([1, 2, 3, 4]));
        assert_eq!(hold.take_gone(), None);
        assert_eq!(taken(&hold), [1, 2, 3, 4]);
    }
}
