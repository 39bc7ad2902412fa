//! The rules of job requests, as examples; where several rules refuse, the order of their codes.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use ordain_domain::job_request::{
    ALREADY_EXISTS, Answer, CleanerId, Command, Event, JOB_ALREADY_ACCEPTED, JOB_ALREADY_FINISHED,
    JOB_ALREADY_STARTED, JOB_NOT_ACCEPTED, JOB_NOT_STARTED, Job, JobRequest,
    MUST_BE_CLEANER_OF_JOB, NOT_FOUND, NOT_THE_ACCEPTED_CLEANER, State, Status,
    TASK_ALREADY_FINISHED, TASK_NOT_FOUND, TASKS_NOT_FINISHED, Task, YOU_ALREADY_ANSWERED,
};
use ordain_testkit::{Given, given};

fn task(id: &str, done: bool) -> Task {
    Task { id: id.into(), name: format!("do {id}"), done }
}

/// A job for ann, bob and cem with an open task and one that is done already.
fn created() -> Event {
    let cleaners = ["ann", "bob", "cem"].map(CleanerId::from).to_vec();
    Event::Created { cleaners, tasks: vec![task("floor", false), task("keys", true)] }
}

fn create(cleaners: &[&str], tasks: &[Task]) -> Command {
    let cleaners = cleaners.iter().map(|id| CleanerId::from(*id)).collect();
    Command::Create { cleaners, tasks: tasks.to_vec() }
}

fn accepted(who: &str) -> Event {
    Event::Accepted { cleaner_id: who.into() }
}

fn declined(who: &str) -> Event {
    Event::Declined { cleaner_id: who.into() }
}

fn started(who: &str) -> Event {
    Event::Started { cleaner_id: who.into() }
}

fn task_finished(task: &str, who: &str) -> Event {
    Event::TaskFinished { task_id: task.into(), cleaner_id: who.into() }
}

fn finished(who: &str) -> Event {
    Event::Finished { cleaner_id: who.into() }
}

fn accept(who: &str) -> Command {
    Command::Accept { cleaner_id: who.into() }
}

fn decline(who: &str) -> Command {
    Command::Decline { cleaner_id: who.into() }
}

fn start(who: Option<&str>) -> Command {
    Command::Start { cleaner_id: who.map(CleanerId::from) }
}

fn finish_task(task: &str, who: Option<&str>) -> Command {
    Command::FinishTask { task_id: task.into(), cleaner_id: who.map(CleanerId::from) }
}

fn finish(who: Option<&str>) -> Command {
    Command::Finish { cleaner_id: who.map(CleanerId::from) }
}

fn job(given: &Given<JobRequest>) -> &Job {
    let state: &State = given.state();
    state.as_ref().unwrap()
}

#[test]
fn a_job_is_created_once_and_offered_to_those_named() {
    let tasks = [task("floor", false), task("keys", true)];
    let job = given::<JobRequest>([]).when(create(&["ann", "bob", "cem"], &tasks));
    let job = job.then([created()]);
    assert_eq!(self::job(&job).status, Status::Offered);
    assert_eq!(self::job(&job).tasks, tasks);
    job.when(create(&[], &[])).then_refused(ALREADY_EXISTS);
}

#[test]
fn nothing_but_create_is_taken_before_a_job_was_created() {
    for command in [
        accept("ann"),
        decline("ann"),
        start(None),
        start(Some("ann")),
        finish_task("floor", None),
        finish(None),
    ] {
        given::<JobRequest>([]).when(command).then_refused(NOT_FOUND);
    }
}

#[test]
fn one_of_those_asked_takes_the_job() {
    let taken = given::<JobRequest>([created()]).when(accept("bob")).then([accepted("bob")]);
    assert_eq!(job(&taken).status, Status::Accepted);
    assert_eq!(job(&taken).accepted_cleaner, Some("bob".into()));
    assert_eq!(job(&taken).answers.of(&"bob".into()), Some(Answer::Accepted));
    taken.when(accept("ann")).then_refused(JOB_ALREADY_ACCEPTED);
}

#[test]
fn an_accept_is_refused_with_the_first_code_that_holds() {
    let taken = || given::<JobRequest>([created(), declined("cem"), accepted("bob")]);
    taken().when(accept("eve")).then_refused(MUST_BE_CLEANER_OF_JOB);
    taken().when(accept("cem")).then_refused(YOU_ALREADY_ANSWERED);
    taken().when(accept("bob")).then_refused(YOU_ALREADY_ANSWERED);
    taken().when(accept("ann")).then_refused(JOB_ALREADY_ACCEPTED);
}

