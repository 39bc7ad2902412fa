//! What can happen to a job request. From `started` on, events name who has the job, so that a
//! reader of one event knows whom it concerns without having read the others.

use serde::{Deserialize, Serialize};

use super::{CleanerId, Task, TaskId};

/// What can happen to a job request. This is the form in which events are stored: a change needs
/// a new version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Event {
    /// The job was offered.
    Created {
        /// To whom.
        cleaners: Vec<CleanerId>,
        /// What is to be done.
        tasks: Vec<Task>,
    },
    /// A cleaner took the job.
    Accepted {
        /// Who has it from now on.
        cleaner_id: CleanerId,
    },
    /// A cleaner does not want the job.
    Declined {
        /// Who.
        cleaner_id: CleanerId,
    },
    /// The last of the cleaners named has declined.
    AllDeclined {},
    /// The work began.
    Started {
        /// Who has the job.
        cleaner_id: CleanerId,
    },
    /// A task is done.
    TaskFinished {
        /// Which one.
        task_id: TaskId,
        /// Who has the job.
        cleaner_id: CleanerId,
    },
    /// The work is done.
    Finished {
        /// Who has the job.
        cleaner_id: CleanerId,
    },
}
