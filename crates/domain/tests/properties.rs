//! Properties of any sequence of commands.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use ordain_domain::account::{self, Account};
use ordain_domain::job_request::{self, Answer, JobRequest, Status};
use ordain_domain::registry;
use ordain_model::{
    Aggregate, Code, Decision, Document, Event, Handler, Json, Limits, NewEvent, State, Timestamp,
};
use proptest::prelude::*;
use serde::Serialize;

fn amounts() -> impl Strategy<Value = account::Amount> {
    let units = prop_oneof![1..100_i64, 1..=i64::MAX, (i64::MAX - 100)..=i64::MAX];
    units.prop_map(|units| account::Amount::try_from(units).unwrap())
}

fn account_commands() -> impl Strategy<Value = account::Command> {
    prop_oneof![
        1 => Just(account::Command::Open {}),
        4 => amounts().prop_map(|amount| account::Command::Deposit { amount }),
        4 => amounts().prop_map(|amount| account::Command::Withdraw { amount }),
    ]
}

fn cleaners() -> impl Strategy<Value = job_request::CleanerId> {
    prop::sample::select(vec!["ann", "bob", "cem", "eve"]).prop_map(job_request::CleanerId::from)
}

fn tasks() -> impl Strategy<Value = job_request::TaskId> {
    prop::sample::select(vec!["floor", "keys", "no"]).prop_map(job_request::TaskId::from)
}

fn creates() -> impl Strategy<Value = job_request::Command> {
    let cleaners = prop::sample::subsequence(vec!["ann", "bob", "cem"], 0..=3).prop_shuffle();
    let tasks = prop::sample::subsequence(vec!["floor", "keys"], 0..=2);
    (cleaners, tasks, any::<bool>()).prop_map(|(cleaners, tasks, done)| {
        let task = |id: &str| job_request::Task { id: id.into(), name: id.to_uppercase(), done };
        job_request::Command::Create {
            cleaners: cleaners.into_iter().map(job_request::CleanerId::from).collect(),
            tasks: tasks.into_iter().map(task).collect(),
        }
    })
}

fn job_commands() -> impl Strategy<Value = job_request::Command> {
    use job_request::Command;
    let named = || prop::option::of(cleaners());
    prop_oneof![
        1 => creates(),
        3 => cleaners().prop_map(|cleaner_id| Command::Accept { cleaner_id }),
        3 => cleaners().prop_map(|cleaner_id| Command::Decline { cleaner_id }),
        2 => named().prop_map(|cleaner_id| Command::Start { cleaner_id }),
        3 => (tasks(), named())
            .prop_map(|(task_id, cleaner_id)| Command::FinishTask { task_id, cleaner_id }),
        2 => named().prop_map(|cleaner_id| Command::Finish { cleaner_id }),
    ]
}

/// Commands of which the first creates the job more often than not, so that the later ones meet
/// every state.
fn job_lives() -> impl Strategy<Value = Vec<job_request::Command>> {
    (prop::option::weighted(0.9, creates()), prop::collection::vec(job_commands(), 0..40))
        .prop_map(|(first, rest)| first.into_iter().chain(rest).collect())
}

/// What the rules said of one command.
type Said<E> = Result<Vec<E>, Code>;

/// Runs the commands through the rules as they are; gives what was decided, and the state that
/// the events left.
fn run<A: Aggregate>(commands: &[A::Command]) -> (Vec<Said<A::Event>>, A::State)
where
    A::Command: Clone,
    A::Event: Clone,
{
    let mut state = A::State::default();
    let mut decisions = Vec::new();
    for command in commands {
        let decision = A::decide(&state, command.clone());
        for event in decision.iter().flatten() {
            A::apply(&mut state, event.clone());
        }
        decisions.push(decision);
    }
    (decisions, state)
}

/// The same through the face that the engine uses: bodies in, events out, each event held against
/// its schema, and the state saved and restored after every command.
fn run_as_json(handler: &dyn Handler, commands: &[impl Serialize]) -> (Vec<Decision>, Json) {
    let mut state = handler.initial();
    let mut sequence = 0;
    let mut decisions = Vec::new();
    for command in commands {
        let (name, body) = name_and_body(command);
        handler.check(&name, &body).unwrap();
        let decision = handler.decide(&state, &name, &body).unwrap();
        if let Decision::Accepted(events) = &decision {
            for event in events {
                sequence += 1;
                check_and_apply(handler, &mut state, sequence, event);
            }
        }
        state = handler.restore(&handler.save(&state).unwrap()).unwrap();
        decisions.push(decision);
    }
    (decisions, handler.save(&state).unwrap())
}

fn check_and_apply(handler: &dyn Handler, state: &mut State, sequence: u64, event: &NewEvent) {
    let known = handler.definition().event(event.name.as_str()).unwrap();
    let data = Document::parse(event.data.as_str().as_bytes(), &Limits::default()).unwrap();
    let violations = known.schema.validate(&data);
    assert!(violations.is_empty(), "{} {violations:?}", event.name);
    let NewEvent { name, version, data } = event.clone();
    let time = Timestamp::default();
    handler.apply(state, &Event { sequence, name, version, data, time }).unwrap();
}

fn name_and_body(command: &impl Serialize) -> (String, Json) {
    let value = serde_json::to_value(command).unwrap();
    let (name, body) = value.as_object().unwrap().iter().next().unwrap();
    let mut body = body.clone();
    // An absent name is written as null by Rust and left out by clients.
    if let Some(members) = body.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    (name.clone(), Json::try_from(body.to_string()).unwrap())
}

