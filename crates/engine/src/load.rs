//! Loads aggregates from the store, and says what of their events is known to be published.

use std::sync::Arc;

use ordain_model::{AggregateKey, Commit, Registry, Source, Stored};
use ordain_ports::{Commits, Error, Load};

use crate::entry::{Entry, LoadFault};

/// How many commits are read at a time when more than the tail may be unpublished.
const HISTORY_COMMITS: usize = 1_000;

/// Loads aggregates for one lane.
pub(crate) struct Loader {
    pub(crate) registry: Arc<Registry>,
    pub(crate) commits: Arc<dyn Commits>,
    pub(crate) published: KnownPublished,
}

/// What tells, by its source alone, that a commit's events are published: everything below the
/// saved progress of its partition is, and everything this lane has handed to its finisher is or
/// will be before any progress behind it is saved.
pub(crate) struct KnownPublished {
    /// The lane's own partition.
    pub(crate) partition: u32,
    /// Everything of this partition below is handed to the finisher.
    pub(crate) handed: u64,
    /// The saved progress of all partitions when the lane began.
    pub(crate) progress: Vec<Option<u64>>,
}

impl KnownPublished {
    pub(crate) fn contains(&self, source: Source) -> bool {
        let below = if source.partition == self.partition {
            self.handed
        } else {
            let partition = usize::try_from(source.partition).unwrap_or(usize::MAX);
            self.progress.get(partition).copied().flatten().unwrap_or(0)
        };
        source.offset < below
    }

    /// Raises `published` by what the commits' sources tell. They stand in the order of revisions.
    fn raise(&self, published: u64, commits: &[Arc<Commit>]) -> u64 {
        let newest = commits.iter().rev().find(|commit| self.contains(commit.source));
        newest.map_or(published, |commit| published.max(commit.sequence))
    }
}

/// Why aggregates could not be loaded.
pub(crate) enum LoadError {
    /// The store did not answer.
    Port(Error),
    /// What it answered cannot be folded.
    Fault(AggregateKey, LoadFault),
}

impl From<Error> for LoadError {
    fn from(error: Error) -> Self {
        Self::Port(error)
    }
}

impl Loader {
    /// The aggregates, each with what is known to be published of it; `handed` is what the caller
    /// knows of that beside the store.
    pub(crate) async fn load(
        &self,
        keys: &[(AggregateKey, u64)],
    ) -> Result<Vec<(AggregateKey, Entry)>, LoadError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let loads: Vec<Load> = keys.iter().map(|(key, _)| self.ask(key)).collect();
        let stored = self.commits.load(&loads).await?;
        let mut entries = Vec::with_capacity(keys.len());
        for ((key, handed), stored) in keys.iter().zip(stored) {
            let entry = self.entry(key, *handed, &stored).await?;
            entries.push((key.clone(), entry));
        }
        Ok(entries)
    }

    fn ask(&self, key: &AggregateKey) -> Load {
        let handler = self.registry.get(key.aggregate_type());
        Load {
            aggregate: key.clone(),
            fold_version: handler.map_or(0, |handler| handler.definition().fold_version),
        }
    }

    async fn entry(
        &self,
        key: &AggregateKey,
        handed: u64,
        stored: &Stored,
    ) -> Result<Entry, LoadError> {
        let handler = self.registry.get(key.aggregate_type()).cloned();
        let mut entry = Entry::fold(key, handler, stored)
            .map_err(|fault| LoadError::Fault(key.clone(), fault))?;
        let published = self.published.raise(stored.published.max(handed), &stored.tail);
        let in_snapshot = stored.snapshot.as_ref().map_or(0, |snapshot| snapshot.sequence);
        let unpublished = if published < in_snapshot {
            self.history(key, published).await?
        } else {
            stored.tail.clone()
        };
        let published = self.published.raise(published, &unpublished);
        let unpublished = unpublished
            .into_iter()
            .filter(|commit| commit.sequence > published && !commit.events.is_empty())
            .filter(|_| publishes_for_others())
            .collect();
        entry.set_published(published, unpublished);
        Ok(entry)
    }

    /// All commits whose sequence is above `after`.
    async fn history(
        &self,
        key: &AggregateKey,
        mut after: u64,
    ) -> Result<Vec<Arc<Commit>>, LoadError> {
        let mut all = Vec::new();
        loop {
            let page = self.commits.history(key, after, HISTORY_COMMITS).await?;
            match page.last() {
                Some(last) if last.sequence > after => after = last.sequence,
                _ => return Ok(all),
            }
            all.extend(page);
        }
    }
}

/// The wrong variant publishes only what its own batches have decided.
fn publishes_for_others() -> bool {
    fail::fail_point!("broken-own-events-only", |_| false);
    true
}
