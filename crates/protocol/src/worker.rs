//! The steps of a worker's lane: take, decide, insert, reply, publish, save progress.

use crate::command::{Aggregate, Body, Command, Offset, Outcome};
use crate::configuration::Configuration;
use crate::lane::{Failure, Known, LaneName, Phase, Settled};
use crate::state::{Event, State};
use crate::store::{Commit, Insert, Refusal, UniqueKey, events_between, last_of};
use crate::wrong::Wrong;

/// Takes `records` records behind the saved progress, decides and sends them.
pub fn take_batch(state: &mut State, rules: &Configuration, name: LaneName, records: u8) {
    let from = state.progress[usize::from(name.partition)];
    let lane = state.lane_mut(name);
    lane.from = from;
    lane.settled = vec![None; usize::from(records)];
    // A lane that starts may meet what its predecessor has stored: it looks first. One that
    // goes on leaves that to the unique key.
    let looks_first = lane.is_cold();
    decide_and_send(state, rules, name, Attempt { looks_first, is_first: true });
}

/// The rest of a batch whose insert failed is decided anew and sent.
pub fn decide_anew(state: &mut State, rules: &Configuration, name: LaneName) {
    let numbered_rest = match &state.lane(name).phase {
        Phase::Failed(failure) => failure.numbered_rest.clone(),
        _ => Vec::new(),
    };
    if numbered_rest.is_empty() {
        decide_and_send(state, rules, name, Attempt { looks_first: true, is_first: false });
    } else {
        send_numbered_rest(state, rules, name, &numbered_rest);
    }
}

/// Which sending of a batch this is.
#[derive(Clone, Copy)]
struct Attempt {
    /// The stored outcomes of the request ids are looked up before.
    looks_first: bool,
    /// Nothing of the batch was sent before.
    is_first: bool,
}

/// Decides all records without an outcome, each on the state that the earlier ones leave, and
/// sends them as one ordered insert.
fn decide_and_send(state: &mut State, rules: &Configuration, name: LaneName, attempt: Attempt) {
    if attempt.looks_first {
        settle_repeats(state, rules, name);
    }
    load_unknown(state, rules, name);
    let documents = decide_rest(state, rules, name, attempt);
    state.lane_mut(name).phase = if documents.is_empty() {
        Phase::Replying
    } else {
        Phase::Inserting(Insert::of(documents))
    };
}

