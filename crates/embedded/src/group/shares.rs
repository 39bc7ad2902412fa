//! How the partitions of a log are shared out among the members of a group.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::{Grant, Standing};

/// What the members of a group hold.
pub(super) struct Shares {
    pub(super) slots: Vec<Slot>,
    pub(super) members: BTreeMap<u64, Member>,
    next_member: u64,
    next_epoch: u64,
}

/// A partition, as the group has it.
pub(super) struct Slot {
    pub(super) lease: Lease,
    /// The durable progress.
    pub(super) saved: Option<u64>,
    /// Saves that are being written. Until they are, nobody knows where the next lane begins.
    pub(super) saving: usize,
}

/// Who may read and save a partition.
pub(super) enum Lease {
    Free,
    Held(Holder),
    /// The holder may still save until then.
    Revoked(Holder, Instant),
}

/// Who holds a partition. The epoch tells one holding from every other; a lane whose epoch is no
/// longer that of its partition is fenced.
pub(super) struct Holder {
    pub(super) member: u64,
    pub(super) epoch: u64,
    pub(super) taken: bool,
    pub(super) signal: Arc<Notify>,
}

/// A member, as the group has it.
pub(super) struct Member {
    pub(super) signal: Arc<Notify>,
    /// Partitions that were given to it and that it has not taken yet.
    given: VecDeque<u32>,
}

impl Shares {
    pub(super) fn new(saved: &[Option<u64>]) -> Self {
        let slot = |&saved: &Option<u64>| Slot { lease: Lease::Free, saved, saving: 0 };
        let slots = saved.iter().map(slot).collect();
        Self { slots, members: BTreeMap::new(), next_member: 0, next_epoch: 0 }
    }

    /// One more member, which holds nothing yet.
    pub(super) fn add_member(&mut self) -> (u64, Arc<Notify>) {
        let member = self.next_member;
        self.next_member += 1;
        let signal = Arc::new(Notify::new());
        let given = VecDeque::new();
        self.members.insert(member, Member { signal: Arc::clone(&signal), given });
        (member, signal)
    }

    /// Takes from members what is more than their share, and gives out what is free.
    pub(super) fn share_out(&mut self, revoke: Duration) {
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
    pub(super) fn hand_out(&mut self) {
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
        let count = |member: u64| self.slots.iter().filter(|slot| slot.is_held_by(member)).count();
        self.members.keys().map(|&member| (member, count(member))).collect()
    }

    /// Fences the lanes whose time to save has passed.
    pub(super) fn expire(&mut self) {
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

    pub(super) fn next_expiry(&self) -> Option<Instant> {
        let until = |slot: &Slot| match slot.lease {
            Lease::Revoked(_, until) => Some(until),
            Lease::Free | Lease::Held(_) => None,
        };
        self.slots.iter().filter_map(until).min()
    }

    /// The first partition that was given to this member and that it can begin with.
    pub(super) fn grant(&mut self, member: u64) -> Option<Grant> {
        let Self { slots, members, .. } = self;
        let given = &mut members.get_mut(&member)?.given;
        // What was taken back since is not given any more.
        given.retain(|&partition| {
            slots.get(partition as usize).is_some_and(|slot| slot.waits_for(member))
        });
        let ready =
            |&partition: &u32| slots.get(partition as usize).is_some_and(|slot| slot.saving == 0);
        let partition = given.remove(given.iter().position(ready)?)?;
        let slot = slots.get_mut(partition as usize)?;
        let progress = slot.saved;
        let Lease::Held(holder) = &mut slot.lease else {
            return None;
        };
        holder.taken = true;
        let signal = Arc::clone(&holder.signal);
        Some(Grant { partition, epoch: holder.epoch, progress, signal })
    }
}

impl Slot {
    pub(super) fn standing(&self, epoch: u64) -> Standing {
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
    pub(super) fn revoke_from(&mut self, member: u64, revoke: Duration) {
        match std::mem::replace(&mut self.lease, Lease::Free) {
            Lease::Held(holder) if holder.member == member && holder.taken => {
                holder.signal.notify_one();
                self.lease = Lease::Revoked(holder, Instant::now() + revoke);
            }
            Lease::Held(holder) if holder.member == member => {}
            other => self.lease = other,
        }
    }

    pub(super) fn free_if(&mut self, condition: impl Fn(&Holder) -> bool) {
        match &self.lease {
            Lease::Held(holder) | Lease::Revoked(holder, _) if condition(holder) => {
                holder.signal.notify_one();
                self.lease = Lease::Free;
            }
            _ => {}
        }
    }
}
