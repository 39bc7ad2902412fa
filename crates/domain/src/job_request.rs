//! Job requests: a job is offered to some cleaners, one of them takes it, does its tasks and
//! finishes it.

mod answers;
mod commands;
mod events;
mod rules;
mod state;

use ordain_model::{Aggregate, Code, CommandSchema, EventSchema};

pub use answers::{Answer, Answers};
pub use commands::{CleanerId, Command, Task, TaskId};
pub use events::Event;
pub use rules::{
    ALREADY_EXISTS, JOB_ALREADY_ACCEPTED, JOB_ALREADY_FINISHED, JOB_ALREADY_STARTED,
    JOB_NOT_ACCEPTED, JOB_NOT_STARTED, MUST_BE_CLEANER_OF_JOB, NOT_FOUND, NOT_THE_ACCEPTED_CLEANER,
    TASK_ALREADY_FINISHED, TASK_NOT_FOUND, TASKS_NOT_FINISHED, YOU_ALREADY_ANSWERED,
};
pub use state::{Job, State, Status};

/// The aggregate type `job-request`.
#[derive(Debug)]
pub enum JobRequest {}

impl Aggregate for JobRequest {
    type State = State;
    type Command = Command;
    type Event = Event;

    const TYPE: &'static str = "job-request";
    const FOLD_VERSION: u32 = 1;
    const COMMANDS: &'static [CommandSchema] = commands!(
        "job-request",
        creates "create",
        "accept",
        "decline",
        "start",
        "finish-task",
        "finish",
    );
    const EVENTS: &'static [EventSchema] = events!(
        "job-request",
        "created" version 1,
        "accepted" version 1,
        "declined" version 1,
        "all-declined" version 1,
        "started" version 1,
        "task-finished" version 1,
        "finished" version 1,
    );

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Code> {
        rules::decide(state.as_ref(), command)
    }

    fn apply(state: &mut State, event: Event) {
        state::apply(state, event);
    }
}
