//! The promises as properties. Every name begins with the number of the promise it belongs to.
//!
//! A promise that something happens in the end is checked where the protocol comes to rest: in
//! every state in which neither the store nor an owner has a step left, all must be done. That is
//! enough because no run goes on for ever ([`crate::cycle::has_cycle`] finds none, and the states
//! are finitely many): whatever faults have struck before, as soon as owners and store go on, they
//! come to rest, and every state of rest is checked. It does not rely on zombies, late inserts or
//! further faults, since none of them counts as a step that is waited for.

use stateright::Property;

use crate::action::is_at_rest;
use crate::command::{Aggregate, Body, Command, Outcome, Request, Sequence, decide};
use crate::configuration::Configuration;
use crate::follower::{ROWS, touches};
use crate::model::Protocol;
use crate::reached;
use crate::state::{Event, State, Verdict};
use crate::store::{Commit, events_between, events_of};

/// At rest, every command on the log has an outcome and lies below the saved progress.
pub const ACCEPTED_NEVER_LOST: &str = "1 an accepted command is never lost";
/// No request has two commits.
pub const TAKES_EFFECT_ONCE: &str = "2 a request takes effect once";
/// Whoever asks again under a request id gets the same answer, and it is what is durably stored.
pub const SAME_ANSWER: &str = "2 every answer is the stored and durable one";
/// Another command under the same request id is told so, and nothing else.
pub const REQUEST_NAMES_ONE_COMMAND: &str = "3 a request id names one command";
/// The durable commits of an aggregate are numbered 1, 2, 3 …
pub const REVISIONS_WITHOUT_GAP: &str = "4 revisions have no gap";
/// Every commit holds what the rules decide on exactly the commits before it. A line with a gap
/// has no "before", so it counts as broken only for its gap.
pub const DECIDED_ON_THE_LINE: &str = "4 a decision stands on the line before it";
/// First occurrences on the event log are numbered 1, 2, 3 …
pub const EVENTS_IN_ORDER: &str = "4 events neither overtake nor skip";
/// The events of every command below the saved progress are on the event log. At rest that is
/// every command.
pub const EVENTS_COMPLETE: &str = "4 no event is left unpublished";
/// What is on the event log is in a durable commit.
pub const EVENTS_ARE_TRUE: &str = "4 only durable events are published";
/// No request is told both that it was refused and that it was accepted.
pub const REFUSALS_STAY: &str = "5 a refusal stays a refusal";
/// A command that is taken up after its deadline is not executed.
pub const NEVER_LATE: &str = "7 a late command is not executed";
/// What a successor starts from stays: the saved progress never goes back, and every command below
/// it stays durably decided.
pub const PROGRESS_STAYS: &str = "8 a zombie changes nothing that its successor relies on";
/// Neither a row nor the mark is ever seen at a lower sequence than before.
pub const VIEWS_NEVER_GO_BACK: &str = "11 views never go back";
/// A row holds each of its events up to its sequence once, in order.
pub const ROWS_ARE_THE_FOLD: &str = "11 a row is the fold of its events";
/// What the mark says to be in the view is in its rows.
pub const MARK_IS_TRUE: &str = "11 the mark never runs ahead of the rows";
/// At rest, the rows and the mark have seen every published event.
pub const VIEWS_COMPLETE: &str = "11 views never miss an event";

/// The properties that a configuration shows: promises that always hold, and what must be met.
pub fn of(configuration: &Configuration) -> Vec<Property<Protocol>> {
    let mut properties = Vec::new();
    if configuration.shows.workers {
        properties.extend(about_workers());
    }
    if configuration.shows.views {
        properties.extend(about_views());
    }
    let met = reached::ALL.iter().filter(|(name, _)| configuration.meets.contains(name));
    properties.extend(met.map(|(name, condition)| Property::sometimes(name, *condition)));
    properties
}

