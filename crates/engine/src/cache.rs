//! The aggregates that a lane keeps in memory between batches, up to a limit.

use ordain_model::AggregateKey;
use quick_cache::Weighter;
use quick_cache::unsync::Cache as QuickCache;

use crate::entry::Entry;

/// The aggregates that a lane keeps between batches. A batch takes out what it works with and
/// puts it back when all of it is known to be stored.
pub(crate) struct Cache(QuickCache<AggregateKey, Entry, ByBytes>);

#[derive(Clone)]
struct ByBytes;

impl Weighter<AggregateKey, Entry> for ByBytes {
    fn weight(&self, _: &AggregateKey, entry: &Entry) -> u64 {
        entry.bytes
    }
}

/// About what an entry takes, for the cache to size its tables.
const ENTRY_BYTES_GUESS: u64 = 1024;

impl Cache {
    pub(crate) fn new(bytes_max: u64) -> Self {
        let guess = usize::try_from(bytes_max / ENTRY_BYTES_GUESS).unwrap_or(usize::MAX);
        Self(QuickCache::with_weighter(guess, bytes_max, ByBytes))
    }

    /// Takes an aggregate out.
    pub(crate) fn take(&mut self, key: &AggregateKey) -> Option<Entry> {
        self.0.remove(key).map(|(_, entry)| entry)
    }

    /// Puts an aggregate back.
    pub(crate) fn put(&mut self, key: AggregateKey, entry: Entry) {
        self.0.insert(key, entry);
    }

    /// The snapshot of that revision is stored.
    pub(crate) fn snapshot_stored(&mut self, key: &AggregateKey, revision: u64) {
        if let Some(mut entry) = self.0.get_mut(key) {
            entry.snapshot_stored(revision);
        }
    }
}
