//! A group: its members share the partitions of a log. Who holds which partition, and up to where
//! each is done.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::fault::Fault;
use crate::log::Kind;
use crate::queue::lock;
use crate::record;
use crate::tables::{Table, Tables};
use crate::{Settings, key};

/// All groups on one log.
pub(crate) struct Groups {
    kind: Kind,
    partitions: u32,
    revoke: Duration,
    groups: Mutex<HashMap<String, Arc<Group>>>,
}

impl Groups {
    /// The groups that the tables know.
    pub(crate) fn open(
        kind: Kind,
        partitions: u32,
        tables: &Tables,
        settings: &Settings,
    ) -> Result<Self, Fault> {
        let mut saved: HashMap<String, Vec<Option<u64>>> = HashMap::new();
        for pair in tables
            .view()
            .prefix(Table::Notes, &key::all_progress(kind.byte()))
        {
            let (key, value) = pair?;
            let unreadable = |why| Fault::Unreadable {
                what: "progress".to_owned(),
                why,
            };
            let progress = record::number(&value).map_err(unreadable)?;
            let Some((partition, group)) = key::group_of_progress(&key) else {
                continue;
            };
            let slots = saved.entry(group.to_owned()).or_default();
            slots.resize(partitions as usize, None);
            if let Some(slot) = slots.get_mut(partition as usize) {
                *slot = Some(progress);
            }
        }
        let revoke = Duration::from_millis(settings.revoke_ms_max);
        let group = |(name, saved): (String, Vec<_>)| {
            let group = Arc::new(Group::new(kind, &name, &saved, revoke));
            (name, group)
        };
        let groups = Mutex::new(saved.into_iter().map(group).collect());
        Ok(Self {
            kind,
            partitions,
            revoke,
            groups,
        })
    }

    /// The group of that name; there is one for every name.
    pub(crate) fn get(&self, name: &str) -> Arc<Group> {
        let mut groups = lock(&self.groups);
        if let Some(group) = groups.get(name) {
            return Arc::clone(group);
        }
        let nothing = vec![None; self.partitions as usize];
        let group = Arc::new(Group::new(self.kind, name, &nothing, self.revoke));
        groups.insert(name.to_owned(), Arc::clone(&group));
        group
    }
}

/// The members of one group and what they hold.
pub(crate) struct Group {
    kind: Kind,
    name: String,
    revoke: Duration,
    state: Mutex<State>,
}

struct State {
    slots: Vec<Slot>,
    members: BTreeMap<u64, Member>,
    next_member: u64,
    next_epoch: u64,
}

/// A partition, as the group has it.
struct Slot {
    lease: Lease,
    /// The durable progress.
    saved: Option<u64>,
    /// Saves that are being written. Until they are, nobody knows where the next lane begins.
    saving: usize,
}

enum Lease {
    Free,
    Held(Holder),
    /// The holder may still save until then.
    Revoked(Holder, Instant),
}

/// Who holds a partition. The epoch tells one holding from every other; a lane whose epoch is no
/// longer that of its partition is fenced.
struct Holder {
    member: u64,
    epoch: u64,
    taken: bool,
    signal: Arc<Notify>,
}

struct Member {
    signal: Arc<Notify>,
    /// Partitions that were given to it and that it has not taken yet.
    given: VecDeque<u32>,
}

/// A partition that a member has taken.
pub(crate) struct Grant {
    pub(crate) partition: u32,
    pub(crate) epoch: u64,
    pub(crate) progress: Option<u64>,
    pub(crate) signal: Arc<Notify>,
}

/// How a lane stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Held,
    Revoked,
    Fenced,
}

impl Group {
    fn new(kind: Kind, name: &str, saved: &[Option<u64>], revoke: Duration) -> Self {
        let slots = saved
            .iter()
            .map(|&saved| Slot {
                lease: Lease::Free,
                saved,
                saving: 0,
            })
            .collect();
        let state = State {
            slots,
            members: BTreeMap::new(),
            next_member: 0,
            next_epoch: 0,
        };
        Self {
            kind,
            name: name.to_owned(),
            revoke,
            state: Mutex::new(state),
        }
    }

