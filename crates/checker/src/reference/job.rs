//! Job requests: offered to cleaners, taken by at most one of them, and done task by task.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// What can be asked of a job request. The last three may name a cleaner.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Command {
    /// Offer it to these cleaners.
    Create(Vec<String>, Vec<NewTask>),
    /// This cleaner takes it.
    Accept(String),
    /// This cleaner does not want it.
    Decline(String),
    /// The work begins.
    Start(Option<String>),
    /// This task is done.
    FinishTask(String, Option<String>),
    /// The work is done.
    Finish(Option<String>),
}

/// A piece of work as it is asked for. Whether `done` was left out is part of what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTask {
    /// Names it within the job.
    pub id: String,
    /// For people.
    pub name: String,
    /// Whether it is done; it is not when that was left out.
    #[serde(default)]
    pub done: Option<bool>,
}

/// A piece of the work.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Names it within the job.
    pub id: String,
    /// For people.
    pub name: String,
    /// Whether it is done.
    pub done: bool,
}

/// What can happen to a job request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// It was offered.
    Created {
        /// To whom.
        cleaners: Vec<String>,
        /// What is to be done.
        tasks: Vec<Task>,
    },
    /// This cleaner took it.
    Accepted(String),
    /// This cleaner does not want it.
    Declined(String),
    /// Nobody wants it.
    AllDeclined,
    /// The work of this cleaner began.
    Started(String),
    /// This task was done by this cleaner.
    TaskFinished(String, String),
    /// This cleaner has done the work.
    Finished(String),
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Somebody may take it.
    Offered,
    /// Nobody wants it.
    Declined,
    /// Somebody has it.
    Accepted,
    /// The work has begun.
    Started,
    /// The work is done.
    Finished,
}

/// What a cleaner answers to an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// I take it.
    Accepted,
    /// I do not want it.
    Declined,
}

/// A job. This is also the form of its row in the view `job-requests`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Job {
    /// How far it is.
    pub status: Status,
    /// To whom it was offered.
    pub cleaners: Vec<String>,
    /// What is to be done.
    pub tasks: Vec<Task>,
    /// Who answered what, in the order given.
    pub answers: Answers,
    /// Who has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_cleaner: Option<String>,
}

