//! The second opinion: which histories are in an order, whatever the system says of it.

use fastrand::Rng;
use ordain_checker::Outcome;
use ordain_checker::history::{Line, Way};
use ordain_checker::linear::{Limits, Operation, Verdict, histories, search};
use ordain_checker::reference::account::Command as Account;
use ordain_checker::reference::broken::Command as Broken;
use ordain_checker::reference::{Command, SEQUENCE_MISMATCH, State};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

use crate::run::{Nonce, Run, account};
use crate::simulated::{Simulation, Size};

fn verdict(history: &[Operation]) -> Verdict {
    search(history, Limits::default())
}

fn is_in_order(history: &[Operation]) -> bool {
    match verdict(history) {
        Verdict::Linearizable(_) => true,
        Verdict::NotLinearizable(_) => false,
        other => panic!("{other:?}"),
    }
}

fn sent(called: u64, command: Account) -> Operation {
    Operation {
        request: called.to_string(),
        called,
        command: Command::Account(command),
        expected_sequence: None,
        has_deadline: false,
        answer: None,
    }
}

fn done(times: (u64, u64), command: Account) -> Operation {
    Operation { answer: Some((times.1, Outcome::Success, None)), ..sent(times.0, command) }
}

fn refused(times: (u64, u64), command: Account, code: &str) -> Operation {
    let answer = Some((times.1, Outcome::Fail, Some(code.to_owned())));
    Operation { answer, ..sent(times.0, command) }
}

#[test]
fn what_is_called_later_comes_later() {
    let open = done((0, 1), Account::Open);
    let late = refused((2, 3), Account::Deposit(5), "NOT_FOUND");
    assert!(!is_in_order(&[open.clone(), late]));
    let at_once = refused((0, 3), Account::Deposit(5), "NOT_FOUND");
    assert!(is_in_order(&[open, at_once]));
}

#[test]
fn the_longest_beginning_is_told() {
    let history = [
        done((0, 1), Account::Open),
        done((2, 3), Account::Deposit(5)),
        done((4, 5), Account::Withdraw(6)),
    ];
    assert_eq!(verdict(&history), Verdict::NotLinearizable(vec![0, 1]));
    assert_eq!(verdict(&history[..2]), Verdict::Linearizable(vec![0, 1]));
}

#[test]
fn what_has_no_answer_may_come_at_any_later_time_or_never() {
    let open = done((0, 1), Account::Open);
    let unknown = sent(2, Account::Deposit(5));
    let much_later = done((100, 101), Account::Withdraw(5));
    assert!(is_in_order(&[open.clone(), unknown.clone(), much_later.clone()]));
    assert!(!is_in_order(&[open.clone(), much_later.clone()]));
    let never = refused((100, 101), Account::Withdraw(5), "INSUFFICIENT_FUNDS");
    assert!(is_in_order(&[open.clone(), unknown, never]));
    let called_afterwards = sent(102, Account::Deposit(5));
    assert!(!is_in_order(&[open, called_afterwards, much_later]));
}

#[test]
fn an_effect_that_comes_twice_is_found() {
    let history = [
        done((0, 1), Account::Open),
        done((2, 3), Account::Deposit(5)),
        done((4, 5), Account::Withdraw(5)),
        done((6, 7), Account::Withdraw(5)),
    ];
    assert!(!is_in_order(&history));
}

#[test]
fn expected_sequences_and_deadlines_are_minded() {
    let open = done((0, 1), Account::Open);
    let expecting = |sequence| Operation {
        expected_sequence: Some(sequence),
        ..done((2, 3), Account::Deposit(1))
    };
    assert!(is_in_order(&[open.clone(), expecting(1)]));
    assert!(!is_in_order(&[open.clone(), expecting(0)]));
    let expired = |has_deadline| Operation {
        has_deadline,
        answer: Some((3, Outcome::Expired, None)),
        ..sent(2, Account::Deposit(1))
    };
    assert!(is_in_order(&[open.clone(), expired(true)]));
    assert!(!is_in_order(&[open, expired(false)]));
}