    /// The key under which the progress of a partition is kept.
    pub(crate) fn key(&self, partition: u32) -> Vec<u8> {
        key::progress(self.kind.byte(), &self.name, partition)
    }

    /// A new member; the partitions are shared out anew.
    pub(crate) fn join(&self) -> (u64, Arc<Notify>) {
        let mut state = lock(&self.state);
        let member = state.next_member;
        state.next_member += 1;
        let signal = Arc::new(Notify::new());
        let given = VecDeque::new();
        state.members.insert(
            member,
            Member {
                signal: Arc::clone(&signal),
                given,
            },
        );
        state.share_out(self.revoke);
        (member, signal)
    }

    /// A member leaves: what it holds is revoked, and moves once dropped.
    pub(crate) fn leave(&self, member: u64) {
        let mut state = lock(&self.state);
        state.members.remove(&member);
        for slot in &mut state.slots {
            slot.revoke_from(member, self.revoke);
        }
        state.share_out(self.revoke);
    }

    /// A member is gone without a word: what it holds is fenced and moves at once.
    pub(crate) fn crash(&self, member: u64) {
        let mut state = lock(&self.state);
        state.members.remove(&member);
        for slot in &mut state.slots {
            slot.free_if(|holder| holder.member == member);
        }
        state.share_out(self.revoke);
    }

    /// The next partition that was given to this member, or until when at most to wait for one.
    pub(crate) fn take(&self, member: u64) -> Result<Grant, Option<Instant>> {
        let mut state = lock(&self.state);
        state.expire();
        if let Some(grant) = state.grant(member) {
            return Ok(grant);
        }
        Err(state.next_expiry())
    }

    /// A lane was dropped.
    pub(crate) fn release(&self, partition: u32, epoch: u64) {
        let mut state = lock(&self.state);
        if let Some(slot) = state.slots.get_mut(partition as usize) {
            slot.free_if(|holder| holder.epoch == epoch);
        }
        state.hand_out();
    }

    /// How a lane stands now.
    pub(crate) fn standing(&self, partition: u32, epoch: u64) -> Standing {
        let mut state = lock(&self.state);
        state.expire();
        let slot = state.slots.get(partition as usize);
        slot.map_or(Standing::Fenced, |slot| slot.standing(epoch))
    }

    /// The durable progress of every partition.
    pub(crate) fn progress(&self) -> Vec<Option<u64>> {
        lock(&self.state)
            .slots
            .iter()
            .map(|slot| slot.saved)
            .collect()
    }

    /// A lane's save is about to be written; says whether the lane may still save. If so, its
    /// partition has no next lane before `show_progress`.
    pub(crate) fn begin_save(&self, partition: u32, epoch: u64) -> bool {
        let mut state = lock(&self.state);
        state.expire();
        match state.slots.get_mut(partition as usize) {
            Some(slot) if slot.standing(epoch) != Standing::Fenced => {
                slot.saving += 1;
                true
            }
            _ => false,
        }
    }

    /// This progress has become durable.
    pub(crate) fn show_progress(&self, partition: u32, progress: u64) {
        let mut state = lock(&self.state);
        let state = &mut *state;
        let Some(slot) = state.slots.get_mut(partition as usize) else {
            return;
        };
        slot.saved = slot.saved.max(Some(progress));
        slot.saving -= 1;
        if let Lease::Held(Holder {
            member,
            taken: false,
            ..
        }) = &slot.lease
            && let Some(member) = state.members.get(member)
        {
            member.signal.notify_one();
        }
    }
}

impl State {
    /// Takes from members what is more than their share, and gives out what is free.
    fn share_out(&mut self, revoke: Duration) {
        let mut held = self.held();
        // Who holds most keeps the odd partition, so that as little as possible moves.
        held.sort_by_key(|&(member, held)| (std::cmp::Reverse(held), member));
        let count = held.len().max(1);
        let (share, odd) = (self.slots.len() / count, self.slots.len() % count);
        for (place, (member, held)) in held.into_iter().enumerate() {
            let surplus = held.saturating_sub(share + usize::from(place < odd));
            let of_member = |slot: &&mut Slot| slot.is_held_by(member);
            for slot in self.slots.iter_mut().rev().filter(of_member).take(surplus) {
                slot.revoke_from(member, revoke);
            }
        }
        self.hand_out();
    }

