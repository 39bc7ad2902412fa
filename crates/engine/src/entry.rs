//! A cached aggregate: the state known to be stored, and the state that the decided but not yet
//! stored commits of the running batch would leave.

use std::sync::Arc;

use ordain_model::{
    AggregateKey, Commit, Handler, Snapshot, State, Stored, Timestamp, Unprocessable,
};

/// An aggregate as of one of its revisions.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) revision: u64,
    pub(crate) sequence: u64,
    pub(crate) time: Timestamp,
    /// `None` when no build type is known for the aggregate: it can be refused, but not decided.
    pub(crate) state: Option<State>,
}

impl Head {
    fn initial(handler: Option<&Arc<dyn Handler>>) -> Self {
        Self {
            revision: 0,
            sequence: 0,
            time: Timestamp::from_nanoseconds(i64::MIN),
            state: handler.map(|handler| handler.initial()),
        }
    }

    /// Takes in the next commit.
    pub(crate) fn apply(
        &mut self,
        handler: Option<&Arc<dyn Handler>>,
        commit: &Commit,
    ) -> Result<(), Unprocessable> {
        if let (Some(handler), Some(state)) = (handler, self.state.as_mut()) {
            commit.events.iter().try_for_each(|event| handler.apply(state, event))?;
        }
        self.revision = commit.revision;
        self.sequence = commit.sequence;
        self.time = commit.last_time();
        Ok(())
    }
}

/// A cached aggregate. During a batch it belongs to the batch; between batches to the cache.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) handler: Option<Arc<dyn Handler>>,
    /// The state that is known to be stored.
    stored: Head,
    /// The state that `pending` would leave; `None` when nothing is pending.
    provisional: Option<Head>,
    /// Commits that are decided on top of `stored` and not known to be stored.
    pending: Vec<Arc<Commit>>,
    /// The sequence up to which the events are published or handed to the finisher.
    handed: u64,
    /// Stored commits with events behind `handed`, found when the aggregate was loaded.
    unpublished: Vec<Arc<Commit>>,
    /// The revision of the newest snapshot that is known to be stored.
    snapshot_stored: u64,
    /// The revision of the newest snapshot that was handed to the finisher.
    snapshot_handed: u64,
    /// About how many bytes it takes in memory.
    pub(crate) bytes: u64,
}

const ENTRY_BYTES: u64 = 400;

impl Entry {
    /// Folds what the store gave back.
    pub(crate) fn fold(
        key: &AggregateKey,
        handler: Option<Arc<dyn Handler>>,
        stored: &Stored,
    ) -> Result<Self, LoadFault> {
        let mut head = Head::initial(handler.as_ref());
        let mut bytes = ENTRY_BYTES + 2 * key.as_str().len() as u64;
        let snapshot_stored = stored.snapshot.as_ref().map_or(0, |snapshot| snapshot.revision);
        if let (Some(snapshot), Some(handler)) = (&stored.snapshot, &handler) {
            head = Head {
                revision: snapshot.revision,
                sequence: snapshot.sequence,
                time: snapshot.time,
                state: Some(handler.restore(&snapshot.state).map_err(LoadFault::Unfoldable)?),
            };
            bytes += 2 * snapshot.state.as_str().len() as u64;
        }
        for commit in &stored.tail {
            if commit.revision != head.revision + 1 || commit.sequence_before() != head.sequence {
                return Err(LoadFault::Gap { after: head.revision, found: commit.revision });
            }
            head.apply(handler.as_ref(), commit).map_err(LoadFault::Unfoldable)?;
            bytes += event_bytes(commit);
        }
        Ok(Self {
            handler,
            stored: head,
            provisional: None,
            pending: Vec::new(),
            handed: 0,
            unpublished: Vec::new(),
            snapshot_stored,
            snapshot_handed: snapshot_stored,
            bytes,
        })
    }

    /// What is known of publishing: everything up to `published` is out, `unpublished` may not be.
    pub(crate) fn set_published(&mut self, published: u64, unpublished: Vec<Arc<Commit>>) {
        self.handed = published;
        self.unpublished = unpublished;
    }

