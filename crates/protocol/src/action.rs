//! Everything that can happen next: the steps of the protocol, and the faults.

use crate::command::{Aggregate, Partition, Request, Worker};
use crate::configuration::{Configuration, Start};
use crate::follower::{self, ProjectorName};
use crate::lane::{Lane, LaneName, Phase};
use crate::state::{State, WORKERS};
use crate::worker;
use crate::wrong::Wrong;

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A lane takes a batch of so many records, decides it and sends the insert.
    TakeBatch(LaneName, u8),
    /// The primary takes the next document of the lane's insert, or refuses it.
    StoreDocument(LaneName),
    /// A majority has the next commit.
    MakeDurable,
    /// The lane gets the answer to its insert.
    AnswerInsert(LaneName),
    /// The lane reads anew and sends the rest of its batch again.
    DecideAnew(LaneName),
    /// The lane sends all answers of its batch.
    Reply(LaneName),
    /// The event log takes the lane's next event.
    PublishNext(LaneName),
    /// The lane saves its progress, or is fenced.
    SaveProgress(LaneName),
    /// The lane writes down how far its aggregates are published, then saves its progress.
    SavePublishedAndProgress(LaneName),
    /// A client looks up the outcome of a request.
    LookUp(Aggregate, Request),
    /// The projector takes the next event from the event log.
    TakeEvent(ProjectorName),
    /// The projector writes a row.
    WriteRow(ProjectorName),
    /// The projector writes the mark.
    WriteMark(ProjectorName),
    /// The projector saves its progress, or is fenced.
    SaveViewProgress(ProjectorName),
    /// Fault: the next document of an insert that nobody waits for reaches the primary.
    LateDocument(u8),
    /// Fault: the worker dies and starts with an empty memory.
    Crash(Worker),
    /// Fault: the partition is assigned to the other worker; the one before does not notice.
    Move(Partition),
    /// Fault: the connection breaks while the insert is on its way.
    LoseAnswer(LaneName),
    /// Fault: what is not durable is rolled back.
    StepDown,
    /// Fault: the deadline passes.
    PassDeadline,
    /// Fault: the projector dies and starts with an empty memory.
    CrashProjector(ProjectorName),
    /// Fault: the event log is assigned to the other projector; the one before does not notice.
    MoveView,
}

/// All that can happen in `state`.
pub fn possible(state: &State, rules: &Configuration, actions: &mut Vec<Action>) {
    for name in state.lane_names() {
        actions.extend(lane_steps(state, rules, name));
    }
    actions.extend(store_step(state));
    if rules.follower {
        actions.extend((0..WORKERS).flat_map(|name| projector_steps(state, name)));
    }
    if rules.look_ups {
        actions.extend(look_ups(state, rules));
    }
    faults(state, rules, actions);
}

/// Whether the protocol comes to rest here: neither the store nor any owner has a step. Faults,
/// late inserts and zombies are not waited for, because they may never come.
pub fn is_at_rest(state: &State, rules: &Configuration) -> bool {
    let lane_moves = |name| state.owns(name) && lane_steps(state, rules, name).next().is_some();
    store_step(state).is_none()
        && !state.lane_names().any(lane_moves)
        && !(rules.follower && projector_steps(state, state.view.owner).next().is_some())
}

/// The store makes one commit after the other durable.
fn store_step(state: &State) -> Option<Action> {
    (state.store.durable < state.store.commits.len()).then_some(Action::MakeDurable)
}

/// What a lane, or the store for it, can do next.
fn lane_steps(
    state: &State,
    rules: &Configuration,
    name: LaneName,
) -> impl Iterator<Item = Action> + use<> {
    let lane = state.lane(name);
    let step = match &lane.phase {
        Phase::Idle => None,
        Phase::Inserting(insert) if !insert.is_over() => Some(Action::StoreDocument(name)),
        Phase::Inserting(insert) => {
            state.store.has_durable(insert).then_some(Action::AnswerInsert(name))
        }
        Phase::Failed(_) => may_decide_anew(state, rules, lane).then_some(Action::DecideAnew(name)),
        Phase::Replying => Some(Action::Reply(name)),
        Phase::Publishing(outbox) if outbox.is_empty() => Some(Action::SaveProgress(name)),
        Phase::Publishing(_) => Some(Action::PublishNext(name)),
    };
    let saves_published = rules.published_saved
        && lane.phase == Phase::Publishing(Vec::new())
        && worker::saves_more(state, name);
    let saves_early = rules.wrong == Some(Wrong::ProgressBeforePublishing)
        && matches!(&lane.phase, Phase::Publishing(outbox) if !outbox.is_empty())
        && state.progress[usize::from(name.partition)] == lane.from;
    batches(state, rules, name)
        .map(move |records| Action::TakeBatch(name, records))
        .chain(step)
        .chain(saves_published.then_some(Action::SavePublishedAndProgress(name)))
        .chain(saves_early.then_some(Action::SaveProgress(name)))
}

/// The sizes of the batches that an idle lane may take: none unless it owns its partition and
/// there are records behind its progress.
fn batches(
    state: &State,
    rules: &Configuration,
    name: LaneName,
) -> impl Iterator<Item = u8> + use<> {
    let partition = usize::from(name.partition);
    let left = rules.requests[partition].len() as u8 - state.progress[partition];
    let may_take = left > 0 && state.owns(name) && state.lane(name).phase == Phase::Idle;
    let (from, to) = (*rules.batch.start(), *rules.batch.end());
    (from.min(left)..=to.min(left)).filter(move |_| may_take)
}