#[test]
fn a_decline_is_refused_with_the_first_code_that_holds() {
    let answered = || given::<JobRequest>([created(), declined("cem")]);
    answered().when(decline("eve")).then_refused(MUST_BE_CLEANER_OF_JOB);
    answered().when(decline("cem")).then_refused(YOU_ALREADY_ANSWERED);
}

#[test]
fn who_has_the_job_cannot_decline_it() {
    given::<JobRequest>([created(), accepted("ann")])
        .when(decline("ann"))
        .then_refused(YOU_ALREADY_ANSWERED);
}

#[test]
fn a_decline_of_others_takes_the_job_from_nobody_however_far_it_is() {
    let so_far = [
        created(),
        accepted("ann"),
        started("ann"),
        task_finished("floor", "ann"),
        finished("ann"),
    ];
    for happened in 2..=so_far.len() {
        let before = given::<JobRequest>(so_far.iter().take(happened).cloned());
        let status = job(&before).status;
        let after = before.when(decline("bob")).then([declined("bob")]);
        let after = after.when(decline("cem")).then([declined("cem")]);
        assert_eq!(job(&after).status, status);
        assert_eq!(job(&after).accepted_cleaner, Some("ann".into()));
    }
}

#[test]
fn the_last_decline_declines_the_job_and_nobody_can_accept_then() {
    let two = given::<JobRequest>([created(), declined("cem")]);
    let two = two.when(decline("ann")).then([declined("ann")]);
    assert_eq!(job(&two).status, Status::Offered);
    let all = two.when(decline("bob")).then([declined("bob"), Event::AllDeclined {}]);
    assert_eq!(job(&all).status, Status::Declined);
    assert_eq!(job(&all).accepted_cleaner, None);
    for who in ["ann", "bob", "cem"] {
        given::<JobRequest>([created(), declined("cem"), declined("ann"), declined("bob")])
            .when(accept(who))
            .then_refused(YOU_ALREADY_ANSWERED);
    }
    all.when(start(None)).then_refused(JOB_NOT_ACCEPTED);
}

#[test]
fn the_only_cleaner_declines_for_all() {
    let all = given::<JobRequest>([]).when(create(&["ann"], &[]));
    let all = all.then([Event::Created { cleaners: vec!["ann".into()], tasks: vec![] }]);
    all.when(decline("ann")).then([declined("ann"), Event::AllDeclined {}]);
}

#[test]
fn a_job_for_nobody_is_not_declined_and_never_taken() {
    let nobody = Event::Created { cleaners: vec![], tasks: vec![] };
    let job = given::<JobRequest>([]).when(create(&[], &[])).then([nobody]);
    assert_eq!(self::job(&job).status, Status::Offered);
    let job = job.when(decline("ann")).then_refused(MUST_BE_CLEANER_OF_JOB);
    job.when(accept("ann")).then_refused(MUST_BE_CLEANER_OF_JOB);
}

#[test]
fn who_has_the_job_starts_it_named_or_not() {
    for who in [None, Some("ann")] {
        let begun = given::<JobRequest>([created(), accepted("ann")]);
        let begun = begun.when(start(who)).then([started("ann")]);
        assert_eq!(job(&begun).status, Status::Started);
    }
}

#[test]
fn a_start_is_refused_with_the_first_code_that_holds() {
    given::<JobRequest>([created()]).when(start(Some("eve"))).then_refused(JOB_NOT_ACCEPTED);
    let begun = || given::<JobRequest>([created(), accepted("ann"), started("ann")]);
    begun().when(start(Some("bob"))).then_refused(NOT_THE_ACCEPTED_CLEANER);
    begun().when(start(Some("ann"))).then_refused(JOB_ALREADY_STARTED);
    begun().when(start(None)).then_refused(JOB_ALREADY_STARTED);
}

#[test]
fn who_has_the_job_finishes_its_tasks_named_or_not() {
    for who in [None, Some("ann")] {
        let begun = given::<JobRequest>([created(), accepted("ann"), started("ann")]);
        let done = begun.when(finish_task("floor", who)).then([task_finished("floor", "ann")]);
        assert!(job(&done).tasks.iter().all(|task| task.done));
    }
}

