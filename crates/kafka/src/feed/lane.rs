//! A lane: reads one partition and saves its progress.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ordain_ports::{Error, Gone, Input, Lane, Record};
use tokio::sync::{Notify, oneshot};

use super::clerk::Stand;
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
    /// Where the partition stood when the lane was given out.
    stand: Stand,
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
    pub(crate) fn new(id: u64, partition: u32, stand: Stand) -> Self {
        let next = stand.saved.unwrap_or(0);
        let buffer = Buffer { records: VecDeque::new(), next, bytes: 0, is_full: false };
        Self {
            id,
            partition,
            stand,
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

    /// The records before what is to come next, if the brokers no longer have them.
    fn take_gone(&self) -> Option<Gone> {
        let mut buffer = lock(&self.buffer);
        let first = buffer.records.front().map_or(0, |record| record.position.offset);
        let (from, to) = (buffer.next, first.max(self.stand.start));
        buffer.next = from.max(to);
        (from < to).then_some(Gone { from, to, partitions: self.stand.partitions })
    }

    /// The first that have arrived, up to where some are gone, and whether the thread waits to be
    /// told that there is room.
    fn take(&self, records_max: usize, bytes_max: usize) -> (Vec<Record<R>>, bool) {
        let mut buffer = lock(&self.buffer);
        let (mut count, mut bytes) = (0, 0_usize);
        for (record, offset) in buffer.records.iter().zip(buffer.next..).take(records_max.max(1)) {
            let is_full = count > 0 && bytes.saturating_add(record.bytes) > bytes_max;
            if is_full || record.position.offset != offset {
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
        self.hold.stand.saved
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
