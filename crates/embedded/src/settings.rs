//! The limits of an embedded home.

use serde::{Deserialize, Serialize};

/// The partitions that a new directory gets when nobody says how many.
pub(crate) const PARTITIONS_DEFAULT: u32 = 4;
/// More partitions than this are of no use to one process.
pub(crate) const PARTITIONS_MAX: u32 = 1_024;

/// What can be set of an embedded home.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Partitions of the log of requests, 1 to 1,024. `None`: as many as the directory has, 4 in
    /// a new one. More than the directory has adds some; fewer is refused.
    pub partitions: Option<u32>,
    /// Partitions of the log of events, fixed when the directory is made. `None`: as many as the
    /// directory has; in a new one as many as the log of requests.
    pub event_partitions: Option<u32>,
    /// Commands that may wait to be written; more are refused.
    pub queue_records_max: usize,
    /// Bytes of commands that may wait to be written; more are refused.
    pub queue_bytes_max: usize,
    /// Writes other than commands that may wait; more wait for their turn to wait.
    pub queue_jobs_max: usize,
    /// Jobs that one sync makes durable at most.
    pub batch_jobs_max: usize,
    /// Bytes that one sync makes durable at most, one job more aside.
    pub batch_bytes_max: usize,
    /// The largest commit that is stored.
    pub commit_bytes_max: usize,
    /// Bytes that each log keeps in memory of its newest records, over all partitions, so that
    /// lanes that keep up need not read the disk.
    pub tail_bytes_max: usize,
    /// Records that each log keeps in memory so, over all partitions.
    pub tail_records_max: usize,
    /// Aggregates whose last revision the writer keeps in memory, and as many values that are
    /// written on a condition (rows, marks, snapshots, progress) whose number it keeps.
    pub heads_max: usize,
    /// Bytes of the block cache, over everything stored.
    pub cache_bytes: u64,
    /// Threads that flush and compact in the background.
    pub worker_threads: usize,
    /// How long a lane that was revoked may still save its progress.
    pub revoke_ms_max: u64,
    /// Below so much free space on the file system, commands are refused.
    pub free_bytes_min_commands: u64,
    /// Below so much free space on the file system, nothing is written at all; smaller than
    /// `free_bytes_min_commands`, so that what was accepted can be decided.
    pub free_bytes_min: u64,
    /// A write that takes longer than this is logged.
    pub stall_ms_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            partitions: None,
            event_partitions: None,
            queue_records_max: 32_768,
            queue_bytes_max: 64 << 20,
            queue_jobs_max: 4_096,
            batch_jobs_max: 8_192,
            batch_bytes_max: 16 << 20,
            commit_bytes_max: 8 << 20,
            tail_bytes_max: 8 << 20,
            tail_records_max: 16_384,
            heads_max: 100_000,
            cache_bytes: 32 << 20,
            worker_threads: 1,
            revoke_ms_max: 10_000,
            free_bytes_min_commands: 512 << 20,
            free_bytes_min: 256 << 20,
            stall_ms_max: 5_000,
        }
    }
}