fn same<E: Serialize>(decision: &Said<E>, through_json: &Decision) -> bool {
    match (decision, through_json) {
        (Err(code), Decision::Refused(same)) => code == same,
        (Ok(events), Decision::Accepted(same)) => {
            let written: Vec<_> = events.iter().map(name_and_body).collect();
            let same: Vec<_> =
                same.iter().map(|event| (event.name.to_string(), event.data.clone())).collect();
            // Member order may differ, because one of the two went through a sorted map.
            written.len() == same.len()
                && written.iter().zip(&same).all(|(left, right)| {
                    left.0 == right.0
                        && left.1.decode::<serde_json::Value>().unwrap()
                            == right.1.decode::<serde_json::Value>().unwrap()
                })
        }
        _ => false,
    }
}

fn handler(type_: &str) -> Arc<dyn Handler> {
    Arc::clone(registry().unwrap().get(type_).unwrap())
}

proptest! {
    #[test]
    fn funds_are_what_came_in_less_what_went_out(
        commands in prop::collection::vec(account_commands(), 0..40),
    ) {
        let (decisions, state) = run::<Account>(&commands);
        let mut funds: i128 = 0;
        for event in decisions.iter().flatten().flatten() {
            match event {
                account::Event::Opened {} => {}
                account::Event::Deposited { amount } => funds += i128::from(amount.minor_units()),
                account::Event::Withdrawn { amount } => funds -= i128::from(amount.minor_units()),
            }
            prop_assert!((0..=i128::from(i64::MAX)).contains(&funds));
        }
        prop_assert_eq!(i128::from(state.unwrap_or_default().funds), funds);
    }

    #[test]
    fn an_account_says_the_same_through_json(
        commands in prop::collection::vec(account_commands(), 0..20),
    ) {
        let (decisions, state) = run::<Account>(&commands);
        let (through_json, saved) = run_as_json(handler("account").as_ref(), &commands);
        prop_assert!(decisions.iter().zip(&through_json).all(|(left, right)| same(left, right)));
        prop_assert_eq!(Json::of(&state).unwrap(), saved);
    }

    /// Not so for `deposit` and `withdraw`: they name an amount, not a goal, so the same command
    /// under another request id is meant to happen once more. The request id tells a repeat from
    /// a second wish.
    #[test]
    fn opening_again_is_refused(
        commands in prop::collection::vec(account_commands(), 0..10),
    ) {
        let (_, mut state) = run::<Account>(&commands);
        for event in Account::decide(&state, account::Command::Open {}).into_iter().flatten() {
            Account::apply(&mut state, event);
        }
        prop_assert_eq!(
            Account::decide(&state, account::Command::Open {}),
            Err(account::ALREADY_EXISTS)
        );
    }

    #[test]
    fn two_never_have_the_job(commands in job_lives()) {
        let (decisions, state) = run::<JobRequest>(&commands);
        let events: Vec<_> = decisions.iter().flatten().flatten().collect();
        let holders: Vec<_> = events.iter().filter_map(|event| match event {
            job_request::Event::Accepted { cleaner_id } => Some(cleaner_id),
            _ => None,
        }).collect();
        prop_assert!(holders.len() <= 1);
        for event in &events {
            if let job_request::Event::Started { cleaner_id }
                | job_request::Event::TaskFinished { cleaner_id, .. }
                | job_request::Event::Finished { cleaner_id } = event
            {
                prop_assert_eq!(Some(&cleaner_id), holders.first());
            }
        }
        let holder = state.and_then(|job| job.accepted_cleaner);
        prop_assert_eq!(holder.as_ref(), holders.first().copied());
    }

    #[test]
    fn a_job_is_never_in_a_state_that_contradicts_itself(commands in job_lives()) {
        for length in 0..=commands.len() {
            let (_, state) = run::<JobRequest>(&commands[..length]);
            let Some(job) = state else { continue };
            let said = |answer| job.answers.iter().filter(|(_, given)| *given == answer).count();
            let accepted = said(Answer::Accepted);
            prop_assert_eq!(accepted, usize::from(job.accepted_cleaner.is_some()));
            prop_assert!(job.answers.iter().all(|(cleaner, _)| job.cleaners.contains(cleaner)));
            prop_assert_eq!(
                matches!(job.status, Status::Accepted | Status::Started | Status::Finished),
                accepted == 1
            );
            let all_declined = said(Answer::Declined) == job.cleaners.len();
            prop_assert_eq!(job.status == Status::Declined, all_declined && accepted == 0
                && !job.cleaners.is_empty());
            if job.status == Status::Finished {
                prop_assert!(job.tasks.iter().all(|task| task.done));
            }
        }
    }

    #[test]
    fn a_job_says_the_same_through_json(commands in job_lives()) {
        let (decisions, state) = run::<JobRequest>(&commands);
        let (through_json, saved) = run_as_json(handler("job-request").as_ref(), &commands);
        prop_assert!(decisions.iter().zip(&through_json).all(|(left, right)| same(left, right)));
        prop_assert_eq!(Json::of(&state).unwrap(), saved);
    }

    #[test]
    fn the_same_command_again_is_refused(commands in job_lives(), again in job_commands()) {
        let (_, mut state) = run::<JobRequest>(&commands);
        for event in JobRequest::decide(&state, again.clone()).into_iter().flatten() {
            JobRequest::apply(&mut state, event);
        }
        prop_assert!(JobRequest::decide(&state, again).is_err());
    }
}