/// Whether sending again can end otherwise than before. While the commit that refused the insert
/// is there and not durable, a resending would be refused again and change nothing, so the model
/// leaves those out.
fn may_decide_anew(state: &State, rules: &Configuration, lane: &Lane) -> bool {
    let Phase::Failed(failure) = &lane.phase else {
        return false;
    };
    let Some((aggregate, request)) = failure.holder else {
        return true;
    };
    let shown = || {
        let commits = state.store.read(rules.wrong);
        commits.iter().any(|commit| commit.is_of(aggregate, request))
    };
    match rules.wrong {
        Some(Wrong::WaitsForDuplicate | Wrong::ReadsNotDurable) if shown() => true,
        Some(Wrong::WaitsForDuplicate) => false,
        _ => state.store.is_settled((aggregate, request)),
    }
}

/// What a projector can do next. A zombie goes on as long as it remembers something.
fn projector_steps(state: &State, name: ProjectorName) -> impl Iterator<Item = Action> + use<> {
    let projector = &state.projectors[usize::from(name)];
    let owns = state.view.owner == name;
    let runs = owns || projector.known.is_some();
    let has_event = usize::from(projector.position) < state.events[0].len();
    let step = match &projector.fold {
        Some(fold) if fold.row.is_some() => Some(Action::WriteRow(name)),
        Some(_) => Some(Action::WriteMark(name)),
        None if runs && has_event => Some(Action::TakeEvent(name)),
        None => None,
    };
    let unsaved = if owns { projector.position != state.view.progress } else { runs };
    let saves = projector.fold.is_none() && unsaved;
    step.into_iter().chain(saves.then_some(Action::SaveViewProgress(name)))
}

/// The look-ups that show a client something new.
fn look_ups(state: &State, rules: &Configuration) -> Vec<Action> {
    let shown = state.store.read(rules.wrong).iter();
    shown
        .filter(|commit| {
            let answer = commit.answer_to(commit.body, rules.wrong);
            state.answers.binary_search(&answer).is_err()
        })
        .map(|commit| Action::LookUp(commit.aggregate, commit.request))
        .collect()
}

/// The faults that are left and would change something.
fn faults(state: &State, rules: &Configuration, actions: &mut Vec<Action>) {
    let left = &state.faults_left;
    actions.extend((0..state.store.late.len()).map(|place| Action::LateDocument(place as u8)));
    for name in state.lane_names() {
        if left.lost_answers > 0 && matches!(state.lane(name).phase, Phase::Inserting(_)) {
            actions.push(Action::LoseAnswer(name));
        }
    }
    for worker in 0..WORKERS {
        let busy = state.lane_names().any(|n| n.worker == worker && !state.lane(n).is_at_rest());
        if left.crashes > 0 && busy {
            actions.push(Action::Crash(worker));
        }
        if left.projector_crashes > 0 && state.projectors[usize::from(worker)].known.is_some() {
            actions.push(Action::CrashProjector(worker));
        }
    }
    if left.moves > 0 && rules.start == Start::Fresh {
        actions.extend((0..state.owners.len()).map(|partition| Action::Move(partition as u8)));
    }
    if left.step_downs > 0 && state.store.durable < state.store.commits.len() {
        actions.push(Action::StepDown);
    }
    if left.deadlines > 0 {
        actions.push(Action::PassDeadline);
    }
    if left.projector_moves > 0 {
        actions.push(Action::MoveView);
    }
}

/// Does what `action` says.
pub fn perform(state: &mut State, rules: &Configuration, action: Action) {
    match action {
        Action::TakeBatch(name, records) => worker::take_batch(state, rules, name, records),
        Action::StoreDocument(name) => store_document(state, rules, name),
        Action::MakeDurable => state.store.durable += 1,
        Action::AnswerInsert(name) => worker::insert_answered(state, rules, name),
        Action::DecideAnew(name) => worker::decide_anew(state, rules, name),
        Action::Reply(name) => worker::reply(state, rules, name),
        Action::PublishNext(name) => worker::publish_next(state, rules, name),
        Action::SaveProgress(name) => worker::save_progress(state, rules, name),
        Action::SavePublishedAndProgress(name) => {
            worker::save_published(state, name);
            worker::save_progress(state, rules, name);
        }
        Action::LookUp(aggregate, request) => look_up(state, rules, aggregate, request),
        Action::TakeEvent(name) => follower::take_event(state, rules, name),
        Action::WriteRow(name) => follower::write_row(state, rules, name),
        Action::WriteMark(name) => follower::write_mark(state, rules, name),
        Action::SaveViewProgress(name) => follower::save_view_progress(state, name),
        fault => crate::fault::strike(state, rules, fault),
    }
}

/// The primary takes the next document of the insert that the lane waits for.
fn store_document(state: &mut State, rules: &Configuration, name: LaneName) {
    let index = name.index(state.progress.len());
    let State { store, lanes, .. } = state;
    if let Phase::Inserting(insert) = &mut lanes[index].phase {
        store.take_document(insert, rules.wrong);
    }
}

/// A client is told what the store shows for a request.
fn look_up(state: &mut State, rules: &Configuration, aggregate: Aggregate, request: Request) {
    let shown = state.store.read(rules.wrong);
    let found = shown.iter().find(|commit| commit.is_of(aggregate, request));
    if let Some(answer) = found.map(|commit| commit.answer_to(commit.body, rules.wrong)) {
        state.tell(answer);
    }
}