/// Answers by cleaner, in the order given; in JSON an object with its members in that order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Answers(pub Vec<(String, Answer)>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create<T> {
    cleaners: Vec<String>,
    tasks: Vec<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OfCleaner {
    cleaner_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MayNameCleaner {
    #[serde(default)]
    cleaner_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OfTask<C> {
    task_id: String,
    #[serde(default)]
    cleaner_id: C,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

fn from<'d, T: Deserialize<'d>>(data: &'d str) -> Option<T> {
    serde_json::from_str(data).ok()
}

impl Command {
    pub(super) fn read(name: &str, data: &str) -> Option<Self> {
        let named = |data| from::<MayNameCleaner>(data).map(|named| named.cleaner_id);
        match name {
            "create" => {
                from::<Create<NewTask>>(data).map(|new| Self::Create(new.cleaners, new.tasks))
            }
            "accept" => from::<OfCleaner>(data).map(|of| Self::Accept(of.cleaner_id)),
            "decline" => from::<OfCleaner>(data).map(|of| Self::Decline(of.cleaner_id)),
            "start" => named(data).map(Self::Start),
            "finish-task" => from::<OfTask<Option<String>>>(data)
                .map(|task| Self::FinishTask(task.task_id, task.cleaner_id)),
            "finish" => named(data).map(Self::Finish),
            _ => None,
        }
    }
}

impl Event {
    pub(super) fn read(name: &str, data: &str) -> Option<Self> {
        let cleaner = |data| from::<OfCleaner>(data).map(|of| of.cleaner_id);
        match name {
            "created" => from::<Create<Task>>(data)
                .map(|new| Self::Created { cleaners: new.cleaners, tasks: new.tasks }),
            "accepted" => cleaner(data).map(Self::Accepted),
            "declined" => cleaner(data).map(Self::Declined),
            "all-declined" => from::<Nothing>(data).map(|Nothing {}| Self::AllDeclined),
            "started" => cleaner(data).map(Self::Started),
            "task-finished" => from::<OfTask<String>>(data)
                .map(|task| Self::TaskFinished(task.task_id, task.cleaner_id)),
            "finished" => cleaner(data).map(Self::Finished),
            _ => None,
        }
    }
}

/// What the rules say. Of several that refuse the first counts, as they stand.
///
/// # Errors
/// The code of the rule that refuses.
pub fn decide(job: Option<&Job>, command: &Command) -> Result<Vec<Event>, &'static str> {
    let Some(job) = job else {
        return match command {
            Command::Create(cleaners, tasks) => {
                let tasks = tasks.iter().map(Task::of).collect();
                Ok(vec![Event::Created { cleaners: cleaners.clone(), tasks }])
            }
            _ => Err("NOT_FOUND"),
        };
    };
    match command {
        Command::Create(..) => Err("ALREADY_EXISTS"),
        Command::Accept(cleaner) => job.accept(cleaner),
        Command::Decline(cleaner) => job.decline(cleaner),
        Command::Start(named) => {
            let cleaner = job.worked_by(named.as_deref())?;
            let begun = matches!(job.status, Status::Started | Status::Finished);
            if begun { Err("JOB_ALREADY_STARTED") } else { Ok(vec![Event::Started(cleaner)]) }
        }
        Command::FinishTask(task, named) => job.finish_task(task, named.as_deref()),
        Command::Finish(named) => job.finish(named.as_deref()),
    }
}

impl Task {
    fn of(new: &NewTask) -> Self {
        Self { id: new.id.clone(), name: new.name.clone(), done: new.done == Some(true) }
    }
}

impl Job {
    pub(super) fn offered(cleaners: &[String], tasks: &[Task]) -> Self {
        Self {
            status: Status::Offered,
            cleaners: cleaners.to_vec(),
            tasks: tasks.to_vec(),
            answers: Answers::default(),
            accepted_cleaner: None,
        }
    }

    fn answered(&self, cleaner: &str) -> Option<Answer> {
        self.answers.0.iter().find(|(who, _)| who == cleaner).map(|(_, answer)| *answer)
    }

    fn may_answer(&self, cleaner: &str) -> Result<(), &'static str> {
        match self.answered(cleaner) {
            _ if !self.cleaners.iter().any(|named| named == cleaner) => {
                Err("MUST_BE_CLEANER_OF_JOB")
            }
            Some(_) => Err("YOU_ALREADY_ANSWERED"),
            None => Ok(()),
        }
    }

    fn accept(&self, cleaner: &str) -> Result<Vec<Event>, &'static str> {
        self.may_answer(cleaner)?;
        match self.accepted_cleaner {
            Some(_) => Err("JOB_ALREADY_ACCEPTED"),
            None => Ok(vec![Event::Accepted(cleaner.to_owned())]),
        }
    }

    fn decline(&self, cleaner: &str) -> Result<Vec<Event>, &'static str> {
        self.may_answer(cleaner)?;
        let mut events = vec![Event::Declined(cleaner.to_owned())];
        let declines = |who: &String| self.answered(who) == Some(Answer::Declined);
        if self.cleaners.iter().all(|who| who == cleaner || declines(who)) {
            events.push(Event::AllDeclined);
        }
        Ok(events)
    }

    /// Who has the job; who is named must be the one.
    fn worked_by(&self, named: Option<&str>) -> Result<String, &'static str> {
        match (&self.accepted_cleaner, named) {
            (None, _) => Err("JOB_NOT_ACCEPTED"),
            (Some(has), Some(named)) if has != named => Err("NOT_THE_ACCEPTED_CLEANER"),
            (Some(has), _) => Ok(has.clone()),
        }
    }

    /// Who works on the job, which has begun.
    fn begun_by(&self, named: Option<&str>) -> Result<String, &'static str> {
        let cleaner = self.worked_by(named)?;
        match self.status {
            Status::Started | Status::Finished => Ok(cleaner),
            Status::Offered | Status::Declined | Status::Accepted => Err("JOB_NOT_STARTED"),
        }
    }

    fn finish_task(&self, task: &str, named: Option<&str>) -> Result<Vec<Event>, &'static str> {
        let cleaner = self.begun_by(named)?;
        match self.tasks.iter().find(|own| own.id == task) {
            None => Err("TASK_NOT_FOUND"),
            Some(Task { done: true, .. }) => Err("TASK_ALREADY_FINISHED"),
            Some(_) => Ok(vec![Event::TaskFinished(task.to_owned(), cleaner)]),
        }
    }

    fn finish(&self, named: Option<&str>) -> Result<Vec<Event>, &'static str> {
        let cleaner = self.begun_by(named)?;
        if self.tasks.iter().any(|task| !task.done) {
            return Err("TASKS_NOT_FINISHED");
        }
        match self.status {
            Status::Finished => Err("JOB_ALREADY_FINISHED"),
            _ => Ok(vec![Event::Finished(cleaner)]),
        }
    }

    /// What an event makes of it. False where it cannot happen.
    pub(super) fn apply(&mut self, event: &Event) -> bool {
        match event {
            Event::Created { .. } => return false,
            Event::Accepted(cleaner) => {
                self.status = Status::Accepted;
                self.answers.0.push((cleaner.clone(), Answer::Accepted));
                self.accepted_cleaner = Some(cleaner.clone());
            }
            Event::Declined(cleaner) => self.answers.0.push((cleaner.clone(), Answer::Declined)),
            Event::AllDeclined => self.status = Status::Declined,
            Event::Started(_) => self.status = Status::Started,
            Event::TaskFinished(task, _) => {
                let Some(task) = self.tasks.iter_mut().find(|own| own.id == *task) else {
                    return false;
                };
                task.done = true;
            }
            Event::Finished(_) => self.status = Status::Finished,
        }
        true
    }
}

impl Serialize for Answers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(cleaner, answer)| (cleaner, answer)))
    }
}

impl<'de> Deserialize<'de> for Answers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Answers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("answers by cleaner")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Answers, M::Error> {
                let mut answers = Answers::default();
                while let Some(answer) = map.next_entry()? {
                    answers.0.push(answer);
                }
                Ok(answers)
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}
