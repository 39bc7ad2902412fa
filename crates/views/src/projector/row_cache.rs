//! The rows that a lane wrote last, up to a limit. A row is written on condition that the stored
//! one is what it was folded from, so one that another projector has changed meanwhile does no
//! harm: it is refused, forgotten and read again.

use ordain_ports::Row;
use quick_cache::Weighter;
use quick_cache::unsync::Cache;

/// The rows that a lane wrote last, by their keys.
pub(super) struct RowCache(Cache<String, Row, ByBytes>);

#[derive(Clone)]
struct ByBytes;

/// What a row takes beside its texts, about.
const ROW_BYTES: usize = 200;

impl Weighter<String, Row> for ByBytes {
    fn weight(&self, key: &String, row: &Row) -> u64 {
        let body = row.body.as_ref().map_or(0, |body| body.as_str().len());
        (ROW_BYTES + key.len() * 2 + body) as u64
    }
}

impl RowCache {
    pub(super) fn new(bytes_max: u64) -> Self {
        let guess = usize::try_from(bytes_max).unwrap_or(usize::MAX) / (2 * ROW_BYTES);
        Self(Cache::with_weighter(guess, bytes_max, ByBytes))
    }

    pub(super) fn get(&self, key: &str) -> Option<Row> {
        self.0.get(key).cloned()
    }

    /// Remembers a row that was written.
    pub(super) fn put(&mut self, row: Row) {
        self.0.insert(row.key.clone(), row);
    }

    /// Forgets a row of which it is not known how it is stored.
    pub(super) fn forget(&mut self, key: &str) {
        self.0.remove(key);
    }
}
