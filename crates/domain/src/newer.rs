//! The type `broken` as a newer build has it: with a command and an event more, and folded another
//! way; only in builds for tests, which let two builds run side by side.

use ordain_model::{Aggregate, Code, CommandSchema, EventSchema};
use serde::{Deserialize, Serialize};

/// The type `broken`, of a newer build.
#[derive(Debug)]
pub struct Newer;

/// What has happened. A state of the older build looks like one of these, and would be a wrong one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// Work counts twice here.
    done: u64,
    #[serde(default)]
    rests: u64,
}

/// What it can be asked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Something good happens.
    Work {},
    /// It rests, and says of how much.
    Rest {},
}

/// What can happen to it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// Something good.
    Worked {},
    /// It rested.
    Rested {
        /// How much was done before.
        after: u64,
    },
}

const EMPTY: &str = r#"{"type": "object", "additionalProperties": false}"#;
const RESTED: &str = r#"{
    "type": "object",
    "required": ["after"],
    "properties": {"after": {"type": "integer", "minimum": 0}},
    "additionalProperties": false
}"#;

const fn command(name: &'static str) -> CommandSchema {
    CommandSchema { name, creates: false, schema: EMPTY }
}

impl Aggregate for Newer {
    type State = State;
    type Command = Command;
    type Event = Event;

    const TYPE: &'static str = "broken";
    const FOLD_VERSION: u32 = 2;
    const COMMANDS: &'static [CommandSchema] = &[command("work"), command("rest")];
    const EVENTS: &'static [EventSchema] = &[
        EventSchema { name: "worked", version: 1, schema: EMPTY },
        EventSchema { name: "rested", version: 1, schema: RESTED },
    ];

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Code> {
        Ok(vec![match command {
            Command::Work {} => Event::Worked {},
            Command::Rest {} => Event::Rested { after: state.done },
        }])
    }

    fn apply(state: &mut State, event: Event) {
        match event {
            Event::Worked {} => state.done += 2,
            Event::Rested { .. } => state.rests += 1,
        }
    }
}
