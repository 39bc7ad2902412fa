//! Simulated runs pass; runs whose evidence was spoilt in one place do not.

use fastrand::Rng;
use ordain_checker::evidence::{Commit, Event, Item, Row};
use ordain_checker::history::Line;
use ordain_checker::{Outcome, Report, history};

use crate::run::Run;
use crate::simulated::{Simulation, Size};

const SIZE: Size = Size { operations: 400, clients: 6, accounts: 5 };

fn simulated(seed: u64) -> Run {
    let mut simulation = Simulation::new(seed, SIZE);
    while simulation.step() {}
    let mut run = simulation.run;
    run.rests();
    run
}

fn kinds(report: &Report) -> Vec<&'static str> {
    report.counts.keys().copied().collect()
}

#[test]
fn correct_runs_pass() {
    for seed in 0..60 {
        let report = simulated(seed).checked();
        assert!(report.is_clean(), "seed {seed}: {:#?}", report.anomalies);
        let totals = report.totals;
        assert!(totals.successes > 200, "{totals:?}");
        assert!(totals.fails > 40, "{totals:?}");
        assert!(totals.calls > totals.commands, "some were sent again: {totals:?}");
        assert!(totals.requests > totals.commands, "and accepted again: {totals:?}");
        assert!(totals.published > totals.events, "some events were repeated: {totals:?}");
    }
}

/// One of the things that fit, by chance; none where nothing fits.
fn one<'r, T, U: ?Sized>(
    random: &mut Rng,
    things: &'r mut [T],
    fit: impl Fn(&mut T) -> Option<&mut U>,
) -> Option<&'r mut U> {
    let fitting: Vec<usize> =
        (0..things.len()).filter(|at| fit(&mut things[*at]).is_some()).collect();
    let at = random.choice(fitting)?;
    fit(&mut things[at])
}

macro_rules! item {
    ($kind:ident, $run:expr, $random:expr, $fit:expr) => {
        one($random, &mut $run.items, |item| match item {
            Item::$kind(item) => {
                let fit = $fit;
                fit(&*item).then_some(item)
            }
            _ => None,
        })
        .expect("something to spoil")
    };
}

