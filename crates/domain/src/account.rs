//! Accounts: money comes in, and goes out as far as there is any.

mod commands;
mod events;
mod rules;
mod state;

use ordain_model::{Aggregate, Code, CommandSchema, EventSchema};

pub use commands::{Amount, Command};
pub use events::Event;
pub use rules::{ALREADY_EXISTS, AMOUNT_OVERFLOW, INSUFFICIENT_FUNDS, NOT_FOUND};
pub use state::{Funds, State};

/// The aggregate type `account`.
#[derive(Debug)]
pub enum Account {}

impl Aggregate for Account {
    type State = State;
    type Command = Command;
    type Event = Event;

    const TYPE: &'static str = "account";
    const FOLD_VERSION: u32 = 1;
    const COMMANDS: &'static [CommandSchema] =
        commands!("account", creates "open", "deposit", "withdraw");
    const EVENTS: &'static [EventSchema] = events!(
        "account",
        "opened" version 1,
        "deposited" version 1,
        "withdrawn" version 1,
    );

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Code> {
        rules::decide(state.as_ref(), command)
    }

    fn apply(state: &mut State, event: Event) {
        state::apply(state, &event);
    }
}