/// The records of the lane's batch with their offsets and places in the batch.
fn batch<'a>(
    state: &State,
    rules: &'a Configuration,
    name: LaneName,
) -> impl Iterator<Item = (usize, Offset, &'a Command)> + use<'a> {
    let lane = state.lane(name);
    let (from, count) = (lane.from, lane.settled.len());
    let log = &rules.requests[usize::from(name.partition)];
    log.iter()
        .skip(usize::from(from))
        .take(count)
        .enumerate()
        .map(move |(place, command)| (place, from + place as Offset, command))
}

/// Looks up the stored outcomes of all records that have none yet: what is found is a repeat and
/// is not sent. It may also show that the aggregate has moved on, so that is read anew after it.
fn settle_repeats(state: &mut State, rules: &Configuration, name: LaneName) {
    for (place, _, command) in batch(state, rules, name) {
        if state.lane(name).settled[place].is_some() {
            continue;
        }
        let shown = state.store.read(rules.wrong);
        let found = shown.iter().find(|c| c.is_of(command.aggregate, command.request)).copied();
        let Some(commit) = found else { continue };
        let answer = commit.answer_to(command.body, rules.wrong);
        let lane = state.lane_mut(name);
        lane.settled[place] = Some(Settled { answer, repeat: true });
        if rules.wrong != Some(Wrong::CacheKeptAfterFailure) {
            lane.forget(command.aggregate);
        }
    }
}

/// Reads every aggregate of the batch that the lane does not remember.
fn load_unknown(state: &mut State, rules: &Configuration, name: LaneName) {
    for (_, _, command) in batch(state, rules, name) {
        let aggregate = usize::from(command.aggregate);
        if state.lane(name).known[aggregate].is_none() {
            let known = load(state, rules, command.aggregate);
            state.lane_mut(name).known[aggregate] = Some(known);
        }
    }
}

/// An aggregate as the store shows it. Its events are known to be published up to what the store
/// remembers, and up to every commit whose source lies below the saved progress.
fn load(state: &State, rules: &Configuration, aggregate: Aggregate) -> Known {
    let shown = state.store.read(rules.wrong);
    let last = last_of(shown, aggregate);
    let by_progress = shown
        .iter()
        .filter(|commit| commit.aggregate == aggregate)
        .filter(|commit| commit.source.1 < state.progress[usize::from(commit.source.0)])
        .map(|commit| commit.sequence)
        .max();
    let by_store = state.store.published[usize::from(aggregate)];
    Known {
        revision: last.map_or(0, |last| last.revision),
        sequence: last.map_or(0, |last| last.sequence),
        published: by_store.max(by_progress.unwrap_or(0)),
    }
}

/// The commits of all records that have no outcome, numbered on top of what is known to be stored.
fn decide_rest(
    state: &State,
    rules: &Configuration,
    name: LaneName,
    attempt: Attempt,
) -> Vec<Commit> {
    let lane = state.lane(name);
    let mut provisional = lane.known.clone();
    let mut documents = Vec::new();
    for (place, offset, command) in batch(state, rules, name) {
        if lane.settled[place].is_some() {
            continue;
        }
        let known = &mut provisional[usize::from(command.aggregate)];
        let Some(below) = *known else { continue };
        let source = (name.partition, offset);
        let mut commit = Commit::on(below.revision, below.sequence, *command, source);
        let looks_at_clock = attempt.is_first || rules.wrong != Some(Wrong::DeadlineCheckedOnce);
        if command.body == Body::AddInTime && state.deadline_passed {
            commit.sent_late = true;
            if looks_at_clock {
                commit.outcome = Outcome::Expired;
                commit.sequence = below.sequence;
            }
        }
        *known = Some(Known { revision: commit.revision, sequence: commit.sequence, ..below });
        documents.push(commit);
    }
    documents
}

/// The store has answered: the stored prefix is true, and what was refused is decided anew.
pub fn insert_answered(state: &mut State, rules: &Configuration, name: LaneName) {
    let lane = state.lane_mut(name);
    let Phase::Inserting(insert) = std::mem::replace(&mut lane.phase, Phase::Replying) else {
        return;
    };
    for commit in insert.prefix() {
        let answer = commit.answer_to(commit.body, rules.wrong);
        let place = usize::from(commit.source.1 - lane.from);
        lane.settled[place] = Some(Settled { answer, repeat: false });
        lane.learn(commit);
    }
    if let Some(refusal) = insert.refused {
        lane.phase = Phase::Failed(failure(&insert, refusal, rules));
        match rules.wrong {
            Some(Wrong::CacheKeptAfterFailure) => {
                insert.documents.iter().for_each(|document| lane.learn(document));
            }
            _ => lane.forget(insert.documents[insert.stored].aggregate),
        }
    }
}

/// What the lane keeps of a refused insert.
fn failure(insert: &Insert, refusal: Refusal, rules: &Configuration) -> Failure {
    let keeps_numbers =
        rules.wrong == Some(Wrong::NumberedRestSent) && refusal.key == UniqueKey::Request;
    let numbered_rest =
        if keeps_numbers { insert.documents[insert.stored..].to_vec() } else { Vec::new() };
    Failure { holder: Some(refusal.holder), numbered_rest }
}

/// The answer to the insert is lost, and whatever of it is not yet stored may land later: nothing
/// is assumed, every aggregate of the batch is read anew.
pub fn lose_answer(state: &mut State, rules: &Configuration, name: LaneName) {
    let lane = state.lane_mut(name);
    let failed = Phase::Failed(Failure { holder: None, numbered_rest: Vec::new() });
    let Phase::Inserting(insert) = std::mem::replace(&mut lane.phase, failed) else {
        return;
    };
    for document in &insert.documents {
        match rules.wrong {
            Some(Wrong::CacheKeptAfterFailure) => lane.learn(document),
            _ => lane.forget(document.aggregate),
        }
    }
    state.store.abandon(insert);
}

/// Only in a wrong variant: answers the repeat and sends what stood behind it as it was numbered.
fn send_numbered_rest(
    state: &mut State,
    rules: &Configuration,
    name: LaneName,
    numbered_rest: &[Commit],
) {
    settle_repeats(state, rules, name);
    load_unknown(state, rules, name);
    let lane = state.lane_mut(name);
    let unsettled =
        |commit: &&Commit| lane.settled[usize::from(commit.source.1 - lane.from)].is_none();
    let documents: Vec<_> = numbered_rest.iter().filter(unsettled).copied().collect();
    lane.phase = if documents.is_empty() {
        Phase::Replying
    } else {
        Phase::Inserting(Insert::of(documents))
    };
}

/// Sends all answers of the batch, and gathers what is to be published.
pub fn reply(state: &mut State, rules: &Configuration, name: LaneName) {
    let settled: Vec<_> = state.lane(name).settled.iter().flatten().copied().collect();
    for Settled { answer, .. } in &settled {
        state.tell(*answer);
    }
    let outbox = unpublished(state, rules, name, &settled);
    state.lane_mut(name).phase = Phase::Publishing(outbox);
}

/// Per aggregate of the batch every event after the last one known to be published, in order.
fn unpublished(
    state: &State,
    rules: &Configuration,
    name: LaneName,
    settled: &[Settled],
) -> Vec<Event> {
    let mut outbox = Vec::new();
    for (aggregate, known) in (0..).zip(&state.lane(name).known) {
        let of_batch: Vec<_> =
            settled.iter().filter(|settled| settled.answer.aggregate == aggregate).collect();
        let skips = match rules.wrong {
            Some(Wrong::RepeatNotPublished) => of_batch.iter().all(|settled| settled.repeat),
            _ => of_batch.is_empty(),
        };
        let Some(known) = known.filter(|_| !skips) else {
            continue;
        };
        let range = known.published + 1..=known.sequence;
        let mut events = events_between(state.store.read(rules.wrong), aggregate, range);
        if rules.wrong == Some(Wrong::OwnEventsOnly) {
            events.retain(|event| {
                of_batch.iter().any(|own| !own.repeat && own.answer.request == event.request)
            });
        }
        outbox.extend(events);
    }
    outbox
}

/// The event log acknowledges the next event, and the lane remembers it as published.
pub fn publish_next(state: &mut State, rules: &Configuration, name: LaneName) {
    let lane = state.lane_mut(name);
    let Phase::Publishing(outbox) = &mut lane.phase else {
        return;
    };
    let event = outbox.remove(0);
    let aggregate = usize::from(event.aggregate);
    if let Some(known) = &mut lane.known[aggregate] {
        known.published = known.published.max(event.sequence);
    }
    let log = &mut state.events[aggregate];
    if rules.follower || !log.contains(&event) {
        log.push(event);
    }
}

/// Saves the progress behind the batch. Who no longer owns the partition is fenced, and drops
/// everything it remembers.
pub fn save_progress(state: &mut State, rules: &Configuration, name: LaneName) {
    let lane = state.lane(name);
    let end = lane.from + lane.settled.len() as Offset;
    let owns = state.owns(name);
    if owns || rules.wrong == Some(Wrong::ZombieProgressTaken) {
        state.progress[usize::from(name.partition)] = end;
    }
    let partition = usize::from(name.partition);
    state.progress_shown[partition] =
        state.progress_shown[partition].max(state.progress[partition]);
    let lane = state.lane_mut(name);
    if !owns {
        lane.forget_all();
    } else if lane.phase == Phase::Publishing(Vec::new()) {
        lane.end_batch();
    }
}

/// Whether the lane knows of more published events than the store has written down.
pub fn saves_more(state: &State, name: LaneName) -> bool {
    let known = state.lane(name).known.iter();
    known
        .zip(&state.store.published)
        .any(|(known, saved)| known.is_some_and(|known| known.published > *saved))
}

/// Writes how far the aggregates of the batch are published: derived, and only ever forward.
pub fn save_published(state: &mut State, name: LaneName) {
    let known = state.lane(name).known.clone();
    for (saved, known) in state.store.published.iter_mut().zip(known) {
        *saved = (*saved).max(known.map_or(0, |known| known.published));
    }
}
