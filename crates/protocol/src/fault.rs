//! The faults, and what each leaves behind.

use crate::action::Action;
use crate::command::{Partition, Worker};
use crate::configuration::Configuration;
use crate::follower;
use crate::lane::{LaneName, Phase};
use crate::state::{State, WORKERS};
use crate::worker;

/// Lets a fault strike. What is no fault changes nothing.
pub fn strike(state: &mut State, rules: &Configuration, fault: Action) {
    let left = &mut state.faults_left;
    match fault {
        Action::LateDocument(place) => {
            state.store.take_late_document(usize::from(place), rules.wrong);
        }
        Action::Crash(worker) => {
            left.crashes -= 1;
            crash(state, worker);
        }
        Action::Move(partition) => {
            left.moves -= 1;
            move_partition(state, partition);
        }
        Action::LoseAnswer(name) => {
            left.lost_answers -= 1;
            worker::lose_answer(state, rules, name);
        }
        Action::StepDown => {
            left.step_downs -= 1;
            step_down(state, rules);
        }
        Action::PassDeadline => {
            left.deadlines -= 1;
            state.deadline_passed = true;
        }
        Action::CrashProjector(name) => {
            left.projector_crashes -= 1;
            follower::forget(state, name);
        }
        Action::MoveView => {
            left.projector_moves -= 1;
            follower::move_view(state);
        }
        _ => {}
    }
}

/// Empties a lane. An insert that it had sent is on its own from now on.
fn empty(state: &mut State, name: LaneName) {
    if let Some(insert) = state.lane_mut(name).forget_all() {
        state.store.abandon(insert);
    }
}

/// All lanes of a worker lose their memory.
fn crash(state: &mut State, worker: Worker) {
    for name in state.lane_names().filter(|name| name.worker == worker) {
        empty(state, name);
    }
}

/// The partition goes to the other worker, whose lane starts cold. The worker before keeps its
/// batch, its memory and its insert: it is a zombie until the save of its progress is fenced.
fn move_partition(state: &mut State, partition: Partition) {
    let before = state.owners[usize::from(partition)];
    let after = WORKERS - 1 - before;
    state.owners[usize::from(partition)] = after;
    empty(state, LaneName { worker: after, partition });
    let lane = state.lane_mut(LaneName { worker: before, partition });
    if lane.phase == Phase::Idle {
        // Without a batch it would not act again, so what it remembers does not matter.
        lane.forget_all();
    }
}

/// What is not durable is gone. An insert that the old primary had begun ends there, and its
/// sender does not know how far it came; one that is stored wholly and durably is still answered,
/// and one that had not arrived may still arrive.
fn step_down(state: &mut State, rules: &Configuration) {
    state.store.step_down();
    for name in state.lane_names() {
        let Phase::Inserting(insert) = &mut state.lane_mut(name).phase else {
            continue;
        };
        let complete = insert.is_over();
        let begun = insert.stored > 0;
        let insert = insert.clone();
        if begun && !(complete && state.store.has_durable(&insert)) {
            worker::lose_answer(state, rules, name);
        }
    }
    // What the primary had begun for a lane that now reads anew takes no further document.
    state.store.late.retain(|insert| insert.stored == 0);
}
