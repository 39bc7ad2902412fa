//! Request ids for lines that have none: the same file gives the same ids every time.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use uuid::Uuid;

/// The namespace of all request ids that are made from a batch (RFC 9562 §5.5).
const NAMESPACE: Uuid = Uuid::from_u128(0x0198_6f4e_51c2_7b1d_9d3a_8e25_c07f_64b1);

/// Makes request ids as UUIDv5 of the batch's name, the line's text and how often that text
/// occurred before in the batch.
///
/// Remembers 8 bytes of every different text. Two texts that agree in them share one count: their
/// ids differ nevertheless, and are the same the next time.
#[derive(Debug)]
pub(crate) struct RequestIds {
    batch: String,
    once: HashSet<u64>,
    repeated: HashMap<u64, u64>,
}

impl RequestIds {
    pub(crate) fn of_batch(name: &str) -> Self {
        Self { batch: name.to_owned(), once: HashSet::new(), repeated: HashMap::new() }
    }

    /// The request id of the next line.
    pub(crate) fn next(&mut self, text: &str) -> String {
        let before = self.occurrences(text);
        let mut name = Vec::with_capacity(self.batch.len() + text.len() + 24);
        for part in [self.batch.as_bytes(), text.as_bytes()] {
            name.extend_from_slice(&(part.len() as u64).to_be_bytes());
            name.extend_from_slice(part);
        }
        name.extend_from_slice(&before.to_be_bytes());
        Uuid::new_v5(&NAMESPACE, &name).to_string()
    }

    fn occurrences(&mut self, text: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let hash = hasher.finish();
        if self.once.insert(hash) {
            return 0;
        }
        let count = self.repeated.entry(hash).or_insert(0);
        *count += 1;
        *count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(batch: &str, lines: &[&str]) -> Vec<String> {
        let mut ids = RequestIds::of_batch(batch);
        lines.iter().map(|line| ids.next(line)).collect()
    }

    #[test]
    fn the_same_file_gives_the_same_ids() {
        let lines = ["a", "b", "a", "a"];
        assert_eq!(ids("march", &lines), ids("march", &lines));
        assert_eq!(
            ids("march", &["a"]),
            ["3d723117-44da-5192-88f8-f1938dcccca1"],
            "ids of files that were sent before this version must stay what they were"
        );
    }

    #[test]
    fn repeated_lines_other_lines_and_other_batches_have_ids_of_their_own() {
        let mut all = ids("march", &["a", "b", "a", "a"]);
        all.extend(ids("april", &["a", "b"]));
        all.extend(ids("marc", &["ha"]));
        let distinct: HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn an_id_depends_on_nothing_but_equal_lines_before() {
        assert_eq!(ids("march", &["x", "a", "y", "a"])[3], ids("march", &["a", "a"])[1]);
    }
}
