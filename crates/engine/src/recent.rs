//! The outcomes that a lane came to know last, so that a repeat of one is answered without asking
//! the store.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::mem::size_of;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};
use ordain_model::{AggregateKey, Commit, Event, RequestId};

use crate::receive::Item;

/// The counters of a commit that is shared, a slot of a map that is half full, one of a queue.
const PLACES_BYTES: usize = 160;
/// The counters of a text, and what an allocator rounds it up by.
const TEXT_BYTES: usize = 24;

/// The newest outcomes that a lane has stored or found stored, up to a limit of bytes; the oldest
/// go first. A stored outcome never changes, so what is here is right for ever, whoever owns the
/// partition. What is not here may be stored all the same: only the store tells.
pub(crate) struct Recent {
    by_id: HashMap<(AggregateKey, RequestId), Arc<Commit>>,
    oldest_first: VecDeque<Arc<Commit>>,
    bytes: u64,
    bytes_max: u64,
}

impl Recent {
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self { by_id: HashMap::new(), oldest_first: VecDeque::new(), bytes: 0, bytes_max }
    }

    /// Takes in commits that are known to be stored.
    pub(crate) fn remember(&mut self, stored: &[Arc<Commit>]) {
        for commit in stored {
            let bytes = held_bytes(commit);
            if bytes > self.bytes_max {
                continue;
            }
            if let Entry::Vacant(free) = self.by_id.entry(id(commit)) {
                free.insert(Arc::clone(commit));
                self.oldest_first.push_back(Arc::clone(commit));
                self.bytes += bytes;
                self.forget_the_oldest();
            }
        }
    }

    /// The stored outcome of a record, if it is here.
    pub(crate) fn outcome(&self, item: &Item) -> Option<Arc<Commit>> {
        if self.by_id.is_empty() {
            return None;
        }
        self.by_id.get(&(item.aggregate.clone(), item.request.clone())).cloned()
    }

    /// Forgets the oldest until what is left is within the limit.
    fn forget_the_oldest(&mut self) {
        while self.bytes > self.bytes_max
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.bytes -= held_bytes(&oldest);
            self.by_id.remove(&id(&oldest));
        }
    }
}

fn id(commit: &Commit) -> (AggregateKey, RequestId) {
    (commit.aggregate.clone(), commit.request.clone())
}

/// About what an outcome takes here: the commit, its texts and events, its places in both tables.
fn held_bytes(commit: &Commit) -> u64 {
    let text = |text: &str| TEXT_BYTES + text.len();
    let event =
        |event: &Event| size_of::<Event>() + text(event.name.as_str()) + text(event.data.as_str());
    let texts = text(commit.aggregate.as_str())
        + text(commit.request.as_str())
        + text(commit.command.as_str());
    let events: usize = commit.events.iter().map(event).sum();
    (size_of::<Commit>() + PLACES_BYTES + texts + events) as u64
}