    /// About how many bytes it takes in memory with what is still to be handed over.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.bytes + self.unpublished.iter().map(|commit| event_bytes(commit)).sum::<u64>()
    }

    pub(crate) const fn stored(&self) -> &Head {
        &self.stored
    }

    pub(crate) const fn handed(&self) -> u64 {
        self.handed
    }

    /// The state to decide the next command on.
    pub(crate) fn head(&self) -> &Head {
        self.provisional.as_ref().unwrap_or(&self.stored)
    }

    /// Puts a decided commit on top of what is pending. When it cannot be folded, nothing changes.
    pub(crate) fn push(&mut self, commit: &Arc<Commit>) -> Result<(), Unprocessable> {
        let mut head = self.provisional.take().unwrap_or_else(|| self.stored.clone());
        if let Err(unfoldable) = head.apply(self.handler.as_ref(), commit) {
            self.rebuild();
            return Err(unfoldable);
        }
        self.provisional = Some(head);
        self.pending.push(Arc::clone(commit));
        Ok(())
    }

    /// Folds what is pending again, after a fold has failed in the middle.
    pub(crate) fn rebuild(&mut self) {
        self.provisional = None;
        if self.pending.is_empty() {
            return;
        }
        let mut head = self.stored.clone();
        // These commits have been folded before on the same state, so they fold again.
        let folded =
            self.pending.iter().try_for_each(|commit| head.apply(self.handler.as_ref(), commit));
        self.provisional = folded.is_ok().then_some(head);
    }

    /// The first `count` pending commits are stored; the others were never true.
    pub(crate) fn settle(&mut self, count: usize) -> Result<(), Unprocessable> {
        let all = count == self.pending.len();
        let provisional = self.provisional.take();
        let mut pending = std::mem::take(&mut self.pending);
        pending.truncate(count);
        self.bytes += pending.iter().map(|commit| event_bytes(commit)).sum::<u64>();
        match provisional {
            Some(head) if all => self.stored = head,
            _ => pending
                .iter()
                .try_for_each(|commit| self.stored.apply(self.handler.as_ref(), commit))?,
        }
        Ok(())
    }

    /// How many more commits may be put on it before a snapshot has to be stored first.
    pub(crate) const fn room(&self, tail_commits_max: u64) -> u64 {
        let tail = self.head_revision().saturating_sub(self.snapshot_stored);
        tail_commits_max.saturating_sub(tail)
    }

    const fn head_revision(&self) -> u64 {
        self.stored.revision + self.pending.len() as u64
    }

    /// The commits to hand to the finisher before those of the batch.
    pub(crate) fn take_unpublished(&mut self) -> Vec<Arc<Commit>> {
        std::mem::take(&mut self.unpublished)
    }

    /// Everything stored is handed to the finisher.
    pub(crate) const fn all_handed(&mut self) {
        self.handed = self.stored.sequence;
    }

    /// A snapshot, when so many commits were put on since the last one.
    pub(crate) fn snapshot(
        &mut self,
        key: &AggregateKey,
        every: u64,
    ) -> Result<Option<Snapshot>, Unprocessable> {
        if self.stored.revision - self.snapshot_handed < every {
            return Ok(None);
        }
        let (Some(handler), Some(state)) = (&self.handler, &self.stored.state) else {
            return Ok(None);
        };
        let state = handler.save(state)?;
        self.snapshot_handed = self.stored.revision;
        self.bytes = ENTRY_BYTES + 2 * (key.as_str().len() + state.as_str().len()) as u64;
        Ok(Some(Snapshot {
            aggregate: key.clone(),
            fold_version: handler.definition().fold_version,
            revision: self.stored.revision,
            sequence: self.stored.sequence,
            time: self.stored.time,
            state,
        }))
    }

    /// The snapshot of that revision is stored.
    pub(crate) fn snapshot_stored(&mut self, revision: u64) {
        self.snapshot_stored = self.snapshot_stored.max(revision);
    }
}

fn event_bytes(commit: &Commit) -> u64 {
    commit.events.iter().map(|event| event.data.as_str().len() as u64).sum()
}

/// Why an aggregate cannot be made from what the store gave back.
#[derive(Debug)]
pub(crate) enum LoadFault {
    /// A commit is missing: a broken store, never folded over.
    Gap { after: u64, found: u64 },
    /// This build cannot fold an event or read a state.
    Unfoldable(Unprocessable),
}

impl std::fmt::Display for LoadFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gap { after, found } => write!(f, "revision {found} follows {after}"),
            Self::Unfoldable(unprocessable) => unprocessable.fmt(f),
        }
    }
}
