//! The watch: for how long each member's counter stands still, and each partition is without a
//! living owner, by this process's own clock and only while reads succeed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ordain_ports::{Announced, Heartbeat, LaneBeat};
use tokio::time::Instant;

use super::table::{Member, Partition, Promised, Table};

/// A partition that was added while this process watches may take so many times longer to get its
/// first owner.
const NEW_PARTITION: u32 = 5;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) beats: Vec<Heartbeat>,
    pub(super) progress: Vec<Option<u64>>,
    pub(super) ends: Vec<u64>,
}

/// What was seen until now.
#[derive(Debug)]
pub(super) struct Watch {
    /// The commands of this build.
    own: Vec<Announced>,
    missing_after: Duration,
    /// The longest time between two reads that counts as watched.
    step_max: Duration,
    /// When the last read ended; `None` when it failed.
    last: Option<Instant>,
    members: HashMap<String, Beaten>,
    /// What was not announced when the heartbeats were read last.
    unannounced: Vec<Announced>,
    partitions: Vec<Seen>,
}

/// What was seen of one member.
#[derive(Debug, Clone, Copy)]
struct Beaten {
    beat: u64,
    /// For how long it has stood still.
    still: Duration,
    /// Whether it was seen to beat.
    has_moved: bool,
}

/// What was seen of one partition.
#[derive(Debug, Default, Clone)]
struct Seen {
    /// For how long it has been without a living owner.
    without: Duration,
    /// Whether it was added lately and had no owner yet.
    is_new: bool,
    capacity_per_second: Option<f64>,
    oldest: Duration,
    promised: Arc<Promised>,
}

impl Watch {
    pub(super) fn new(own: Vec<Announced>, missing_after: Duration, step_max: Duration) -> Self {
        let (last, members, partitions) = (None, HashMap::new(), Vec::new());
        Self { own, missing_after, step_max, last, members, unannounced: Vec::new(), partitions }
    }

    /// The read failed: whatever stood still may have moved unseen. Whoever lived may live: what he
    /// does not know would still stop his lane.
    pub(super) fn forget(&mut self, why: String) -> Table {
        self.last = None;
        self.members.values_mut().for_each(|member| member.still = Duration::ZERO);
        self.partitions.iter_mut().for_each(|seen| seen.without = Duration::ZERO);
        Table { unannounced: self.unannounced.clone(), ..Table::unread(why) }
    }

    /// What a read that began then says, together with all that was seen before.
    pub(super) fn hear(&mut self, begun: Instant, heard: Heard) -> Table {
        let watched = |last| begun.saturating_duration_since(last).min(self.step_max);
        let step = self.last.map(watched);
        self.last = Some(Instant::now());
        let Heard { beats, progress, ends } = heard;
        let members = self.members(beats, step);
        let step = step.unwrap_or_default();
        self.make_room(ends.len());
        let mut table = Table { partitions: Vec::with_capacity(ends.len()), ..Table::heard() };
        self.unannounced = self.unannounced(&members);
        table.unannounced.clone_from(&self.unannounced);
        for (number, end) in ends.into_iter().enumerate() {
            let claims = Claims::of(&members, number);
            let saved = progress.get(number).copied().flatten();
            let done = saved.max(claims.lane.and_then(|lane| lane.progress)).unwrap_or(0);
            let behind = end.saturating_sub(done);
            if let Some(seen) = self.partitions.get_mut(number) {
                table.partitions.push(seen.hear(&claims, (behind, step), self.missing_after));
            }
        }
        table.members = members;
        table
    }

    /// The members, after so long a time since the read before, if that was one.
    fn members(&mut self, beats: Vec<Heartbeat>, step: Option<Duration>) -> Vec<Member> {
        let before = std::mem::take(&mut self.members);
        let hear = |heartbeat: Heartbeat| {
            let beat = heartbeat.beat;
            let beaten = match before.get(&heartbeat.member) {
                Some(before) if before.beat == beat => {
                    Beaten { still: before.still + step.unwrap_or_default(), ..*before }
                }
                Some(_) => Beaten { beat, still: Duration::ZERO, has_moved: true },
                // What has come between two reads was written between them.
                None => Beaten { beat, still: Duration::ZERO, has_moved: step.is_some() },
            };
            self.members.insert(heartbeat.member.clone(), beaten);
            let Beaten { still, has_moved, .. } = beaten;
            Member { heartbeat, still, is_alive: still < self.missing_after, has_moved }
        };
        beats.into_iter().map(hear).collect()
    }

    /// The commands of this build that not every worker announces of those that certainly live.
    fn unannounced(&self, members: &[Member]) -> Vec<Announced> {
        let lives = |member: &&Member| {
            let is_worker = member.heartbeat.role == Heartbeat::WORKER;
            is_worker && member.is_alive && member.has_moved
        };
        let workers: Vec<&Heartbeat> =
            members.iter().filter(lives).map(|member| &member.heartbeat).collect();
        let is_unknown =
            |own: &&Announced| workers.iter().any(|worker| !worker.announced.contains(own));
        self.own.iter().filter(is_unknown).cloned().collect()
    }

    fn make_room(&mut self, partitions: usize) {
        let is_new = !self.partitions.is_empty();
        self.partitions.resize_with(partitions, || Seen { is_new, ..Seen::default() });
    }
}

/// Who says to have a partition.
struct Claims<'a> {
    /// Who has moved last.
    member: Option<&'a Member>,
    lane: Option<&'a LaneBeat>,
}

impl<'a> Claims<'a> {
    fn of(members: &'a [Member], partition: usize) -> Self {
        let lane = |member: &'a Member| {
            let mut lanes = member.heartbeat.lanes.iter();
            let lane = lanes.find(|lane| lane.partition as usize == partition)?;
            Some((member, lane))
        };
        // Of two that move, the one who came later has it from the other.
        let order = |(member, _): &(&Member, &LaneBeat)| {
            (member.still, std::cmp::Reverse(member.heartbeat.started))
        };
        let (member, lane) = members.iter().filter_map(lane).min_by_key(order).unzip();
        Self { member, lane }
    }
}

impl Seen {
    fn hear(
        &mut self,
        claims: &Claims<'_>,
        (behind, step): (u64, Duration),
        missing_after: Duration,
    ) -> Partition {
        self.without = claims.member.map_or(self.without + step, |member| member.still);
        let alive = claims.member.filter(|member| member.is_alive).zip(claims.lane);
        self.is_new &= alive.is_none();
        if let Some(known) = claims.lane.and_then(|lane| lane.capacity_per_second) {
            self.capacity_per_second = Some(known);
        }
        self.oldest = match alive {
            _ if behind == 0 => Duration::ZERO,
            Some((member, lane)) => Duration::from_millis(lane.oldest_wait_ms) + member.still,
            None => self.oldest + step,
        };
        let bearable = if self.is_new { missing_after * NEW_PARTITION } else { missing_after };
        let is_stopped = alive.is_some_and(|(_, lane)| lane.stopped.is_some());
        Partition {
            owner: alive.map(|(member, lane)| (member.heartbeat.member.clone(), lane.clone())),
            is_missing: is_stopped || self.without >= bearable,
            behind,
            capacity_per_second: self.capacity_per_second,
            oldest: self.oldest,
            promised: Arc::clone(&self.promised),
            ..Partition::default()
        }
    }
}

impl Table {
    fn heard() -> Self {
        Self { unread: None, ..Self::unread(String::new()) }
    }
}
