//! What the events of a job request amount to.

use serde::{Deserialize, Serialize};

use super::{Answer, Answers, CleanerId, Event, Task};

/// A job, once it was created.
pub type State = Option<Job>;

/// A job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Job {
    /// How far it is.
    pub status: Status,
    /// To whom it was offered.
    pub cleaners: Vec<CleanerId>,
    /// What is to be done.
    pub tasks: Vec<Task>,
    /// Who answered what, in the order given.
    pub answers: Answers,
    /// Who has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_cleaner: Option<CleanerId>,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Offered; nobody has it, somebody may still take it.
    Offered,
    /// All to whom it was offered have declined.
    Declined,
    /// Somebody has it.
    Accepted,
    /// The work has begun.
    Started,
    /// The work is done.
    Finished,
}

/// What `event` makes of `state`. The rules let nothing happen before the job was created; the
/// fold is total all the same.
pub(super) fn apply(state: &mut State, event: Event) {
    match (state.as_mut(), event) {
        (_, Event::Created { cleaners, tasks }) => {
            *state = Some(Job {
                status: Status::Offered,
                cleaners,
                tasks,
                answers: Answers::default(),
                accepted_cleaner: None,
            });
        }
        (Some(job), event) => job.apply(event),
        (None, _) => {}
    }
}

impl Job {
    fn apply(&mut self, event: Event) {
        match event {
            Event::Accepted { cleaner_id } => {
                self.status = Status::Accepted;
                self.answers.push(cleaner_id.clone(), Answer::Accepted);
                self.accepted_cleaner = Some(cleaner_id);
            }
            Event::Declined { cleaner_id } => self.answers.push(cleaner_id, Answer::Declined),
            Event::AllDeclined {} => self.status = Status::Declined,
            Event::Started { .. } => self.status = Status::Started,
            Event::TaskFinished { task_id, .. } => {
                for task in self.tasks.iter_mut().filter(|task| task.id == task_id) {
                    task.done = true;
                }
            }
            Event::Finished { .. } => self.status = Status::Finished,
            Event::Created { .. } => {}
        }
    }
}
