//! A second opinion, which does not trust the order that the system states: is there any order of
//! an aggregate's commands that agrees with real time, and in which the rules give what was told?
//!
//! Revisions and sequences of answers are ignored. A command without a definite answer may have
//! taken effect at any time after it was called, or never. The number of orders grows exponentially
//! with how many commands are under way at once, so this is for short histories of few clients.
//!
//! It is Wing and Gong's search with Lowe's memory of what was tried (*Testing for
//! linearizability*, 2017): after the same commands and in the same state, what follows is the
//! same. The tester of `stateright` can say as much, unknown answers included (an invocation that
//! never returns, on a thread of its own), and the tests hold this search against it; but it
//! remembers nothing of what it tried, copies the history at every step, and cannot be stopped, so
//! a history that is in no order would keep it busy for ever.

use std::collections::BTreeMap;

use foldhash::HashSet;

use crate::Outcome;
use crate::check::RULE_CRASHED;
use crate::findings::Findings;
use crate::history::Line;
use crate::reference::{Command, Decision, Refusal, SEQUENCE_MISMATCH, State};
use crate::tables::{Call, Meaning, NONE, Tables};

/// A command as its clients saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The request id.
    pub request: String,
    /// When it was called, at the earliest of what may have been accepted.
    pub called: u64,
    /// What was asked.
    pub command: Command,
    /// The sequence that the aggregate had to have.
    pub expected_sequence: Option<u64>,
    /// Whether it had a deadline.
    pub has_deadline: bool,
    /// When it was first answered, and what; none where there is no definite answer.
    pub answer: Option<(u64, Outcome, Option<String>)>,
}

/// How far the search goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Histories with more commands are not searched.
    pub operations_max: usize,
    /// After so many steps the search gives up. A step takes a microsecond or so and, at worst,
    /// some hundreds of bytes.
    pub steps_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { operations_max: 256, steps_max: 1_000_000 }
    }
}

/// What the search says of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This order fits: places in the history. Commands without an answer may be left out.
    Linearizable(Vec<usize>),
    /// No order fits. The longest beginning of one that does: places in the history.
    NotLinearizable(Vec<usize>),
    /// It is longer than the limit.
    TooLong,
    /// Nothing was found within the limit.
    GaveUp,
}

/// The histories of all aggregates that there is a model of, by aggregate: of each command the
/// first call that may have been accepted and the first definite answer.
#[must_use]
pub fn histories(lines: impl IntoIterator<Item = Line>) -> BTreeMap<String, Vec<Operation>> {
    let mut tables = Tables::default();
    // What a history lacks is told by the checker.
    let mut found = Findings::new(0);
    lines.into_iter().for_each(|line| tables.take_line(line, &mut found));
    let named = |(aggregate, history)| (tables.aggregate(aggregate), history);
    histories_of(&tables, usize::MAX).map(named).collect()
}

/// The histories of aggregates that have no more than so many commands.
pub(crate) fn histories_of(
    tables: &Tables,
    commands_max: usize,
) -> impl Iterator<Item = (u32, Vec<Operation>)> {
    let mut commands = vec![0_usize; tables.aggregates.len()];
    for operation in &tables.operations {
        commands[operation.aggregate as usize] += 1;
    }
    let aggregate = |call: &Call| tables.operations[call.operation as usize].aggregate;
    let is_short = |call: &&Call| commands[aggregate(call) as usize] <= commands_max;
    let mut calls: Vec<&Call> = tables.calls.iter().filter(is_short).collect();
    calls.sort_by_key(|call| (aggregate(call), call.operation));
    let mut next = 0;
    std::iter::from_fn(move || {
        let first = aggregate(calls.get(next)?);
        let begin = next;
        next += calls[begin..].partition_point(|call| aggregate(call) == first);
        Some((first, history(tables, &calls[begin..next])))
    })
    .filter(|(_, history)| !history.is_empty())
}

/// The commands of one aggregate that there is a model of, those that were called first before.
fn history(tables: &Tables, calls: &[&Call]) -> Vec<Operation> {
    let commands = calls.chunk_by(|one, next| one.operation == next.operation);
    let operations = commands.flat_map(|calls| operations(tables, calls));
    let mut history: Vec<Operation> =
        operations.filter(|operation| !matches!(operation.command, Command::Other(..))).collect();
    history.sort_by_key(|operation| operation.called);
    history
}

/// The commands sent under one request id: one, unless a client used it for several.
fn operations(tables: &Tables, calls: &[&Call]) -> Vec<Operation> {
    let mut asked: Vec<u32> = calls.iter().map(|call| call.asked).filter(|a| *a != NONE).collect();
    asked.sort_unstable();
    asked.dedup();
    // Of which of several a look-up tells is not said there.
    let is_one = asked.len() == 1;
    let of = |asked: u32| {
        let calls: Vec<&Call> = calls
            .iter()
            .copied()
            .filter(|call| call.asked == asked || (is_one && call.asked == NONE))
            .collect();
        operation(tables, asked, &calls)
    };
    asked.into_iter().filter_map(of).collect()
}

