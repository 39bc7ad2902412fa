//! A group: its members share the partitions of a log. Who holds which partition, and up to where
//! each is done.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use self::shares::{Holder, Lease, Shares};
use crate::key;
use crate::log::Kind;
use crate::queue::lock;

mod shares;

/// The members of one group and what they hold.
pub(crate) struct Group {
    kind: Kind,
    name: String,
    revoke: Duration,
    state: Mutex<Shares>,
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
    /// The group with this durable progress of its partitions.
    pub(crate) fn new(kind: Kind, name: &str, saved: &[Option<u64>], revoke: Duration) -> Self {
        Self { kind, name: name.to_owned(), revoke, state: Mutex::new(Shares::new(saved)) }
    }

    /// The key under which the progress of a partition is kept.
    pub(crate) fn key(&self, partition: u32) -> Vec<u8> {
        key::progress(self.kind.byte(), &self.name, partition)
    }

    /// A new member; the partitions are shared out anew.
    pub(crate) fn join(&self) -> (u64, Arc<Notify>) {
        let mut state = lock(&self.state);
        let (member, signal) = state.add_member();
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
        lock(&self.state).slots.iter().map(|slot| slot.saved).collect()
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
        if let Lease::Held(Holder { member, taken: false, .. }) = &slot.lease
            && let Some(member) = state.members.get(member)
        {
            member.signal.notify_one();
        }
    }
}
