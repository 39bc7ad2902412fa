//! What the driver calls back with, handed over to the thread that polls it.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};
use serde::Deserialize;

use super::lock;
use crate::broker;

/// Partitions that come or go. The driver waits until this is carried out.
#[derive(Debug)]
pub(crate) enum Move {
    Come(TopicPartitionList),
    Go(TopicPartitionList),
}

/// Keeps what is to be moved until the thread has time for it.
#[derive(Debug, Default)]
pub(crate) struct Handover {
    moves: Mutex<VecDeque<Move>>,
    /// Whether the thread carries nothing out any more: the consumer is being closed.
    closing: AtomicBool,
    /// Whether the driver has said lately that the group counts it among its members.
    is_member: AtomicBool,
    /// How often in a row the driver has said that it has no coordinator of the group.
    away: AtomicU32,
    /// Whether it has said so lately, and not for the first time.
    is_away: AtomicBool,
}

/// For a moment a coordinator is missing whenever it moves.
const AWAY_TELLS_MIN: u32 = 2;

/// What concerns the membership of what the driver tells of itself now and then.
#[derive(Deserialize)]
struct Statistics {
    cgrp: Option<Group>,
}

#[derive(Deserialize)]
struct Group {
    state: String,
    join_state: String,
}

impl Handover {
    /// What comes next, if anything.
    pub(crate) fn take(&self) -> Option<Move> {
        lock(&self.moves).pop_front()
    }

    /// Whether the driver has said since the last look that the group counts it among its members.
    pub(crate) fn was_member(&self) -> bool {
        self.is_member.swap(false, Ordering::AcqRel)
    }

    /// Whether the driver has said since the last look that it goes on without a coordinator.
    pub(crate) fn was_away(&self) -> bool {
        self.is_away.swap(false, Ordering::AcqRel)
    }

    /// From now on whatever moves is carried out at once.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }
}

impl ClientContext for Handover {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        broker::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        broker::report(&error, reason);
    }

    /// The only way in which the driver tells that the coordinator of the group is found again, and
    /// that nothing has to be joined anew; or that it is refused again for the reason for which it
    /// was refused before.
    fn stats_raw(&self, statistics: &[u8]) {
        let told = serde_json::from_slice::<Statistics>(statistics);
        let Some(group) = told.ok().and_then(|told| told.cgrp) else { return };
        if group.state != "up" {
            let before = self.away.fetch_add(1, Ordering::AcqRel);
            self.is_away.store(before + 1 >= AWAY_TELLS_MIN, Ordering::Release);
            return;
        }
        self.away.store(0, Ordering::Release);
        self.is_away.store(false, Ordering::Release);
        if group.join_state == "steady" {
            self.is_member.store(true, Ordering::Release);
        }
    }
}

impl ConsumerContext for Handover {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        err: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let step = match err {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Move::Come(partitions.clone()),
            _ => Move::Go(partitions.clone()),
        };
        if self.closing.load(Ordering::Acquire) {
            carry_out_or_log(consumer, &step);
        } else {
            lock(&self.moves).push_back(step);
        }
    }
}

/// Tells the driver that partitions have come or gone.
pub(crate) fn carry_out(consumer: &BaseConsumer<Handover>, step: &Move) -> KafkaResult<()> {
    let is_incremental = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
    match step {
        Move::Come(partitions) if is_incremental => consumer.incremental_assign(partitions),
        Move::Come(partitions) => consumer.assign(partitions),
        Move::Go(partitions) if is_incremental => consumer.incremental_unassign(partitions),
        Move::Go(_) => consumer.unassign(),
    }
}

/// The same where nobody can do anything about its failing.
pub(crate) fn carry_out_or_log(consumer: &BaseConsumer<Handover>, step: &Move) {
    if let Err(error) = carry_out(consumer, step) {
        tracing::warn!(%error, "kafka_move_failed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coordinator_that_is_found_again_is_not_said_to_be_away() {
        let handover = Handover::default();
        let tell = |state: &str| {
            let told = format!(r#"{{"cgrp":{{"state":"{state}","join_state":"steady"}}}}"#);
            handover.stats_raw(told.as_bytes());
        };
        ["query-coord", "query-coord"].into_iter().for_each(tell);
        assert!(handover.was_away() && !handover.was_away(), "said once, until it is said again");
        ["query-coord", "query-coord", "up"].into_iter().for_each(tell);
        assert!(!handover.was_away());
        tell("query-coord");
        assert!(!handover.was_away(), "for a moment it may be missing");
    }
}