#[test]
fn a_rejection_has_a_cause_but_for_one_that_meets_anybody() {
    let open = done((0, 1), Account::Open);
    let rejected = |command: Command, code: &str| {
        let answer = Some((3, Outcome::Rejected, Some(code.to_owned())));
        [open.clone(), Operation { answer, command, ..sent(2, Account::Open) }]
    };
    let deposit = Command::Account(Account::Deposit(5));
    assert!(!is_in_order(&rejected(deposit.clone(), "RULE_PANICKED")));
    assert!(is_in_order(&rejected(deposit, "RULE_CRASHED")));
    let panic = [Operation { command: Command::Broken(Broken::Panic), ..sent(0, Account::Open) }];
    let told = |code: &str| {
        let answer = Some((1, Outcome::Rejected, Some(code.to_owned())));
        panic.clone().map(|panic| Operation { answer: answer.clone(), ..panic })
    };
    assert!(is_in_order(&told("RULE_PANICKED")));
    assert!(!is_in_order(&told("UNPROCESSABLE")));
}

#[test]
fn the_limits_are_kept() {
    let history: Vec<Operation> =
        (0..30).map(|at| done((0, 100 + at), Account::Deposit(1))).collect();
    let limits = Limits { operations_max: 29, steps_max: 1_000 };
    assert_eq!(search(&history, limits), Verdict::TooLong);
    // Thirty at once and one that fits nowhere: more orders than could be tried without a memory.
    let mut history = history;
    history.push(done((0, 1), Account::Open));
    history.push(refused((200, 201), Account::Withdraw(30), "INSUFFICIENT_FUNDS"));
    let limits = Limits { operations_max: 40, steps_max: 1_000 };
    assert_eq!(search(&history, limits), Verdict::GaveUp);
}

/// Twelve at once can be ordered in 479 million ways; they leave 4,096 sets.
#[test]
fn what_was_tried_is_remembered() {
    let mut history: Vec<Operation> = vec![done((0, 1), Account::Open)];
    history.extend((0..12).map(|at| done((2, 100 + at), Account::Deposit(1))));
    history.push(refused((200, 201), Account::Withdraw(12), "INSUFFICIENT_FUNDS"));
    assert!(!is_in_order(&history));
}

#[test]
fn what_was_unknown_came_later() {
    let mut run = Run::default();
    let open = account("a", "open", "open", 0);
    let call = run.calls(&open);
    run.ends(call, 504);
    let asks = run.call(1, Way::LookUp, &open);
    run.ends(asks, 404);
    let history = &histories(run.lines)["default/account/a"];
    assert_eq!((history[0].called, &history[0].answer), (30, &None));
}

#[test]
fn a_history_is_read_from_calls_and_answers() {
    let mut run = Run::default();
    let deposit = account("a", "in", "deposit", 5);
    run.does(&account("a", "open", "open", 0));
    let refused = run.calls(&deposit);
    run.ends(refused, 503);
    let call = run.calls(&deposit);
    run.ends(call, 504);
    let record = run.appends(&deposit);
    run.decides(&record);
    let again = run.calls(&deposit);
    run.is_told(again, &deposit, record.nonce() + 1);
    let never = run.calls(&account("a", "never", "deposit", 5));
    run.ends(never, 503);
    let history = &histories(run.lines)["default/account/a"];
    let seen: Vec<_> = history
        .iter()
        .map(|operation| (operation.request.as_str(), operation.called, operation.answer.is_some()))
        .collect();
    assert_eq!(seen, [("open", 10, true), ("in", 50, true)], "{history:?}");
    assert!(is_in_order(history));
}

#[test]
fn simulated_histories_are_in_order() {
    let size = Size { operations: 60, clients: 4, accounts: 3 };
    let mut searched = 0;
    for seed in 0..40 {
        let mut simulation = Simulation::new(seed, size);
        while simulation.step() {}
        for (aggregate, history) in histories(simulation.run.lines) {
            searched += 1;
            assert!(is_in_order(&history), "seed {seed}, {aggregate}: {history:#?}");
        }
    }
    assert!(searched > 150, "{searched}");
}

