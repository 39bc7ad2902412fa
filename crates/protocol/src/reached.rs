//! What a run must be able to meet: a configuration that never meets it would pass for nothing.

use crate::action::is_at_rest;
use crate::command::Outcome;
use crate::lane::{Lane, LaneName, Phase};
use crate::model::Protocol;
use crate::state::{State, Verdict};
use crate::store::{Insert, UniqueKey};

/// A condition on a state under a configuration.
pub type Condition = fn(&Protocol, &State) -> bool;

/// The protocol comes to rest with all done.
pub const REST: &str = "met: rest";
/// A record turns out to be a repeat.
pub const REPEAT: &str = "met: a repeat";
/// An insert is refused because someone else has taken the revision.
pub const CONFLICT: &str = "met: a conflict";
/// A refused insert has left a prefix.
pub const PREFIX: &str = "met: the prefix of a failed insert";
/// A document is stored after its sender has given the insert up.
pub const LATE_INSERT: &str = "met: a late insert";
/// A sender, reloaded, runs into its own late insert.
pub const OWN_LATE_INSERT: &str = "met: a lane refused by its own late insert";
/// Something was stored and rolled back.
pub const ROLLBACK: &str = "met: a rollback";
/// The commit that refused an insert is rolled back while the lane waits for it.
pub const DUPLICATE_ROLLED_BACK: &str = "met: a duplicate rolled back";
/// A rule refuses a command, durably.
pub const REFUSAL: &str = "met: a refusal";
/// A command is durably decided as expired.
pub const EXPIRED: &str = "met: a deadline passed";
/// A client is told that its request id belongs to another command.
pub const KEY_REUSED: &str = "met: a request id reused";
/// A lane that lost its partition is refused by the unique keys.
pub const ZOMBIE_REFUSED: &str = "met: a zombie refused by the store";
/// A lane that lost its partition comes to publish.
pub const ZOMBIE_PUBLISHES: &str = "met: a zombie publishes";
/// A lane that lost its partition comes to save its progress.
pub const ZOMBIE_FENCED: &str = "met: a zombie before it is fenced";
/// Two lanes of different partitions send commits of one aggregate under one revision.
pub const TWO_LANES: &str = "met: two lanes at one aggregate";
/// A row is written and the mark is not, and nobody is at it.
pub const ROW_WITHOUT_MARK: &str = "met: a row without its mark";
/// A projector that lost the event log is about to write over a newer row.
pub const ZOMBIE_ROW: &str = "met: a zombie with a row read before";
/// A projector that lost the event log is about to write over a newer mark.
pub const ZOMBIE_MARK: &str = "met: a zombie with a mark read before";
/// The event log lacks the event that a projector needs next.
pub const EVENT_GAP: &str = "met: an event taken from the commits";

