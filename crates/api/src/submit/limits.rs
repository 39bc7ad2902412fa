//! The limits of submitting: how many commands at once, how large, and when outcomes are looked
//! up.

use serde::{Deserialize, Serialize};

/// The limits of submitting commands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SubmitLimits {
    /// Commands of this process that are on their way at once; a further one is certainly not
    /// accepted.
    pub in_flight_commands_max: u32,
    /// Commands of one tenant that are on their way at once in this process.
    pub in_flight_commands_per_tenant_max: u32,
    /// Bytes of a command with all its names, as it stands in the log.
    pub command_bytes_max: usize,
    /// Depth of arrays and objects in a command's body.
    pub body_depth_max: usize,
    /// Milliseconds after which the outcome of a command is first looked up.
    pub look_up_first_ms: u64,
    /// Milliseconds between two look-ups of one command at most; each gap is twice the one before.
    pub look_up_gap_ms_max: u64,
    /// Commands in one query at most.
    pub look_up_commands_max: usize,
    /// Milliseconds that the last look-up may take, once the caller's wait is over.
    pub last_look_up_ms_max: u64,
    /// Commands that are refused, and are looked up first because they may have been sent before,
    /// in one query at most. As many may wait for the next; further ones are refused at once.
    pub refused_look_up_commands_max: usize,
    /// Milliseconds that such a command is looked up for at most, and never longer than its caller
    /// waits.
    pub refused_look_up_ms_max: u64,
    /// The first pause, in milliseconds, between two looks whether the workers have come to where
    /// the log ended when somebody asked for an outcome; it doubles.
    pub outcome_poll_ms_first: u64,
    /// The longest such pause, in milliseconds.
    pub outcome_poll_ms_max: u64,
    /// Milliseconds between two reads of who owns which partition and how far it has come.
    pub owners_read_every_ms: u64,
    /// Milliseconds that such a read may take.
    pub owners_read_ms_max: u64,
    /// Milliseconds for which an owner has to be seen to stand still until it counts as missing,
    /// and commands to its partitions are refused.
    pub owner_missing_after_ms: u64,
    /// Milliseconds that a command may have to wait for its turn when nobody waits for its outcome;
    /// where more stands before it, it is refused.
    pub lag_ms_max: u64,
    /// Records that may always stand before a command.
    pub lag_records_min: u64,
    /// The latest that a caller is told to try again, in milliseconds.
    pub retry_after_ms_max: u64,
}

impl Default for SubmitLimits {
    fn default() -> Self {
        Self {
            in_flight_commands_max: 20_000,
            in_flight_commands_per_tenant_max: 20_000,
            command_bytes_max: 900_000,
            body_depth_max: 64,
            look_up_first_ms: 200,
            look_up_gap_ms_max: 2_000,
            look_up_commands_max: 10_000,
            last_look_up_ms_max: 1_000,
            refused_look_up_commands_max: 1_000,
            refused_look_up_ms_max: 500,
            outcome_poll_ms_first: 5,
            outcome_poll_ms_max: 100,
            owners_read_every_ms: 1_000,
            owners_read_ms_max: 2_000,
            owner_missing_after_ms: 3_000,
            lag_ms_max: 30_000,
            lag_records_min: 100,
            retry_after_ms_max: 60_000,
        }
    }
}
