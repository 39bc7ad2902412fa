//! From the driver's queues into the lanes, as far as these have room.

use std::time::Duration;

use ordain_ports::Record;

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
                slot.next = offset + 1;
                bytes += record.bytes;
                records.push(record);
            }
        }
    }
    records
}
