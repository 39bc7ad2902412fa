//! From the driver's queues into the lanes, as far as these have room.

use std::time::Duration;

use ordain_ports::{Position, Record};

use super::lane::Room;
use super::session::Session;
use super::slot::Slot;
use crate::record::{self, Recorded};

/// So many records of one partition at a time, so that all get their turn.
const RECORDS_AT_ONCE: usize = 512;

impl<R: Recorded> Session<'_, R> {
    /// Fills the lanes; says whether there may be more to do at once.
    pub(super) fn fill_lanes(&mut self) -> bool {
        let settings = &self.run.settings;
        let limit = Room { records: settings.lane_records_max, bytes: settings.lane_bytes_max };
        let mut more = false;
        for slot in self.slots.values_mut() {
            let Some(hold) = slot.hold().filter(|hold| !hold.is_revoked()).cloned() else {
                continue;
            };
            // Without room the queue is left alone: the driver then fetches no more of it.
            let Some(room) = hold.room(limit) else { continue };
            let records = take(slot, room);
            more |= records.len() >= RECORDS_AT_ONCE;
            if !records.is_empty() {
                hold.fill(records);
            }
        }
        more
    }
}

fn take<R: Recorded>(slot: &mut Slot<R>, room: Room) -> Vec<Record<R>> {
    let (mut records, mut bytes) = (Vec::new(), 0);
    while records.len() < room.records.min(RECORDS_AT_ONCE) && bytes < room.bytes {
        match slot.queue.poll(Duration::ZERO) {
            None => break,
            Some(Err(error)) => tracing::warn!(%error, "kafka_fetch_failed"),
            Some(Ok(message)) => {
                let record: Record<R> = record::record(&message);
                let offset = record.position.offset;
                if offset < slot.next {
                    tracing::warn!(offset, next = slot.next, "kafka_record_below_progress");
                    continue;
                }
                if offset > slot.next {
                    tell_gone::<R>((slot.next, &record.position));
                }
                slot.next = offset + 1;
                bytes += record.bytes;
                records.push(record);
            }
        }
    }
    records
}

/// Says that records are gone which nobody has handled: from this offset up to that position.
///
/// Of the log of requests that is for an operator: commands that were accepted are lost, for they
/// are nowhere else. Find out what deleted them (`retention.ms` and `retention.bytes` of the topic
/// must be -1, and nobody but Kafka may delete records), and let whoever sent commands at that time
/// look up their outcomes: what is UNKNOWN has to be sent again, under the same request id. Events
/// are in the commits as well, from which followers fill what they miss.
fn tell_gone<R: Recorded>((from, to): (u64, &Position)) {
    let (partition, to) = (to.partition, to.offset);
    if R::IS_SOLE {
        tracing::error!(partition, from, to, "kafka_records_gone");
    } else {
        tracing::warn!(partition, from, to, "kafka_records_gone");
    }
}
