//! What is there of a writer after so many of its jobs.

use super::values::{revisions_after, sequence_at};
use super::{AGGREGATES, APPENDER, FILLER, KINDS};

/// All that can be found of a writer in a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Commands in the log of requests.
    pub commands: u64,
    /// The last revision of each aggregate.
    pub revisions: [u64; AGGREGATES],
    /// The last sequence of each aggregate in the log of events.
    pub events: [u64; AGGREGATES],
    /// The sequence of each aggregate's row.
    pub rows: [u64; AGGREGATES],
    /// The mark of each aggregate.
    pub marks: [u64; AGGREGATES],
    /// The revision of each aggregate's snapshot.
    pub snapshots: [u64; AGGREGATES],
    /// Up to where each aggregate is known to be published.
    pub published: [u64; AGGREGATES],
    /// Pairs of dead letters.
    pub letters: u64,
    /// Pairs of announcements.
    pub announced: u64,
}

impl State {
    /// What is there once a writer's first `jobs` jobs are done, and nothing else.
    #[must_use]
    pub fn after(writer: u32, jobs: u64) -> Self {
        if writer == FILLER {
            return Self { revisions: [jobs, 0], ..Self::default() };
        }
        if writer >= APPENDER {
            return Self { commands: jobs, ..Self::default() };
        }
        let done = |kind: u64| jobs / KINDS + u64::from(jobs % KINDS > kind);
        let revisions = |cycles| [0, 1].map(|which| revisions_after(writer, which, cycles));
        let sequences = |cycles| revisions(cycles).map(|revision| sequence_at(writer, revision));
        // The sixth job saves snapshots in even cycles, and in odd ones what is published.
        let snapshots = done(5).div_ceil(2);
        let published = done(5) / 2;
        Self {
            commands: done(0),
            revisions: revisions(done(1)),
            events: sequences(done(2)),
            rows: sequences(done(3)),
            marks: sequences(done(4)),
            snapshots: revisions((snapshots * 2).saturating_sub(1)),
            published: sequences(published * 2),
            letters: done(6).div_ceil(3),
            announced: (done(6) + 1) / 3,
        }
    }
}
