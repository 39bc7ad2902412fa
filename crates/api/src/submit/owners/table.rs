//! What is known of the owners at one moment, and what follows from it for each partition.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ordain_model::AggregateKey;
use ordain_ports::{Announced, Heartbeat, LaneBeat, partition_of};
use tokio::time::Instant;

use crate::Request;

/// How much the advice on when to try again is spread, either way: who is refused at once must not
/// come back at once.
const SPREAD: f64 = 0.2;

/// What is known of the owners.
#[derive(Debug)]
pub(crate) struct Table {
    /// When it was read.
    pub(crate) read: Instant,
    /// Why nothing is known.
    pub(crate) unread: Option<String>,
    /// The partitions.
    pub(crate) partitions: Vec<Partition>,
    /// The members, dead ones among them.
    pub(crate) members: Vec<Member>,
    /// The commands of this build that a worker which certainly lives does not announce.
    pub(super) unannounced: Vec<Announced>,
}

/// A member of the fleet.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// What it last said.
    pub(crate) heartbeat: Heartbeat,
    /// For how long it has been seen to stand still.
    pub(crate) still: Duration,
    /// Whether it counts as living.
    pub(crate) is_alive: bool,
    /// Whether this process has seen it beat: what was there before may be of one who is dead.
    pub(super) has_moved: bool,
}

/// A partition.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    /// The member that works it, and how it is doing.
    pub(crate) owner: Option<(String, LaneBeat)>,
    /// Whether nobody has worked it for so long that nothing is sent to it.
    pub(crate) is_missing: bool,
    /// Records that are not done.
    pub(crate) behind: u64,
    /// Records that its owner, or the one before, can handle in a second.
    pub(crate) capacity_per_second: Option<f64>,
    /// How long its oldest record had waited.
    pub(crate) oldest: Duration,
    /// Commands that were sent to it since, and are not known to be done.
    pub(super) sent: Arc<AtomicU64>,
    /// Until when the advice to try again is given away.
    pub(super) promised: Arc<Promised>,
}

/// Until when the advice to try again is given away. Who is told to come back takes a place in a
/// row that moves on as fast as records are handled; else all would come back at once, and be sent
/// away again.
#[derive(Debug)]
pub(super) struct Promised {
    begun: Instant,
    /// Microseconds after `begun`.
    until: AtomicU64,
}

/// A command that counts as sent to a partition. Once the owners are read again, it counts among
/// the records that stand in the log.
#[derive(Debug, Default)]
pub(in crate::submit) struct Sent(Option<Arc<AtomicU64>>);

impl Sent {
    /// It is done, or was never sent.
    pub(in crate::submit) fn done(&self) {
        if let Some(sent) = &self.0 {
            sent.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Default for Promised {
    fn default() -> Self {
        Self { begun: Instant::now(), until: AtomicU64::new(0) }
    }
}

impl Table {
    /// Nothing is known.
    pub(super) fn unread(why: String) -> Self {
        let (partitions, members, unannounced) = (Vec::new(), Vec::new(), Vec::new());
        Self { read: Instant::now(), unread: Some(why), partitions, members, unannounced }
    }

    /// Whether every worker that certainly lives announces the command, as this build knows it.
    pub(super) fn is_announced(&self, request: &Request) -> bool {
        let is_meant = |one: &Announced| {
            one.command == request.command.as_str()
                && one.aggregate_type == request.aggregate.aggregate_type()
        };
        !self.unannounced.iter().any(is_meant)
    }

    /// The partition that commands to this aggregate go to.
    pub(super) fn partition_of(&self, to: &AggregateKey) -> Option<&Partition> {
        let count = u32::try_from(self.partitions.len()).unwrap_or(u32::MAX);
        self.partitions.get(partition_of(to, count) as usize)
    }

    /// How long the oldest of all records has waited that are not done; no time, where that is not
    /// known.
    pub(crate) fn oldest(&self) -> Duration {
        let oldest = self.partitions.iter().map(|partition| partition.oldest).max();
        match oldest {
            Some(oldest) if !oldest.is_zero() => oldest + self.read.elapsed(),
            _ => Duration::ZERO,
        }
    }
}

impl Partition {
    /// Records that stand before a new one, as far as this process knows.
    pub(super) fn lag(&self) -> u64 {
        self.behind.saturating_add(self.sent.load(Ordering::Relaxed))
    }

    /// How long a new record waits for its turn, so long after the table was read.
    pub(crate) fn wait(&self, later: Duration) -> Option<Duration> {
        let seconds = self.lag() as f64 / self.capacity_per_second?;
        let wait = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        Some(wait.saturating_sub(later))
    }

    /// A command is sent to it.
    pub(super) fn sends(&self) -> Sent {
        self.sent.fetch_add(1, Ordering::Relaxed);
        Sent(Some(Arc::clone(&self.sent)))
    }

    /// When to try again, if there is room after this: behind all who were told so before. From
    /// one second to `max`, about.
    pub(super) fn promise(&self, room_after: Duration, max: Duration) -> Duration {
        let one = self.capacity_per_second.map_or(0.0, f64::recip);
        let one = Duration::try_from_secs_f64(one).unwrap_or(max);
        let Promised { begun, until } = &*self.promised;
        let now = begun.elapsed();
        let behind = |last: u64| {
            let last = Duration::from_micros(last).max(now + room_after.min(max));
            (last + one).min(now + max)
        };
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let next = |last| Some(micros(behind(last)));
        let last = until.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        let until = behind(last.unwrap_or_else(|last| last));
        spread(until.saturating_sub(now))
    }
}

/// About so long, and at least a second.
pub(super) fn spread(time: Duration) -> Duration {
    let factor = 1.0 + SPREAD * fastrand::f64().mul_add(2.0, -1.0);
    time.mul_f64(factor).max(Duration::from_secs(1))
}
