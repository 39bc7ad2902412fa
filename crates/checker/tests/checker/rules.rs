//! The rules of the reference model, as they were written down for people.

use ordain_checker::reference::job::Job;
use ordain_checker::reference::{Command, Event, Kind, State};

/// A command by name and data, and what becomes of it: events by name and data, or a code.
type Step<'s> = (&'s str, &'s str, &'s [(&'s str, &'s str)], &'s str);

/// Sends commands one after the other, and compares what becomes of each.
fn becomes(kind: Kind, steps: &[Step<'_>]) -> State {
    let mut state = State::Nothing;
    for (name, data, events, code) in steps {
        let command = Command::read(kind, name, data);
        let expected: Vec<Event> =
            events.iter().map(|(event, data)| Event::read(kind, event, data)).collect();
        let is_known = |event: &Event| !matches!(event, Event::Other(..));
        assert!(expected.iter().all(is_known), "{name} {data}");
        match state.decide(&command).expect("a command that the model knows") {
            Ok(events) => {
                assert_eq!((events.as_slice(), ""), (expected.as_slice(), *code), "{name} {data}");
                assert!(events.iter().all(|event| state.apply(event)), "{name} {data}");
            }
            Err(refused) => {
                assert_eq!((refused.code, 0), (*code, events.len()), "{name} {data}");
            }
        }
    }
    state
}

#[test]
fn accounts() {
    const LARGEST: &str = r#"{"amount":9223372036854775807}"#;
    const ONE: &str = r#"{"amount":1}"#;
    let left = becomes(
        Kind::Account,
        &[
            ("deposit", ONE, &[], "NOT_FOUND"),
            ("withdraw", ONE, &[], "NOT_FOUND"),
            ("open", "{}", &[("opened", "{}")], ""),
            ("open", "{}", &[], "ALREADY_EXISTS"),
            ("withdraw", ONE, &[], "INSUFFICIENT_FUNDS"),
            ("deposit", LARGEST, &[("deposited", LARGEST)], ""),
            ("deposit", ONE, &[], "AMOUNT_OVERFLOW"),
            ("withdraw", ONE, &[("withdrawn", ONE)], ""),
            ("withdraw", LARGEST, &[], "INSUFFICIENT_FUNDS"),
            ("deposit", ONE, &[("deposited", ONE)], ""),
            ("withdraw", LARGEST, &[("withdrawn", LARGEST)], ""),
        ],
    );
    assert_eq!(left, State::Account(0));
    for bad in [r#"{"amount":0}"#, r#"{"amount":-1}"#, "{}", r#"{"amount":1,"more":1}"#] {
        let read = Command::read(Kind::Account, "deposit", bad);
        assert!(matches!(read, Command::Other(..)), "{bad}");
    }
}

const ANN: &str = r#"{"cleanerId":"ann"}"#;
const BOB: &str = r#"{"cleanerId":"bob"}"#;
const CID: &str = r#"{"cleanerId":"cid"}"#;
const NEW: &str = r#"{"cleaners":["ann","bob","cid"],"tasks":[{"id":"t","name":"sweep"},{"id":"u","name":"mop","done":true}]}"#;
const CREATED: &str = r#"{"cleaners":["ann","bob","cid"],"tasks":[{"id":"t","name":"sweep","done":false},{"id":"u","name":"mop","done":true}]}"#;
const T: &str = r#"{"taskId":"t"}"#;
const T_BY_ANN: &str = r#"{"taskId":"t","cleanerId":"ann"}"#;

fn row(state: State) -> String {
    let State::Job(job) = state else { panic!("a job: {state:?}") };
    serde_json::to_string::<Job>(&job).unwrap()
}

#[test]
fn a_job_that_is_done() {
    let left = becomes(
        Kind::Job,
        &[
            ("accept", ANN, &[], "NOT_FOUND"),
            ("decline", ANN, &[], "NOT_FOUND"),
            ("start", "{}", &[], "NOT_FOUND"),
            ("finish-task", T, &[], "NOT_FOUND"),
            ("finish", "{}", &[], "NOT_FOUND"),
            ("create", NEW, &[("created", CREATED)], ""),
            ("create", NEW, &[], "ALREADY_EXISTS"),
            ("start", ANN, &[], "JOB_NOT_ACCEPTED"),
            ("finish-task", T, &[], "JOB_NOT_ACCEPTED"),
            ("finish", "{}", &[], "JOB_NOT_ACCEPTED"),
            ("accept", r#"{"cleanerId":"dan"}"#, &[], "MUST_BE_CLEANER_OF_JOB"),
            ("decline", r#"{"cleanerId":"dan"}"#, &[], "MUST_BE_CLEANER_OF_JOB"),
            ("decline", BOB, &[("declined", BOB)], ""),
            ("accept", BOB, &[], "YOU_ALREADY_ANSWERED"),
            ("accept", ANN, &[("accepted", ANN)], ""),
            ("accept", ANN, &[], "YOU_ALREADY_ANSWERED"),
            ("decline", ANN, &[], "YOU_ALREADY_ANSWERED"),
            ("accept", CID, &[], "JOB_ALREADY_ACCEPTED"),
            // Takes the job from nobody, and not all have declined.
            ("decline", CID, &[("declined", CID)], ""),
            ("finish-task", T, &[], "JOB_NOT_STARTED"),
            ("finish", "{}", &[], "JOB_NOT_STARTED"),
            ("start", BOB, &[], "NOT_THE_ACCEPTED_CLEANER"),
            ("start", "{}", &[("started", ANN)], ""),
            ("start", ANN, &[], "JOB_ALREADY_STARTED"),
            ("finish-task", r#"{"taskId":"t","cleanerId":"bob"}"#, &[], "NOT_THE_ACCEPTED_CLEANER"),
            ("finish-task", r#"{"taskId":"v"}"#, &[], "TASK_NOT_FOUND"),
            ("finish-task", r#"{"taskId":"u"}"#, &[], "TASK_ALREADY_FINISHED"),
            ("finish", "{}", &[], "TASKS_NOT_FINISHED"),
            ("finish-task", T, &[("task-finished", T_BY_ANN)], ""),
            ("finish-task", T_BY_ANN, &[], "TASK_ALREADY_FINISHED"),
            ("finish", BOB, &[], "NOT_THE_ACCEPTED_CLEANER"),
            ("finish", ANN, &[("finished", ANN)], ""),
            ("finish", "{}", &[], "JOB_ALREADY_FINISHED"),
            ("start", "{}", &[], "JOB_ALREADY_STARTED"),
        ],
    );
    let expected = r#"{"status":"finished","cleaners":["ann","bob","cid"],"tasks":[{"id":"t","name":"sweep","done":true},{"id":"u","name":"mop","done":true}],"answers":{"bob":"declined","ann":"accepted","cid":"declined"},"acceptedCleaner":"ann"}"#;
    assert_eq!(row(left), expected);
}

#[test]
fn a_job_that_nobody_wants() {
    let new = r#"{"cleaners":["ann","bob"],"tasks":[]}"#;
    let left = becomes(
        Kind::Job,
        &[
            ("create", new, &[("created", new)], ""),
            ("decline", BOB, &[("declined", BOB)], ""),
            ("decline", ANN, &[("declined", ANN), ("all-declined", "{}")], ""),
            ("accept", ANN, &[], "YOU_ALREADY_ANSWERED"),
            ("start", "{}", &[], "JOB_NOT_ACCEPTED"),
        ],
    );
    let expected = r#"{"status":"declined","cleaners":["ann","bob"],"tasks":[],"answers":{"bob":"declined","ann":"declined"}}"#;
    assert_eq!(row(left), expected);
}
