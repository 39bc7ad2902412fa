//! What can be asked of a job request.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};

/// What can be asked of a job request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Command {
    /// Come into being: the job is offered.
    Create {
        /// To whom; each once.
        #[serde(deserialize_with = "distinct_cleaners")]
        cleaners: Vec<CleanerId>,
        /// What is to be done; each id once. A schema cannot say this, so decoding does.
        #[serde(deserialize_with = "distinct_tasks")]
        tasks: Vec<Task>,
    },
    /// A cleaner takes the job.
    Accept {
        /// Who.
        cleaner_id: CleanerId,
    },
    /// A cleaner does not want the job.
    Decline {
        /// Who.
        cleaner_id: CleanerId,
    },
    /// The work begins.
    Start {
        /// Who says so; nobody is asked when it is left out.
        cleaner_id: Option<CleanerId>,
    },
    /// A task is done.
    FinishTask {
        /// Which one.
        task_id: TaskId,
        /// Who says so; nobody is asked when it is left out.
        cleaner_id: Option<CleanerId>,
    },
    /// The work is done.
    Finish {
        /// Who says so; nobody is asked when it is left out.
        cleaner_id: Option<CleanerId>,
    },
}

/// Names a cleaner: `[A-Za-z0-9][A-Za-z0-9._:~-]{0,127}`, as the schemas have it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CleanerId(String);

/// Names a task within its job: `[A-Za-z0-9][A-Za-z0-9._:~-]{0,127}`, as the schemas have it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(String);

impl From<&str> for CleanerId {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<&str> for TaskId {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for CleanerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A piece of the work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Names it within the job.
    pub id: TaskId,
    /// What is to be done, for people.
    pub name: String,
    /// Whether it is done.
    #[serde(default)]
    pub done: bool,
}

fn distinct_cleaners<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<CleanerId>, D::Error> {
    let cleaners = Vec::<CleanerId>::deserialize(from)?;
    match repeated(&cleaners, |cleaner| cleaner) {
        Some(id) => Err(D::Error::custom(format_args!("the cleaner {id} is named twice"))),
        None => Ok(cleaners),
    }
}

fn distinct_tasks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Task>, D::Error> {
    let tasks = Vec::<Task>::deserialize(from)?;
    match repeated(&tasks, |task| &task.id) {
        Some(id) => Err(D::Error::custom(format_args!("two tasks have the id {id}"))),
        None => Ok(tasks),
    }
}

fn repeated<T, I: Ord>(items: &[T], id: impl Fn(&T) -> &I) -> Option<&I> {
    let mut seen = BTreeSet::new();
    items.iter().map(id).find(|id| !seen.insert(*id))
}