#[test]
fn a_finished_task_is_refused_with_the_first_code_that_holds() {
    let task = |id, who| finish_task(id, who);
    given::<JobRequest>([created()]).when(task("no", Some("eve"))).then_refused(JOB_NOT_ACCEPTED);
    let taken = || given::<JobRequest>([created(), accepted("ann")]);
    taken().when(task("no", Some("bob"))).then_refused(NOT_THE_ACCEPTED_CLEANER);
    taken().when(task("no", None)).then_refused(JOB_NOT_STARTED);
    let begun = || given::<JobRequest>([created(), accepted("ann"), started("ann")]);
    begun().when(task("no", Some("bob"))).then_refused(NOT_THE_ACCEPTED_CLEANER);
    begun().when(task("no", Some("ann"))).then_refused(TASK_NOT_FOUND);
    begun().when(task("keys", None)).then_refused(TASK_ALREADY_FINISHED);
}

#[test]
fn a_job_is_finished_when_all_its_tasks_are() {
    for who in [None, Some("ann")] {
        let begun = given::<JobRequest>([created(), accepted("ann"), started("ann")]);
        let begun = begun.when(finish(who)).then_refused(TASKS_NOT_FINISHED);
        let done = begun.when(finish_task("floor", None)).then([task_finished("floor", "ann")]);
        let done = done.when(finish(who)).then([finished("ann")]);
        assert_eq!(job(&done).status, Status::Finished);
    }
}

#[test]
fn a_job_without_tasks_needs_none_to_be_finished() {
    let created = Event::Created { cleaners: vec!["ann".into()], tasks: vec![] };
    given::<JobRequest>([created, accepted("ann"), started("ann")])
        .when(finish(None))
        .then([finished("ann")]);
}

#[test]
fn a_finish_is_refused_with_the_first_code_that_holds() {
    given::<JobRequest>([created()]).when(finish(Some("eve"))).then_refused(JOB_NOT_ACCEPTED);
    let taken = || given::<JobRequest>([created(), accepted("ann")]);
    taken().when(finish(Some("bob"))).then_refused(NOT_THE_ACCEPTED_CLEANER);
    taken().when(finish(None)).then_refused(JOB_NOT_STARTED);
    let events = [created(), accepted("ann"), started("ann"), task_finished("floor", "ann")];
    let done = || given::<JobRequest>(events.iter().cloned().chain([finished("ann")]));
    done().when(finish(Some("bob"))).then_refused(NOT_THE_ACCEPTED_CLEANER);
    done().when(finish(Some("ann"))).then_refused(JOB_ALREADY_FINISHED);
    done().when(finish(None)).then_refused(JOB_ALREADY_FINISHED);
}

#[test]
fn a_finished_job_refuses_what_was_done_before() {
    let events = [created(), accepted("ann"), started("ann"), task_finished("floor", "ann")];
    let done = || given::<JobRequest>(events.iter().cloned().chain([finished("ann")]));
    done().when(start(None)).then_refused(JOB_ALREADY_STARTED);
    done().when(finish_task("floor", None)).then_refused(TASK_ALREADY_FINISHED);
    done().when(finish_task("no", None)).then_refused(TASK_NOT_FOUND);
    done().when(accept("bob")).then_refused(JOB_ALREADY_ACCEPTED);
}

#[test]
fn the_state_reads_as_documented_with_answers_in_the_order_given() {
    let state = given::<JobRequest>([created(), declined("cem"), accepted("ann"), declined("bob")]);
    let text = serde_json::to_string(state.state()).unwrap();
    assert_eq!(
        text,
        concat!(
            r#"{"status":"accepted","cleaners":["ann","bob","cem"],"#,
            r#""tasks":[{"id":"floor","name":"do floor","done":false},"#,
            r#"{"id":"keys","name":"do keys","done":true}],"#,
            r#""answers":{"cem":"declined","ann":"accepted","bob":"declined"},"#,
            r#""acceptedCleaner":"ann"}"#
        )
    );
    assert_eq!(serde_json::from_str::<State>(&text).unwrap(), *state.state());
    let offered = serde_json::to_string(given::<JobRequest>([created()]).state()).unwrap();
    assert!(offered.ends_with(r#""answers":{}}"#), "{offered}");
}