    /// Gives each free partition to the member that holds least.
    fn hand_out(&mut self) {
        let mut held = self.held();
        for (slot, partition) in self.slots.iter_mut().zip(0..) {
            if !matches!(slot.lease, Lease::Free) {
                continue;
            }
            let Some((member, held)) = held.iter_mut().min_by_key(|(_, held)| *held) else {
                return;
            };
            *held += 1;
            self.next_epoch += 1;
            slot.lease = Lease::Held(Holder {
                member: *member,
                epoch: self.next_epoch,
                taken: false,
                signal: Arc::new(Notify::new()),
            });
            if let Some(member) = self.members.get_mut(member) {
                member.given.push_back(partition);
                member.signal.notify_one();
            }
        }
    }

    /// How many partitions each member holds.
    fn held(&self) -> Vec<(u64, usize)> {
        let count = |member: u64| {
            self.slots
                .iter()
                .filter(|slot| slot.is_held_by(member))
                .count()
        };
        self.members
            .keys()
            .map(|&member| (member, count(member)))
            .collect()
    }

    /// Fences the lanes whose time to save has passed.
    fn expire(&mut self) {
        let now = Instant::now();
        let mut expired = false;
        for slot in &mut self.slots {
            if matches!(slot.lease, Lease::Revoked(_, until) if until <= now) {
                slot.lease = Lease::Free;
                expired = true;
            }
        }
        if expired {
            self.hand_out();
        }
    }

    fn next_expiry(&self) -> Option<Instant> {
        let until = |slot: &Slot| match slot.lease {
            Lease::Revoked(_, until) => Some(until),
            Lease::Free | Lease::Held(_) => None,
        };
        self.slots.iter().filter_map(until).min()
    }

    /// The first partition that was given to this member and that it can begin with.
    fn grant(&mut self, member: u64) -> Option<Grant> {
        let State { slots, members, .. } = self;
        let given = &mut members.get_mut(&member)?.given;
        // What was taken back since is not given any more.
        given.retain(|&partition| {
            slots
                .get(partition as usize)
                .is_some_and(|slot| slot.waits_for(member))
        });
        let ready = |&partition: &u32| {
            slots
                .get(partition as usize)
                .is_some_and(|slot| slot.saving == 0)
        };
        let partition = given.remove(given.iter().position(ready)?)?;
        let slot = slots.get_mut(partition as usize)?;
        let progress = slot.saved;
        let Lease::Held(holder) = &mut slot.lease else {
            return None;
        };
        holder.taken = true;
        let signal = Arc::clone(&holder.signal);
        Some(Grant {
            partition,
            epoch: holder.epoch,
            progress,
            signal,
        })
    }
}

impl Slot {
    fn standing(&self, epoch: u64) -> Standing {
        match &self.lease {
            Lease::Held(holder) if holder.epoch == epoch => Standing::Held,
            Lease::Revoked(holder, _) if holder.epoch == epoch => Standing::Revoked,
            _ => Standing::Fenced,
        }
    }

    /// Whether it was given to this member, which has not taken it yet.
    fn waits_for(&self, member: u64) -> bool {
        matches!(&self.lease, Lease::Held(holder) if holder.member == member && !holder.taken)
    }

    fn is_held_by(&self, member: u64) -> bool {
        matches!(&self.lease, Lease::Held(holder) if holder.member == member)
    }

    /// Revokes the lane that this member has; one that it has not taken yet is just taken back.
    fn revoke_from(&mut self, member: u64, revoke: Duration) {
        match std::mem::replace(&mut self.lease, Lease::Free) {
            Lease::Held(holder) if holder.member == member && holder.taken => {
                holder.signal.notify_one();
                self.lease = Lease::Revoked(holder, Instant::now() + revoke);
            }
            Lease::Held(holder) if holder.member == member => {}
            other => self.lease = other,
        }
    }

    fn free_if(&mut self, condition: impl Fn(&Holder) -> bool) {
        match &self.lease {
            Lease::Held(holder) | Lease::Revoked(holder, _) if condition(holder) => {
                holder.signal.notify_one();
                self.lease = Lease::Free;
            }
            _ => {}
        }
    }
}
