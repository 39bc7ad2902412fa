//! The thread of a member: one membership after the other, until it leaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::session::{End, Session};
use super::standing::Standing;
use super::{Desk, Order};
use crate::fault::Fault;
use crate::record::Recorded;
use crate::settings::Settings;

/// So long after a membership has failed the next begins.
const PAUSE: Duration = Duration::from_millis(500);

/// What the thread works with.
pub(crate) struct Run<R> {
    pub(crate) settings: Settings,
    pub(crate) topic: String,
    pub(crate) group: String,
    /// How many partitions the topic had when the member joined.
    pub(crate) partitions: u32,
    pub(crate) standing: Standing,
    pub(crate) desk: Arc<Desk<R>>,
}

impl<R: Recorded> Run<R> {
    /// Is a member until told to be none.
    pub(crate) fn run(self) {
        // Set once, here, and the thread runs once.
        drop(self.desk.thread.set(thread::current()));
        loop {
            let failed = match Session::start(&self).map(Session::run) {
                Ok(End::Left) => break,
                Ok(End::Failed(fault)) | Err(fault) => fault,
            };
            self.desk.end_lanes();
            metrics::counter!("ordain_kafka_memberships_failed").increment(1);
            tracing::warn!(fault = %failed, group = self.group, "kafka_membership_failed");
            if failed.needs_person() {
                self.standing.refused(&failed);
            }
            if matches!(failed, Fault::SameInstance) {
                self.desk.give_up(failed);
                break;
            }
            if self.desk.has_left() || !self.pause() {
                break;
            }
        }
        self.desk.close();
    }

    /// Waits before the next membership; says whether there is to be one.
    fn pause(&self) -> bool {
        let end = Instant::now() + PAUSE;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            // Whoever saves is told that the lane is fenced: the order is dropped.
            for order in self.desk.take_orders() {
                match order {
                    Order::Leave | Order::Crash => return false,
                    Order::Dropped { lane, .. } => self.desk.forget(lane),
                    Order::Save { .. } | Order::Answer(_) => {}
                }
            }
            thread::park_timeout(left);
        }
        true
    }
}

/// A number that no lane of this process has had.
pub(crate) fn next_lane() -> u64 {
    static LANES: AtomicU64 = AtomicU64::new(1);
    LANES.fetch_add(1, Ordering::Relaxed)
}
