//! The limits of a projector.

use serde::{Deserialize, Serialize};

/// The limits of a projector; the unit is the end of each name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How many records a lane takes at a time.
    pub batch_records_max: usize,
    /// How many bytes of records a lane takes at a time.
    pub batch_bytes_max: usize,
    /// How long a lane lets more records gather when the last came several at a time.
    pub gather_ms: u64,
    /// How many changes of rows are held in memory and written at a time; one event may have
    /// more.
    pub round_changes_max: usize,
    /// How many commits are read at a time to fill a gap.
    pub history_commits_max: usize,
    /// Of how many aggregates a lane remembers up to where they are folded.
    pub lane_marks_max: usize,
    /// How many bytes of the rows that it wrote last a lane remembers.
    pub lane_rows_bytes_max: u64,
    /// How many records a lane folds or passes over before it saves that; after a crash it reads
    /// those again, and drops them.
    pub unsaved_records_max: usize,
    /// How long a lane puts that off at most, also when nothing more comes.
    pub unsaved_ms_max: u64,
    /// The longest pause between two tries at a store or log that does not answer, and between
    /// two looks of a stopped lane whether it was revoked.
    pub retry_ms_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            batch_records_max: 1_000,
            batch_bytes_max: 8 * 1024 * 1024,
            gather_ms: 10,
            round_changes_max: 4_000,
            history_commits_max: 500,
            lane_marks_max: 50_000,
            lane_rows_bytes_max: 8 * 1024 * 1024,
            unsaved_records_max: 1_000,
            unsaved_ms_max: 200,
            retry_ms_max: 1_000,
        }
    }
}
