//! Collects anomalies: counts all of them, and keeps the first of each kind.

use std::collections::BTreeMap;

use crate::Anomaly;

/// The anomalies found so far.
#[derive(Debug)]
pub(crate) struct Findings {
    kept_max: usize,
    counts: BTreeMap<&'static str, u64>,
    kept: Vec<Anomaly>,
}

impl Findings {
    /// Keeps at most so many of a kind.
    pub(crate) const fn new(kept_max: usize) -> Self {
        Self { kept_max, counts: BTreeMap::new(), kept: Vec::new() }
    }

    pub(crate) fn add(&mut self, anomaly: Anomaly) {
        let count = self.counts.entry(anomaly.kind()).or_default();
        *count += 1;
        if usize::try_from(*count).is_ok_and(|count| count <= self.kept_max) {
            self.kept.push(anomaly);
        }
    }

    /// How many of each kind, and those kept.
    pub(crate) fn into_parts(self) -> (BTreeMap<&'static str, u64>, Vec<Anomaly>) {
        (self.counts, self.kept)
    }
}