/// All of them.
pub const ALL: [(&str, Condition); 19] = [
    (REST, |model, state| is_at_rest(state, &model.configuration)),
    (REPEAT, |_, state: &State| state.lanes.iter().any(has_repeat)),
    (CONFLICT, |_, state: &State| inserts(state).any(|(_, i)| refused_by(i, UniqueKey::Revision))),
    (PREFIX, |_, state: &State| inserts(state).any(|(_, i)| i.stored > 0 && i.refused.is_some())),
    (LATE_INSERT, |_, state: &State| state.store.commits.iter().any(|commit| commit.landed_late)),
    (OWN_LATE_INSERT, |_, state: &State| {
        inserts(state).any(|(name, i)| refused_by_own(state, name, i))
    }),
    (ROLLBACK, |model, state| state.faults_left.step_downs < model.configuration.faults.step_downs),
    (DUPLICATE_ROLLED_BACK, |_, state: &State| {
        state.lanes.iter().any(|lane| holder_is_gone(state, lane))
    }),
    (REFUSAL, |_, state: &State| has_durable(state, Outcome::Fail)),
    (EXPIRED, |_, state: &State| has_durable(state, Outcome::Expired)),
    (KEY_REUSED, |_, state: &State| state.answers.iter().any(|a| a.verdict == Verdict::KeyReused)),
    (ZOMBIE_REFUSED, |_, state: &State| {
        inserts(state).any(|(name, insert)| !state.owns(name) && insert.refused.is_some())
    }),
    (ZOMBIE_PUBLISHES, |_, state: &State| zombie_outboxes(state).any(|events| events > 0)),
    (ZOMBIE_FENCED, |_, state: &State| zombie_outboxes(state).any(|events| events == 0)),
    (TWO_LANES, |_, state: &State| two_lanes(state)),
    (ROW_WITHOUT_MARK, |_, state: &State| {
        state.view.rows[0].sequence > state.view.mark
            && state.projectors.iter().all(|projector| projector.fold.is_none())
    }),
    (ZOMBIE_ROW, |_, state: &State| {
        let fold = state.projectors[usize::from(1 - state.view.owner)].fold.as_ref();
        let read = fold.and_then(|fold| fold.row.as_ref());
        read.is_some_and(|(row, read)| state.view.rows[*row].sequence > read.sequence)
    }),
    (ZOMBIE_MARK, |_, state: &State| {
        let zombie = &state.projectors[usize::from(1 - state.view.owner)];
        let at_mark = zombie.fold.as_ref().is_some_and(|fold| fold.row.is_none());
        at_mark && zombie.known.is_some_and(|known| known < state.view.mark)
    }),
    (EVENT_GAP, |_, state: &State| {
        state.projectors.iter().any(|projector| {
            let event = state.events[0].get(usize::from(projector.position));
            let fold = projector.fold.as_ref();
            fold.zip(event).is_some_and(|(fold, event)| fold.sequence < event.sequence)
        })
    }),
];

/// The inserts that a lane waits for.
fn inserts(state: &State) -> impl Iterator<Item = (LaneName, &Insert)> {
    state.lane_names().filter_map(|name| match &state.lane(name).phase {
        Phase::Inserting(insert) => Some((name, insert)),
        Phase::Idle | Phase::Failed(_) | Phase::Replying | Phase::Publishing(_) => None,
    })
}

fn has_repeat(lane: &Lane) -> bool {
    lane.settled.iter().flatten().any(|settled| settled.repeat)
}

fn refused_by(insert: &Insert, key: UniqueKey) -> bool {
    insert.refused.is_some_and(|refusal| refusal.key == key)
}

fn refused_by_own(state: &State, name: LaneName, insert: &Insert) -> bool {
    let Some(refusal) = insert.refused else {
        return false;
    };
    let source = insert.documents[insert.stored].source;
    source.0 == name.partition
        && state.store.commits.iter().any(|commit| {
            commit.landed_late
                && commit.source == source
                && commit.is_of(refusal.holder.0, refusal.holder.1)
        })
}

fn holder_is_gone(state: &State, lane: &Lane) -> bool {
    let Phase::Failed(failure) = &lane.phase else {
        return false;
    };
    failure.holder.is_some_and(|(aggregate, request)| {
        !state.store.commits.iter().any(|commit| commit.is_of(aggregate, request))
    })
}

fn has_durable(state: &State, outcome: Outcome) -> bool {
    state.store.durable().iter().any(|commit| commit.outcome == outcome)
}

/// How many events each lane that does not own its partition has still to publish.
fn zombie_outboxes(state: &State) -> impl Iterator<Item = usize> {
    state.lane_names().filter(|name| !state.owns(*name)).filter_map(|name| {
        match &state.lane(name).phase {
            Phase::Publishing(outbox) => Some(outbox.len()),
            Phase::Idle | Phase::Inserting(_) | Phase::Failed(_) | Phase::Replying => None,
        }
    })
}

fn two_lanes(state: &State) -> bool {
    inserts(state).any(|(one, first)| {
        inserts(state).any(|(other, second)| {
            one.partition != other.partition
                && first.documents.iter().any(|document| {
                    let key = (document.aggregate, document.revision);
                    second.documents.iter().any(|d| (d.aggregate, d.revision) == key)
                })
        })
    })
}
