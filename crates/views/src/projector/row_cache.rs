//! The rows that a lane wrote last, up to a limit. A row is written on condition that the stored
//! one is what it was folded from, so one that another projector has changed meanwhile does no
//! harm: what is folded from it is refused, or cannot be folded at all; then it is forgotten and
//! read again.

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
        (ROW_BYTES + key.len() * 2 + row.aggregate.as_str().len() + body) as u64
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

#[cfg(test)]
mod tests {
    use ordain_model::{AggregateKey, Json};

    use super::*;

    const BODY_BYTES: usize = 1_000;

    fn row(number: usize) -> Row {
        Row {
            key: format!("row-{number}"),
            aggregate: AggregateKey::new("default", "account", &format!("a{number}")).unwrap(),
            sequence: 1,
            body: Some(Json::try_from(format!("\"{}\"", "x".repeat(BODY_BYTES))).unwrap()),
        }
    }

    fn remembered(rows: &RowCache, of: std::ops::Range<usize>) -> usize {
        of.filter(|number| rows.get(&row(*number).key).is_some()).count()
    }

    #[test]
    fn no_more_bytes_are_remembered_than_allowed() {
        let mut rows = RowCache::new(10 * BODY_BYTES as u64);
        (0..1_000).for_each(|number| rows.put(row(number)));
        let remembered = remembered(&rows, 0..1_000);
        assert!((5..10).contains(&remembered), "{remembered} of {BODY_BYTES} bytes and more each");
    }

    #[test]
    fn a_row_that_is_larger_than_the_limit_is_not_remembered_and_leaves_nothing_older() {
        let mut rows = RowCache::new(2 * BODY_BYTES as u64);
        rows.put(row(1));
        assert_eq!(rows.get("row-1"), Some(row(1)));
        let large = Json::try_from(format!("\"{}\"", "x".repeat(3 * BODY_BYTES))).unwrap();
        rows.put(Row { sequence: 2, body: Some(large), ..row(1) });
        assert_eq!(rows.get("row-1"), None);
    }

    #[test]
    fn the_newest_of_a_row_is_remembered_until_it_is_forgotten() {
        let mut rows = RowCache::new(10 * BODY_BYTES as u64);
        rows.put(row(1));
        let newest = Row { sequence: 2, body: None, ..row(1) };
        rows.put(newest.clone());
        assert_eq!(rows.get("row-1"), Some(newest));
        rows.forget("row-1");
        assert_eq!(rows.get("row-1"), None);
    }
}
