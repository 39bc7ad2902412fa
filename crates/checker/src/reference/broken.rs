//! The type `broken`, of builds for tests: its rules misbehave on demand, and only the command that
//! asks for it is lost.

use serde::Deserialize;

use super::Refusal;
use crate::Outcome;

/// What can be asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// That something good happens.
    Work,
    /// That the rule panics.
    Panic,
    /// That the rule never returns.
    Hang,
    /// That the rule ends its process.
    Abort,
}

/// What can happen to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// Something good.
    Worked,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Done {
    done: u64,
}

fn is_nothing(data: &str) -> bool {
    serde_json::from_str::<Nothing>(data).is_ok()
}

pub(super) fn read_state(text: &str) -> Option<u64> {
    serde_json::from_str(text).ok().map(|Done { done }| done)
}

impl Command {
    pub(super) fn read(name: &str, data: &str) -> Option<Self> {
        let command = match name {
            "work" => Self::Work,
            "panic" => Self::Panic,
            "hang" => Self::Hang,
            "abort" => Self::Abort,
            _ => return None,
        };
        is_nothing(data).then_some(command)
    }
}

impl Event {
    pub(super) fn read(name: &str, data: &str) -> Option<Self> {
        (name == "worked" && is_nothing(data)).then_some(Self::Worked)
    }
}

/// What becomes of a command: a panic is caught, and a rule that takes its process with it is given
/// up after so many processes.
///
/// # Errors
/// The rejection of whatever misbehaves.
pub fn decide(command: Command) -> Result<Event, Refusal> {
    let rejected = |code| Err(Refusal { outcome: Outcome::Rejected, code });
    match command {
        Command::Work => Ok(Event::Worked),
        Command::Panic => rejected("RULE_PANICKED"),
        Command::Hang | Command::Abort => rejected("RULE_CRASHED"),
    }
}
