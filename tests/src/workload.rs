//! What a driven process writes, job by job. Every value follows from its writer and number, so
//! that whoever finds one in a directory knows what it must be.
//!
//! A writer does one job after the other and begins none before the last was answered. So all that
//! a directory can hold of a writer is what its first so many jobs leave, see [`State::after`].

mod observe;
mod perform;
mod state;
mod told;
mod values;

pub use observe::{Found, all_events, observe};
pub use perform::{Answered, assert_marked, perform};
pub use state::State;
pub use told::{Line, Told};
pub use values::{commit, cycle_of, request_of};

use ordain_embedded::Settings;

/// Writers with these numbers, from 0 on, do jobs of every kind.
pub const WRITERS: u32 = 5;
/// This writer only inserts large commits, so that the store has to flush and compact.
pub const FILLER: u32 = 1_000;
/// Writers with this number or a larger one only append commands.
pub const APPENDER: u32 = 2_000;
/// How many of them there are.
pub const APPENDERS: u32 = 4;
/// The bytes of a command of theirs, about.
pub const APPENDED_BYTES: usize = 32 << 10;
/// The bytes of a large commit, about.
pub const LARGE_BYTES: usize = 512 << 10;
/// How many kinds of jobs there are; a writer does one of each in turn.
pub const KINDS: u64 = 7;
/// Each writer has two aggregates.
pub const AGGREGATES: usize = 2;
/// The group that reads the events in a driven process.
pub const GROUP: &str = "view-driven";
/// The view that is written.
pub const VIEW: &str = "accounts";
/// How a driven process ends when its home has failed.
pub const HOME_FAILED: i32 = 3;

/// The job by which a writer appends its command of that number.
#[must_use]
pub const fn job_of_command(writer: u32, number: u64) -> u64 {
    if writer >= APPENDER { number } else { number * KINDS }
}

/// The settings of every home that is driven or checked.
#[must_use]
pub fn settings() -> Settings {
    Settings {
        partitions: Some(2),
        event_partitions: Some(2),
        free_bytes_min_commands: 0,
        free_bytes_min: 0,
        // So that lanes read the disk too.
        tail_records_max: 64,
        ..Settings::default()
    }
}