/// What is done to a run, and what it may be found by: one of these at least.
type Spoilt = (&'static str, fn(&mut Run, &mut Rng), &'static [&'static str]);

fn forget(run: &mut Run, random: &mut Rng, is: impl Fn(&Item) -> bool) {
    let fitting: Vec<usize> = (0..run.items.len()).filter(|at| is(&run.items[*at])).collect();
    let at = random.choice(fitting).expect("something to forget");
    run.items.remove(at);
}

const SPOILT: &[Spoilt] = &[
    (
        "a commit is lost",
        |run, random| forget(run, random, |item| matches!(item, Item::Commit(_))),
        &["lost"],
    ),
    (
        "a record is lost",
        // The record that was decided: a repeat of it may well never have been.
        |run, random| {
            let source = item!(Commit, run, random, |_: &_| true).source;
            run.items.retain(|item| !matches!(item, Item::Request(r) if r.place == source));
        },
        &["cause-missing"],
    ),
    (
        "an event is never published",
        |run, random| {
            let event = item!(Event, run, random, |_: &_| true).clone();
            let is_it = |item: &Item| match item {
                Item::Event(other) => {
                    (&other.aggregate, other.event.sequence)
                        == (&event.aggregate, event.event.sequence)
                }
                _ => false,
            };
            run.items.retain(|item| !is_it(item));
        },
        &["event-missing", "event-overtakes"],
    ),
    (
        "an event carries another amount",
        |run, random| {
            let event = item!(Event, run, random, |e: &Event| e.event.name == "deposited");
            event.event.data = r#"{"amount":77}"#.to_owned();
        },
        &["event-differs"],
    ),
    (
        "a commit carries another amount",
        |run, random| {
            let commit = item!(Commit, run, random, |c: &Commit| c.command == "deposit"
                && c.outcome == Outcome::Success);
            commit.events[0].data = r#"{"amount":77}"#.to_owned();
        },
        &["unjustified"],
    ),
    (
        "a success becomes a refusal",
        |run, random| {
            let commit = item!(Commit, run, random, |c: &Commit| c.outcome == Outcome::Success);
            (commit.outcome, commit.code) = (Outcome::Fail, Some("NOT_FOUND".to_owned()));
        },
        &["unjustified"],
    ),
    (
        "a refusal says another code",
        |run, random| {
            let commit = item!(Commit, run, random, |c: &Commit| c.outcome == Outcome::Fail);
            commit.code = Some("SOMETHING_ELSE".to_owned());
        },
        &["unjustified"],
    ),
    (
        "two commits change places",
        |run, random| {
            let commit = item!(Commit, run, random, |c: &Commit| c.revision > 1).clone();
            let before = item!(Commit, run, random, |c: &Commit| c.aggregate == commit.aggregate
                && c.revision + 1 == commit.revision);
            before.revision += 1;
            let request = commit.request;
            let behind = item!(Commit, run, random, |c: &Commit| c.aggregate == commit.aggregate
                && c.request == request);
            behind.revision -= 1;
        },
        &["time-not-growing"],
    ),
    (
        "an answer says another revision",
        |run, random| answered(run, random).revision += 1,
        &["answer-differs"],
    ),
    (
        "an answer says another outcome",
        |run, random| answered(run, random).outcome = Outcome::Expired,
        &["answer-differs"],
    ),
    (
        "a row is lost",
        |run, random| forget(run, random, |item| matches!(item, Item::Row(_))),
        &["row-missing"],
    ),
    (
        "a row was folded twice",
        |run, random| {
            let row = item!(Row, run, random, |r: &Row| r.view == "accounts");
            let funds = row.row.split([':', ',']).nth(1).expect("funds").to_owned();
            row.row = row.row.replacen(&funds, &format!("{funds}1"), 1);
        },
        &["row-differs"],
    ),
    (
        "a row is behind",
        |run, random| item!(Row, run, random, |_: &_| true).sequence -= 1,
        &["row-differs"],
    ),
    (
        "a reader sees an old row",
        |run, random| {
            let read = read(run, random);
            (read.called, read.at, read.sequence) = (u64::MAX - 1, u64::MAX, Some(0));
        },
        &["went-back"],
    ),
    (
        "a refused attempt comes into the log",
        |run, random| {
            let refused = one(random, &mut run.lines, |line| match line {
                Line::Answer(answer) if answer.status == Some(503) => Some(answer),
                _ => None,
            });
            let call = refused.expect("a refusal").call;
            let operation = run.lines.iter().find_map(|line| match line {
                Line::Call(found) if found.call == call => Some(found.operation.clone()),
                _ => None,
            });
            let operation = operation.expect("a call");
            // As many records as sendings are possible; only then one is too many.
            for _ in 0..10 {
                run.appends(&operation);
            }
        },
        &["refused-yet-accepted"],
    ),
    (
        "a call comes after what stands behind it was answered",
        |run, random| {
            let call = one(random, &mut run.lines, |line| match line {
                Line::Call(call) if is_early(&call.operation.request) => Some(call),
                _ => None,
            });
            let operation = call.expect("a deposit").operation.clone();
            for line in &mut run.lines {
                if let Line::Call(call) = line
                    && call.operation == operation
                {
                    call.at = u64::MAX / 2;
                }
            }
        },
        &["out-of-time"],
    ),
];

/// A deposit that others stand behind.
fn is_early(request: &str) -> bool {
    let number = request.strip_prefix("in-").and_then(|number| number.parse().ok());
    number.is_some_and(|number: usize| number < SIZE.operations / 4)
}

fn answered<'r>(run: &'r mut Run, random: &mut Rng) -> &'r mut ordain_checker::Told {
    let told = one(random, &mut run.lines, |line| match line {
        Line::Answer(answer) => answer.told.as_mut(),
        _ => None,
    });
    told.expect("an answer")
}

/// A read of a row that was read before, with something in it.
fn read<'r>(run: &'r mut Run, random: &mut Rng) -> &'r mut history::ViewRead {
    let earlier: Vec<(u32, String, u64)> = run
        .lines
        .iter()
        .filter_map(|line| match line {
            Line::ViewRead(read) if read.sequence.is_some() => {
                Some((read.session, read.key.clone(), read.at))
            }
            _ => None,
        })
        .collect();
    let read = one(random, &mut run.lines, |line| match line {
        Line::ViewRead(read)
            if earlier.iter().any(|(session, key, at)| {
                *session == read.session && *key == read.key && *at < read.called
            }) && read.view == "accounts" =>
        {
            Some(read)
        }
        _ => None,
    });
    read.expect("a second read")
}

#[test]
fn whatever_is_spoilt_is_found() {
    for (what, spoil, found_by) in SPOILT {
        for seed in 0..12 {
            let mut run = simulated(seed);
            spoil(&mut run, &mut Rng::with_seed(seed));
            let found = kinds(&run.checked());
            let is_found = found_by.iter().any(|kind| found.contains(kind));
            assert!(is_found, "{what}, seed {seed}: {found:?}");
        }
    }
}
