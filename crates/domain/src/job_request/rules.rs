//! The rules of job requests. Where several refuse, the code of the first one counts, in the
//! order in which they stand in each function.

use ordain_model::Code;

use super::{Answer, CleanerId, Command, Event, Job, Status, TaskId};

/// The job was created before.
pub const ALREADY_EXISTS: Code = Code::new("ALREADY_EXISTS");
/// The job was never created.
pub const NOT_FOUND: Code = Code::new("NOT_FOUND");
/// The job was not offered to who answers.
pub const MUST_BE_CLEANER_OF_JOB: Code = Code::new("MUST_BE_CLEANER_OF_JOB");
/// Who answers has answered before.
pub const YOU_ALREADY_ANSWERED: Code = Code::new("YOU_ALREADY_ANSWERED");
/// Somebody else has the job.
pub const JOB_ALREADY_ACCEPTED: Code = Code::new("JOB_ALREADY_ACCEPTED");
/// Nobody has the job.
pub const JOB_NOT_ACCEPTED: Code = Code::new("JOB_NOT_ACCEPTED");
/// Somebody else than the one named has the job.
pub const NOT_THE_ACCEPTED_CLEANER: Code = Code::new("NOT_THE_ACCEPTED_CLEANER");
/// The work has begun before.
pub const JOB_ALREADY_STARTED: Code = Code::new("JOB_ALREADY_STARTED");
/// The work has not begun.
pub const JOB_NOT_STARTED: Code = Code::new("JOB_NOT_STARTED");
/// The job has no such task.
pub const TASK_NOT_FOUND: Code = Code::new("TASK_NOT_FOUND");
/// The task was done before.
pub const TASK_ALREADY_FINISHED: Code = Code::new("TASK_ALREADY_FINISHED");
/// A task is not done.
pub const TASKS_NOT_FINISHED: Code = Code::new("TASKS_NOT_FINISHED");
/// The work was done before.
pub const JOB_ALREADY_FINISHED: Code = Code::new("JOB_ALREADY_FINISHED");

pub(super) fn decide(job: Option<&Job>, command: Command) -> Result<Vec<Event>, Code> {
    match (job, command) {
        (None, Command::Create { cleaners, tasks }) => Ok(vec![Event::Created { cleaners, tasks }]),
        (Some(_), Command::Create { .. }) => Err(ALREADY_EXISTS),
        (None, _) => Err(NOT_FOUND),
        (Some(job), Command::Accept { cleaner_id }) => accept(job, cleaner_id),
        (Some(job), Command::Decline { cleaner_id }) => decline(job, cleaner_id),
        (Some(job), Command::Start { cleaner_id }) => start(job, cleaner_id.as_ref()),
        (Some(job), Command::FinishTask { task_id, cleaner_id }) => {
            finish_task(job, task_id, cleaner_id.as_ref())
        }
        (Some(job), Command::Finish { cleaner_id }) => finish(job, cleaner_id.as_ref()),
    }
}

fn accept(job: &Job, cleaner_id: CleanerId) -> Result<Vec<Event>, Code> {
    may_answer(job, &cleaner_id)?;
    if job.accepted_cleaner.is_some() {
        return Err(JOB_ALREADY_ACCEPTED);
    }
    Ok(vec![Event::Accepted { cleaner_id }])
}

/// A decline is taken whatever the job's status: it tells that this cleaner will not do it, and
/// takes the job from nobody.
fn decline(job: &Job, cleaner_id: CleanerId) -> Result<Vec<Event>, Code> {
    may_answer(job, &cleaner_id)?;
    let others = job.cleaners.iter().filter(|other| **other != cleaner_id);
    let mut answers = others.map(|other| job.answers.of(other));
    let all_declined = answers.all(|answer| answer == Some(Answer::Declined));
    let mut events = vec![Event::Declined { cleaner_id }];
    if all_declined {
        events.push(Event::AllDeclined {});
    }
    Ok(events)
}

fn start(job: &Job, named: Option<&CleanerId>) -> Result<Vec<Event>, Code> {
    let cleaner_id = who_has(job, named)?;
    if has_begun(job) {
        return Err(JOB_ALREADY_STARTED);
    }
    Ok(vec![Event::Started { cleaner_id }])
}

/// A finished job needs no rule here: all its tasks are done.
fn finish_task(job: &Job, task_id: TaskId, named: Option<&CleanerId>) -> Result<Vec<Event>, Code> {
    let cleaner_id = who_has(job, named)?;
    if !has_begun(job) {
        return Err(JOB_NOT_STARTED);
    }
    let task = job.tasks.iter().find(|task| task.id == task_id).ok_or(TASK_NOT_FOUND)?;
    if task.done {
        return Err(TASK_ALREADY_FINISHED);
    }
    Ok(vec![Event::TaskFinished { task_id, cleaner_id }])
}

fn finish(job: &Job, named: Option<&CleanerId>) -> Result<Vec<Event>, Code> {
    let cleaner_id = who_has(job, named)?;
    if !has_begun(job) {
        return Err(JOB_NOT_STARTED);
    }
    if job.tasks.iter().any(|task| !task.done) {
        return Err(TASKS_NOT_FINISHED);
    }
    if job.status == Status::Finished {
        return Err(JOB_ALREADY_FINISHED);
    }
    Ok(vec![Event::Finished { cleaner_id }])
}

/// Only who was asked may answer, and only once.
fn may_answer(job: &Job, cleaner: &CleanerId) -> Result<(), Code> {
    if !job.cleaners.contains(cleaner) {
        return Err(MUST_BE_CLEANER_OF_JOB);
    }
    if job.answers.of(cleaner).is_some() {
        return Err(YOU_ALREADY_ANSWERED);
    }
    Ok(())
}

/// Who has the job; where somebody is named, it must be the same.
fn who_has(job: &Job, named: Option<&CleanerId>) -> Result<CleanerId, Code> {
    let has = job.accepted_cleaner.as_ref().ok_or(JOB_NOT_ACCEPTED)?;
    if named.is_some_and(|named| named != has) {
        return Err(NOT_THE_ACCEPTED_CLEANER);
    }
    Ok(has.clone())
}

fn has_begun(job: &Job) -> bool {
    matches!(job.status, Status::Started | Status::Finished)
}