#[test]
fn a_success_that_never_was_is_found() {
    let mut spoilt = 0;
    let size = Size { operations: 60, clients: 4, accounts: 3 };
    for seed in 0..20 {
        let mut simulation = Simulation::new(seed, size);
        while simulation.step() {}
        let mut lines = simulation.run.lines;
        let refused = |code: &Option<String>| matches!(code.as_deref(), Some("ALREADY_EXISTS"));
        let mut changed = None;
        for line in &mut lines {
            if let Line::Answer(answer) = line
                && let Some(told) = &mut answer.told
                && refused(&told.code)
                && changed.is_none_or(|body| body == told.body)
            {
                (told.outcome, told.code) = (Outcome::Success, None);
                changed = Some(told.body);
            }
        }
        // In some runs no account is opened twice.
        spoilt += u32::from(changed.is_some());
        let all = histories(lines);
        let is_found = all.values().any(|history| !is_in_order(history));
        assert_eq!(is_found, changed.is_some(), "seed {seed}");
    }
    assert!(spoilt > 5, "{spoilt}");
}

/// What the other tester runs against.
#[derive(Clone)]
struct Spec {
    state: State,
    sequence: u64,
}

impl SequentialSpec for Spec {
    type Op = (Command, Option<u64>);
    type Ret = Option<String>;

    fn invoke(&mut self, (command, expected): &Self::Op) -> Self::Ret {
        if expected.is_some_and(|expected| expected != self.sequence) {
            return Some(SEQUENCE_MISMATCH.to_owned());
        }
        match self.state.decide(command).expect("a model") {
            Ok(events) => {
                self.sequence += events.len() as u64;
                assert!(events.iter().all(|event| self.state.apply(event)));
                None
            }
            Err(refused) => Some(refused.code.to_owned()),
        }
    }
}

/// What `stateright` says: each command on a thread of its own, those without an answer never
/// return.
fn other_opinion(history: &[Operation]) -> bool {
    let mut points: Vec<(u64, bool, usize)> = Vec::new();
    for (place, operation) in history.iter().enumerate() {
        points.push((operation.called, false, place));
        points.extend(operation.answer.as_ref().map(|answer| (answer.0, true, place)));
    }
    points.sort_unstable();
    let mut tester = LinearizabilityTester::new(Spec { state: State::Nothing, sequence: 0 });
    for (_, is_answer, place) in points {
        let operation = &history[place];
        if is_answer {
            let code = operation.answer.as_ref().and_then(|answer| answer.2.clone());
            tester.on_return(place, code).unwrap();
        } else {
            let asked = (operation.command.clone(), operation.expected_sequence);
            tester.on_invoke(place, asked).unwrap();
        }
    }
    tester.is_consistent()
}

/// Any calls and any answers, most of which no system would give.
fn any(random: &mut Rng) -> Vec<Operation> {
    let mut history = Vec::new();
    for _ in 0..random.usize(2..7) {
        let called = random.u64(0..20);
        let command = match random.u8(0..4) {
            0 => Account::Open,
            1 | 2 => Account::Deposit(random.i64(1..4)),
            _ => Account::Withdraw(random.i64(1..4)),
        };
        let times = (called, called + random.u64(1..15));
        let mut operation = match random.u8(0..8) {
            0 => sent(called, command),
            1 => refused(times, command, "NOT_FOUND"),
            2 if command == Account::Open => refused(times, command, "ALREADY_EXISTS"),
            2 => refused(times, command, "INSUFFICIENT_FUNDS"),
            3 => refused(times, command, SEQUENCE_MISMATCH),
            _ => done(times, command),
        };
        if random.u8(0..4) == 0 {
            operation.expected_sequence = Some(random.u64(0..4));
        }
        history.push(operation);
    }
    history
}

#[test]
fn another_tester_says_the_same() {
    let mut random = Rng::with_seed(1);
    let mut in_order = 0;
    for round in 0..20_000 {
        let history = any(&mut random);
        let (one, other) = (is_in_order(&history), other_opinion(&history));
        assert_eq!(one, other, "round {round}: {history:#?}");
        in_order += u32::from(one);
    }
    assert!((1_000..19_000).contains(&in_order), "both kinds are met: {in_order}");
}
