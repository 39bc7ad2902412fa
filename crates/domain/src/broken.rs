//! An aggregate whose rules misbehave on demand; only in builds for tests. Whatever a rule does,
//! only its own command may be lost.

use ordain_model::{Aggregate, Code, CommandSchema, EventSchema};
use serde::{Deserialize, Serialize};

/// The type `broken`.
#[derive(Debug)]
pub struct Broken;

/// How often something good has happened.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    done: u64,
}

/// What it can be asked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Something good happens.
    Work {},
    /// The rule panics.
    Panic {},
    /// The rule never returns.
    Hang {},
    /// The rule ends the process.
    Abort {},
}

/// What can happen to it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// Something good.
    Worked {},
}

const EMPTY: &str = r#"{"type": "object", "additionalProperties": false}"#;

const fn command(name: &'static str) -> CommandSchema {
    CommandSchema { name, creates: false, schema: EMPTY }
}

impl Aggregate for Broken {
    type State = State;
    type Command = Command;
    type Event = Event;

    const TYPE: &'static str = "broken";
    const FOLD_VERSION: u32 = 1;
    const COMMANDS: &'static [CommandSchema] =
        &[command("work"), command("panic"), command("hang"), command("abort")];
    const EVENTS: &'static [EventSchema] =
        &[EventSchema { name: "worked", version: 1, schema: EMPTY }];

    #[expect(clippy::panic, reason = "misbehaving is what it is for")]
    fn decide(_: &State, command: Command) -> Result<Vec<Event>, Code> {
        match command {
            Command::Work {} => Ok(vec![Event::Worked {}]),
            Command::Panic {} => panic!("a rule that panics"),
            Command::Hang {} => loop {
                std::hint::spin_loop();
            },
            Command::Abort {} => std::process::abort(),
        }
    }

    fn apply(state: &mut State, event: Event) {
        match event {
            Event::Worked {} => state.done += 1,
        }
    }
}
