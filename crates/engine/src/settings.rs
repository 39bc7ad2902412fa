//! The limits of a worker.

use serde::{Deserialize, Serialize};

/// The limits of a worker; the unit is the end of each name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How many records a lane takes at a time.
    pub batch_records_max: usize,
    /// How many bytes of records a lane takes at a time.
    pub batch_bytes_max: usize,
    /// How many batches of a lane may wait for their events to be published.
    pub unfinished_batches_max: usize,
    /// How many bytes of aggregates a lane keeps in memory, by estimate. A batch that touches more
    /// is settled in parts.
    pub lane_cache_bytes_max: u64,
    /// How many bytes of outcomes a lane remembers, by estimate, the newest: repeats of these are
    /// answered without asking the store.
    pub lane_outcomes_bytes_max: u64,
    /// How many aggregates or outcomes a lane asks the store for at a time; so many more than
    /// `lane_cache_bytes_max` may be in memory.
    pub load_aggregates_max: usize,
    /// How large the data of one event may be.
    pub event_bytes_max: usize,
    /// How large all event data of one commit may be together.
    pub commit_bytes_max: usize,
    /// How large an answer may be to be sent as a reply; a larger one is looked up.
    pub reply_bytes_max: usize,
    /// How long a rule may take before the process is ended.
    pub decide_ms_max: u64,
    /// After how many commits an aggregate's state is stored anew.
    pub snapshot_commits: u64,
    /// How many commits an aggregate may have behind its stored state.
    pub tail_commits_max: u64,
    /// How often a record may end the process before it is rejected.
    pub crash_marks_max: u32,
    /// The longest pause between two tries at a store or log that does not answer.
    pub retry_ms_max: u64,
    /// How often the worker says that it lives, and how its lanes are doing.
    pub heartbeat_every_ms: u64,
    /// How old a handled request must be before it is deleted.
    pub requests_keep_ms: u64,
    /// How often handled requests are deleted.
    pub prune_every_ms: u64,
}

impl Settings {
    /// Whether a worker can work within these limits.
    ///
    /// # Errors
    /// Names the limits that leave it nothing to work with.
    pub fn check(&self) -> Result<(), &'static str> {
        let least = [
            self.batch_records_max as u64,
            self.batch_bytes_max as u64,
            self.unfinished_batches_max as u64,
            self.load_aggregates_max as u64,
            self.snapshot_commits,
            self.prune_every_ms,
            self.heartbeat_every_ms,
            u64::from(self.crash_marks_max),
        ];
        if least.contains(&0) {
            return Err("engine: batch_records_max, batch_bytes_max, unfinished_batches_max, \
                        load_aggregates_max, snapshot_commits, prune_every_ms, \
                        heartbeat_every_ms and crash_marks_max are at least 1");
        }
        if self.snapshot_commits > self.tail_commits_max {
            return Err("engine: snapshot_commits is at most tail_commits_max");
        }
        Ok(())
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            batch_records_max: 10_000,
            batch_bytes_max: 32 * 1024 * 1024,
            unfinished_batches_max: 4,
            lane_cache_bytes_max: 16 * 1024 * 1024,
            lane_outcomes_bytes_max: 8 * 1024 * 1024,
            load_aggregates_max: 256,
            event_bytes_max: 256 * 1024,
            commit_bytes_max: 1024 * 1024,
            reply_bytes_max: 64 * 1024,
            decide_ms_max: 1_000,
            snapshot_commits: 200,
            tail_commits_max: 1_000,
            crash_marks_max: 4,
            retry_ms_max: 1_000,
            heartbeat_every_ms: 1_000,
            requests_keep_ms: 24 * 60 * 60 * 1_000,
            prune_every_ms: 60_000,
        }
    }
}