/// The promises about commits, answers and the event log.
fn about_workers() -> Vec<Property<Protocol>> {
    vec![
        Property::always(ACCEPTED_NEVER_LOST, accepted_never_lost),
        Property::always(TAKES_EFFECT_ONCE, |_, state: &State| takes_effect_once(state)),
        Property::always(SAME_ANSWER, |_, state: &State| same_answer(state)),
        Property::always(REQUEST_NAMES_ONE_COMMAND, |_, state: &State| names_one_command(state)),
        Property::always(REVISIONS_WITHOUT_GAP, |_, state: &State| {
            aggregates(state).all(|aggregate| revisions_without_gap(state, aggregate))
        }),
        Property::always(DECIDED_ON_THE_LINE, |_, state: &State| {
            aggregates(state).all(|aggregate| decided_on_the_line(state, aggregate))
        }),
        Property::always(EVENTS_IN_ORDER, |_, state: &State| {
            state.events.iter().all(|log| in_order(log))
        }),
        Property::always(EVENTS_COMPLETE, events_complete),
        Property::always(EVENTS_ARE_TRUE, |_, state: &State| events_are_true(state)),
        Property::always(REFUSALS_STAY, |_, state: &State| refusals_stay(state)),
        Property::always(NEVER_LATE, |_, state: &State| state.store.durable().iter().all(in_time)),
        Property::always(PROGRESS_STAYS, progress_stays),
    ]
}

/// The promises about views.
fn about_views() -> Vec<Property<Protocol>> {
    vec![
        Property::always(VIEWS_NEVER_GO_BACK, |_, state: &State| views_never_go_back(state)),
        Property::always(ROWS_ARE_THE_FOLD, |_, state: &State| rows_are_the_fold(state)),
        Property::always(MARK_IS_TRUE, |_, state: &State| mark_is_true(state)),
        Property::always(VIEWS_COMPLETE, views_complete),
    ]
}

fn aggregates(state: &State) -> impl Iterator<Item = Aggregate> + use<> {
    0..state.events.len() as Aggregate
}

/// The durable commits of an aggregate in the order of their revisions.
fn line(state: &State, aggregate: Aggregate) -> Vec<&Commit> {
    let durable = state.store.durable().iter();
    let mut line: Vec<_> = durable.filter(|commit| commit.aggregate == aggregate).collect();
    line.sort_by_key(|commit| commit.revision);
    line
}

/// The durable commit of a request.
fn durable(state: &State, aggregate: Aggregate, request: Request) -> Option<&Commit> {
    state.store.durable().iter().find(|commit| commit.is_of(aggregate, request))
}

fn accepted_never_lost(model: &Protocol, state: &State) -> bool {
    let rules = &model.configuration;
    let all_handled = || {
        let mut logs = rules.requests.iter().zip(&state.progress);
        logs.all(|(log, progress)| log.len() == usize::from(*progress))
            && handled(model, state).all(|(_, commit)| commit.is_some())
    };
    !is_at_rest(state, rules) || all_handled()
}

fn takes_effect_once(state: &State) -> bool {
    let commits = &state.store.commits;
    commits.iter().enumerate().all(|(place, commit)| {
        !commits[..place].iter().any(|c| c.is_of(commit.aggregate, commit.request))
    })
}

fn same_answer(state: &State) -> bool {
    state.answers.iter().all(|answer| {
        let stored = durable(state, answer.aggregate, answer.request);
        stored.is_some_and(|commit| match answer.verdict {
            Verdict::Decided(outcome, revision) => {
                (outcome, revision) == (commit.outcome, commit.revision)
            }
            Verdict::KeyReused => true,
        })
    })
}

fn names_one_command(state: &State) -> bool {
    state.answers.iter().all(|answer| {
        let stored = durable(state, answer.aggregate, answer.request);
        stored.is_none_or(|commit| {
            (answer.verdict == Verdict::KeyReused) == (commit.body != answer.body)
        })
    })
}

