//! For every anomaly a history that has it, and one that nearly has it and must pass.

use ordain_checker::evidence::{Commit, Event, Fault, Item, Letter, LookUp, Row};
use ordain_checker::history::{Answer, Call, Line, Operation, Transfer, ViewRead};
use ordain_checker::{Demands, Place, Report};

use crate::run::{Nonce, Run, account, job};

const NAMES: &str = r#"{"cleaners":["ann","bob"],"tasks":[{"id":"t","name":"sweep"}]}"#;
const ANN: &str = r#"{"cleanerId":"ann"}"#;

fn open() -> Operation {
    account("a", "open", "open", 0)
}

fn deposit(request: &str) -> Operation {
    account("a", request, "deposit", 5)
}

fn withdraw(request: &str) -> Operation {
    account("a", request, "withdraw", 5)
}

/// An account that was opened, and into which 5 came under the request `in`.
fn paid() -> Run {
    let mut run = Run::default();
    run.does(&open());
    run.does(&deposit("in"));
    run
}

/// A job that was offered to two, and taken by one.
fn taken() -> Run {
    let mut run = Run::default();
    run.does(&job("j", "create", "create", NAMES));
    run.does(&job("j", "ann", "accept", ANN));
    run
}

/// Two clients send at the same time, and both are told what came of it in the end.
fn both(run: &mut Run, first: &Operation, second: &Operation) {
    let (one, two) = (run.calls(first), run.calls(second));
    let (first_record, second_record) = (run.appends(first), run.appends(second));
    run.decides(&first_record);
    run.decides(&second_record);
    run.is_told(two, second, second_record.nonce());
    run.is_told(one, first, first_record.nonce());
}

/// What can be spoilt.
trait Spoil {
    fn commit(&mut self, request: &str) -> &mut Commit;
    fn answer(&mut self, call: u64) -> &mut Answer;
    fn call_of(&mut self, call: u64) -> &mut Call;
    fn event(&mut self, sequence: u64) -> &mut Event;
    fn row(&mut self, view: &str) -> &mut Row;
    fn last_view_read(&mut self) -> &mut ViewRead;
    fn without(&mut self, is: impl Fn(&Item) -> bool);
}

impl Spoil for Run {
    fn commit(&mut self, request: &str) -> &mut Commit {
        let mut commits = self.items.iter_mut().filter_map(|item| match item {
            Item::Commit(commit) => Some(commit),
            _ => None,
        });
        commits.find(|commit| commit.request == request).expect("a commit")
    }

    fn answer(&mut self, call: u64) -> &mut Answer {
        let mut answers = self.lines.iter_mut().filter_map(|line| match line {
            Line::Answer(answer) => Some(answer),
            _ => None,
        });
        answers.find(|answer| answer.call == call).expect("an answer")
    }

    fn call_of(&mut self, call: u64) -> &mut Call {
        let mut calls = self.lines.iter_mut().filter_map(|line| match line {
            Line::Call(call) => Some(call),
            _ => None,
        });
        calls.find(|found| found.call == call).expect("a call")
    }

    fn event(&mut self, sequence: u64) -> &mut Event {
        let mut events = self.items.iter_mut().filter_map(|item| match item {
            Item::Event(event) => Some(event),
            _ => None,
        });
        events.find(|event| event.event.sequence == sequence).expect("an event")
    }

    fn row(&mut self, view: &str) -> &mut Row {
        self.rests();
        let mut rows = self.items.iter_mut().filter_map(|item| match item {
            Item::Row(row) => Some(row),
            _ => None,
        });
        rows.find(|row| row.view == view).expect("a row")
    }

    fn last_view_read(&mut self) -> &mut ViewRead {
        match self.lines.last_mut() {
            Some(Line::ViewRead(read)) => read,
            other => panic!("no read of a view: {other:?}"),
        }
    }

    fn without(&mut self, is: impl Fn(&Item) -> bool) {
        self.rests();
        self.items.retain(|item| !is(item));
    }
}

fn kinds(report: &Report) -> Vec<&'static str> {
    report.counts.keys().copied().collect()
}

/// The second opinion finds much of what the first does; it is asked for on its own.
const UNSEARCHED: Demands = Demands { successes_min: 0, searched_commands_max: 0, kept_max: 20 };