/// What clients saw of a command; none where it was certainly never accepted.
fn operation(tables: &Tables, asked: u32, calls: &[&Call]) -> Option<Operation> {
    let never = |call: &&Call| matches!(call.meaning, Meaning::NotAccepted | Meaning::KeyReused);
    let sent = calls.iter().filter(|call| call.asked == asked && !never(call));
    let first = sent.map(|call| call.at).min()?;
    // Whoever was told that it is unknown knows that it came later.
    let unknown = calls.iter().filter(|call| call.meaning == Meaning::Unknown);
    let called = unknown.map(|call| call.at).fold(first, u64::max);
    let told = calls.iter().filter_map(|call| Some((call.answered, call.meaning.document()?)));
    let answer = told.min_by_key(|(at, _)| *at).map(|(at, document)| {
        let (outcome, code) = tables.verdicts.value(document.verdict).as_ref();
        (at, *outcome, code.clone())
    });
    let asked = tables.asked.value(asked);
    Some(Operation {
        request: tables.named(calls[0].operation).request,
        called,
        command: asked.command.clone(),
        expected_sequence: asked.expected_sequence,
        has_deadline: asked.deadline.is_some(),
        answer,
    })
}

/// Searches an order of the commands of one aggregate, of which nothing was known before.
#[must_use]
pub fn search(history: &[Operation], limits: Limits) -> Verdict {
    if history.len() > limits.operations_max {
        return Verdict::TooLong;
    }
    let mut search = Search {
        history,
        steps_left: limits.steps_max,
        tried: HashSet::default(),
        longest: Vec::new(),
    };
    search.run()
}

/// A set of places in a history.
type Places = Box<[u64]>;

/// What an order has come to: which commands were taken, and what they left.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Reached {
    taken: Places,
    state: State,
    sequence: u64,
}

/// One step of an order that is being tried.
struct Step {
    reached: Reached,
    /// The commands that may come next and were not tried yet.
    next: Vec<usize>,
}

struct Search<'h> {
    history: &'h [Operation],
    steps_left: u64,
    tried: HashSet<Reached>,
    longest: Vec<usize>,
}

impl Search<'_> {
    fn run(&mut self) -> Verdict {
        let taken = vec![0; self.history.len().div_ceil(64)].into_boxed_slice();
        let begin = Reached { taken, state: State::Nothing, sequence: 0 };
        let mut order = Vec::new();
        let mut steps = vec![self.step(begin)];
        while let Some(step) = steps.last_mut() {
            if self.is_whole(&step.reached) {
                return Verdict::Linearizable(order);
            }
            let Some(place) = step.next.pop() else {
                steps.pop();
                order.pop();
                continue;
            };
            if self.steps_left == 0 {
                return Verdict::GaveUp;
            }
            self.steps_left -= 1;
            if let Some(reached) = self.take(&step.reached, place)
                && self.tried.insert(reached.clone())
            {
                steps.push(self.step(reached));
                order.push(place);
                if order.len() > self.longest.len() {
                    self.longest.clone_from(&order);
                }
            }
        }
        Verdict::NotLinearizable(std::mem::take(&mut self.longest))
    }

    fn left<'s>(&'s self, reached: &'s Reached) -> impl Iterator<Item = (usize, &'s Operation)> {
        let is_left = |place: usize| reached.taken[place / 64] >> (place % 64) & 1 == 0;
        self.history.iter().enumerate().filter(move |(place, _)| is_left(*place))
    }

    fn is_whole(&self, reached: &Reached) -> bool {
        self.left(reached).all(|(_, operation)| operation.answer.is_none())
    }

    /// Next may come whatever was called before the first answer to what is left; those that were
    /// answered first are tried first.
    fn step(&self, reached: Reached) -> Step {
        let answered = |operation: &Operation| operation.answer.as_ref().map(|answer| answer.0);
        let first = self.left(&reached).filter_map(|(_, operation)| answered(operation)).min();
        let may = |operation: &Operation| first.is_none_or(|first| operation.called <= first);
        let next = self.left(&reached).filter(|(_, operation)| may(operation));
        let mut next: Vec<usize> = next.map(|(place, _)| place).collect();
        let time = |place: &usize| answered(&self.history[*place]).unwrap_or(u64::MAX);
        next.sort_by_key(|place| std::cmp::Reverse(time(place)));
        Step { reached, next }
    }

    /// What is reached when this command comes next; none where that does not fit.
    fn take(&self, reached: &Reached, place: usize) -> Option<Reached> {
        let operation = &self.history[place];
        let mut next = reached.clone();
        next.taken[place / 64] |= 1 << (place % 64);
        match (&operation.answer, decide(reached, operation)?) {
            (Some((_, Outcome::Expired, _)), _) if operation.has_deadline => {}
            // What is wrong with such a command need not be its own doing.
            (Some((_, Outcome::Rejected, code)), _) if code.as_deref() == Some(RULE_CRASHED) => {}
            (
                Some((_, outcome @ (Outcome::Fail | Outcome::Rejected), code)),
                Err(Refusal { outcome: told, code: why }),
            ) if *outcome == told && code.as_deref() == Some(why) => {}
            (None | Some((_, Outcome::Success, _)), Ok(events)) => {
                next.sequence += events.len() as u64;
                let _ = events.iter().all(|event| next.state.apply(event));
            }
            // Of which nothing is known, and which changes nothing, need not be taken either.
            _ => return None,
        }
        Some(next)
    }
}

fn decide(reached: &Reached, operation: &Operation) -> Option<Decision> {
    match operation.expected_sequence {
        Some(expected) if expected != reached.sequence => {
            Some(Err(Refusal::by_rule(SEQUENCE_MISMATCH)))
        }
        _ => reached.state.decide(&operation.command),
    }
}