fn revisions_without_gap(state: &State, aggregate: Aggregate) -> bool {
    line(state, aggregate).iter().zip(1..).all(|(commit, revision)| commit.revision == revision)
}

fn decided_on_the_line(state: &State, aggregate: Aggregate) -> bool {
    let mut sequence = 0;
    let decided = |commit: &Commit| {
        let expired = commit.body == Body::AddInTime && commit.outcome == Outcome::Expired;
        let right = expired || commit.outcome == decide(commit.body, sequence);
        sequence += commit.outcome.events();
        right && commit.sequence == sequence
    };
    !revisions_without_gap(state, aggregate) || line(state, aggregate).into_iter().all(decided)
}

fn in_order(log: &[Event]) -> bool {
    let mut last: Sequence = 0;
    log.iter().all(|event| {
        let next = event.sequence <= last + 1;
        last = last.max(event.sequence);
        next
    })
}

/// The commands below the saved progress, each with its durable commit.
fn handled<'a>(
    model: &'a Protocol,
    state: &'a State,
) -> impl Iterator<Item = (&'a Command, Option<&'a Commit>)> {
    let logs = model.configuration.requests.iter().zip(&state.progress);
    let below = logs.flat_map(|(log, progress)| log.iter().take(usize::from(*progress)));
    below.map(|command| (command, durable(state, command.aggregate, command.request)))
}

fn events_complete(model: &Protocol, state: &State) -> bool {
    handled(model, state).filter_map(|(_, commit)| commit).all(|commit| {
        let log = &state.events[usize::from(commit.aggregate)];
        events_of(commit).all(|event| log.contains(&event))
    })
}

fn events_are_true(state: &State) -> bool {
    aggregates(state).all(|aggregate| {
        let events = events_between(state.store.durable(), aggregate, 0..=Sequence::MAX);
        state.events[usize::from(aggregate)].iter().all(|event| events.contains(event))
    })
}

fn refusals_stay(state: &State) -> bool {
    state.answers.iter().enumerate().all(|(place, answer)| {
        !state.answers[..place].iter().any(|other| {
            let same = (other.aggregate, other.request) == (answer.aggregate, answer.request);
            same && contradict(other.verdict, answer.verdict)
        })
    })
}

fn contradict(one: Verdict, other: Verdict) -> bool {
    match (one, other) {
        (Verdict::Decided(one, _), Verdict::Decided(other, _)) => one != other,
        _ => false,
    }
}

fn in_time(commit: &Commit) -> bool {
    !commit.sent_late || commit.outcome == Outcome::Expired
}

fn progress_stays(model: &Protocol, state: &State) -> bool {
    state.progress == state.progress_shown
        && handled(model, state).all(|(_, commit)| commit.is_some())
}

fn views_never_go_back(state: &State) -> bool {
    let view = &state.view;
    let sequences = view.rows.iter().map(|row| row.sequence).chain([view.mark]);
    sequences.zip(&view.shown).all(|(sequence, shown)| sequence == *shown)
}

fn rows_are_the_fold(state: &State) -> bool {
    state.view.rows.iter().enumerate().all(|(place, row)| {
        let folded = (1..=row.sequence).filter(|sequence| touches(place, *sequence));
        row.folded.iter().copied().eq(folded)
    })
}

fn mark_is_true(state: &State) -> bool {
    (1..=state.view.mark).all(|sequence| {
        (0..ROWS)
            .all(|row| !touches(row, sequence) || state.view.rows[row].folded.contains(&sequence))
    })
}

fn views_complete(model: &Protocol, state: &State) -> bool {
    let published = state.events[0].iter().map(|event| event.sequence).max().unwrap_or(0);
    let rows = &state.view.rows;
    let seen = |row: usize| {
        let last = (1..=published).rev().find(|sequence| touches(row, *sequence));
        rows[row].sequence == last.unwrap_or(0)
    };
    !is_at_rest(state, &model.configuration)
        || (state.view.mark == published && (0..ROWS).all(seen))
}