/// A test per anomaly: what is found in the first history, and nothing in the second.
macro_rules! anomalies {
    ($($name:ident: $kinds:expr, $has:expr, $near:expr;)*) => {$(
        #[test]
        fn $name() {
            let has: fn() -> Run = $has;
            let report = has().demanding($crate::hand_made::UNSEARCHED);
            assert_eq!($crate::hand_made::kinds(&report), $kinds, "{:#?}", report.anomalies);
            let near: fn() -> Run = $near;
            let report = near().checked();
            assert!(report.is_clean(), "{:#?}", report.anomalies);
        }
    )*};
}
pub(crate) use anomalies;

mod answers;
mod commands;
mod order;
mod outcomes;
mod rules;
mod views;

fn is_commit(item: &Item, request: &str) -> bool {
    matches!(item, Item::Commit(commit) if commit.request == request)
}

fn is_event(item: &Item, sequence: u64) -> bool {
    matches!(item, Item::Event(event) if event.event.sequence == sequence)
}

fn is_request(item: &Item, request: &str) -> bool {
    let of = |item: &Item| match item {
        Item::Request(record) => record.command.as_ref().map(|c| c.request.clone()),
        _ => None,
    };
    of(item).as_deref() == Some(request)
}

/// One event more, at the end of the log of events.
fn again(run: &mut Run, sequence: u64) {
    let mut event = run.event(sequence).clone();
    event.place.offset = 1_000 + run.items.len() as u64;
    run.items.push(Item::Event(event));
}

fn transfer(run: &mut Run, amount: i64) -> (Operation, Operation) {
    let (from, to) = (account("a", "t-out", "withdraw", 5), account("b", "t-in", "deposit", 5));
    run.does(&account("b", "open", "open", 0));
    run.lines.push(Line::Transfer(Transfer {
        from: (from.aggregate(), from.request.clone()),
        to: (to.aggregate(), to.request.clone()),
        amount,
    }));
    (from, to)
}

fn look_up(run: &mut Run, operation: &Operation) -> LookUp {
    let (told, _) = run.became(operation);
    let (aggregate, request) = (operation.aggregate(), operation.request.clone());
    LookUp { aggregate, request, told: Some(told) }
}

fn letter(operation: &Operation, code: &str) -> Item {
    let named = Some((operation.aggregate(), operation.request.clone()));
    let place = Place { partition: 0, offset: 0 };
    Item::Letter(Letter { topic: "requests".to_owned(), place, named, code: code.to_owned() })
}

/// A fault that was made as it was planned.
fn fault(kills: u64, pauses: u64) -> Item {
    let name = "worker".to_owned();
    Item::Fault(Fault {
        name,
        kills_planned: kills,
        kills,
        pauses_planned: pauses,
        pauses,
        ..Fault::default()
    })
}

#[test]
fn too_few_successes() {
    let demands = |successes_min| Demands { successes_min, ..Demands::default() };
    assert_eq!(kinds(&paid().demanding(demands(3))), ["too-few-succeeded"]);
    assert!(paid().demanding(demands(2)).is_clean());
}

#[test]
fn all_are_counted_and_some_kept() {
    let mut run = Run::default();
    for number in 0..30 {
        let operation = deposit(&number.to_string());
        run.calls(&operation);
        run.appends(&operation);
    }
    let report = run.demanding(Demands { successes_min: 0, kept_max: 7, ..Demands::default() });
    assert_eq!(report.counts["lost"], 30);
    assert_eq!(report.anomalies.len(), 7);
    let first = &report.anomalies[0];
    assert_eq!(
        first.to_string(),
        "request 0 of default/account/a: its record at partition 1 offset 0 has no commit"
    );
    assert_eq!((first.kind(), first.promise()), ("lost", Some(1)));
}

/// A kind without a history that has it would be a check that nobody has seen fail.
#[test]
fn every_anomaly_has_a_history() {
    let kinds = include_str!("../../src/anomaly.rs");
    let histories = concat!(
        include_str!("hand_made.rs"),
        include_str!("hand_made/answers.rs"),
        include_str!("hand_made/commands.rs"),
        include_str!("hand_made/order.rs"),
        include_str!("hand_made/outcomes.rs"),
        include_str!("hand_made/rules.rs"),
        include_str!("hand_made/views.rs"),
    );
    let kinds: Vec<&str> =
        kinds.lines().filter_map(|line| line.split_once("=> (\"")?.1.split('"').next()).collect();
    assert!(kinds.len() > 35, "{kinds:?}");
    let missing: Vec<&&str> =
        kinds.iter().filter(|kind| !histories.contains(&format!("\"{kind}\""))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
