//! Which promises each wrong variant breaks, and under which configuration that shows.

use crate::configuration::{Configuration, Faults};
use crate::configurations::{follower, lane, raised, refusals, rollback};
use crate::properties::{
    ACCEPTED_NEVER_LOST, EVENTS_ARE_TRUE, EVENTS_COMPLETE, EVENTS_IN_ORDER, MARK_IS_TRUE,
    NEVER_LATE, PROGRESS_STAYS, REFUSALS_STAY, REQUEST_NAMES_ONE_COMMAND, REVISIONS_WITHOUT_GAP,
    ROWS_ARE_THE_FOLD, SAME_ANSWER, TAKES_EFFECT_ONCE, VIEWS_COMPLETE, VIEWS_NEVER_GO_BACK,
};
use crate::wrong::Wrong;

/// A wrong variant with the configuration that shows it.
#[derive(Clone, Debug)]
pub struct Variant {
    /// The rule that is not followed.
    pub wrong: Wrong,
    /// The configuration, in which the rule is still followed.
    pub configuration: Configuration,
    /// Every promise that breaks, the one that the rule is there for first.
    pub breaks: Vec<&'static str>,
}

/// All wrong variants.
pub fn variants() -> Vec<Variant> {
    let mut all = in_the_worker();
    all.extend(in_the_store());
    all.extend(in_the_view());
    all
}

const NONE: Faults = Faults::NONE;
const CRASH: Faults = Faults { crashes: 1, ..NONE };
const MOVE: Faults = Faults { moves: 1, ..NONE };
const LOST_ANSWER: Faults = Faults { lost_answers: 1, ..NONE };
const PROJECTOR_CRASH: Faults = Faults { projector_crashes: 1, ..NONE };
const PROJECTOR_MOVE: Faults = Faults { projector_moves: 1, ..NONE };

fn variant(wrong: Wrong, configuration: Configuration, breaks: &[&'static str]) -> Variant {
    // With fewer faults it need not meet all that it meets otherwise.
    let configuration = Configuration { meets: Vec::new(), ..configuration };
    Variant { wrong, configuration, breaks: breaks.to_vec() }
}

fn in_the_worker() -> Vec<Variant> {
    let late = Faults { deadlines: 1, ..LOST_ANSWER };
    vec![
        // What was decided and never stored also leaves a gap in the events.
        variant(
            Wrong::CacheKeptAfterFailure,
            lane().under(LOST_ANSWER),
            &[REVISIONS_WITHOUT_GAP, EVENTS_IN_ORDER],
        ),
        variant(Wrong::NumberedRestSent, lane().under(NONE), &[REVISIONS_WITHOUT_GAP]),
        variant(Wrong::OwnEventsOnly, lane().under(CRASH), &[EVENTS_COMPLETE]),
        // Here a lane runs ahead of the events of the other one.
        variant(Wrong::OwnEventsOnly, raised().under(NONE), &[EVENTS_IN_ORDER, EVENTS_COMPLETE]),
        variant(Wrong::RepeatNotPublished, lane().under(CRASH), &[EVENTS_COMPLETE]),
        variant(Wrong::ProgressBeforePublishing, lane().under(CRASH), &[EVENTS_COMPLETE]),
        variant(Wrong::ZombieProgressTaken, lane().under(MOVE), &[PROGRESS_STAYS]),
        variant(Wrong::FingerprintIgnored, refusals().under(NONE), &[REQUEST_NAMES_ONE_COMMAND]),
        variant(Wrong::DeadlineCheckedOnce, refusals().under(late), &[NEVER_LATE]),
    ]
}

fn in_the_store() -> Vec<Variant> {
    vec![
        variant(Wrong::WaitsForDuplicate, rollback(), &[ACCEPTED_NEVER_LOST]),
        // Answers, decisions and publications all rest on reads, so nearly everything breaks.
        variant(
            Wrong::ReadsNotDurable,
            rollback(),
            &[
                SAME_ANSWER,
                EVENTS_ARE_TRUE,
                REVISIONS_WITHOUT_GAP,
                REFUSALS_STAY,
                ACCEPTED_NEVER_LOST,
                EVENTS_IN_ORDER,
                EVENTS_COMPLETE,
                PROGRESS_STAYS,
            ],
        ),
        // Two commits of one request are answered differently.
        variant(Wrong::RequestNotUnique, lane().under(CRASH), &[TAKES_EFFECT_ONCE, SAME_ANSWER]),
        // Two commits under one revision also number their events alike.
        variant(
            Wrong::RevisionNotUnique,
            raised().under(NONE),
            &[REVISIONS_WITHOUT_GAP, EVENTS_COMPLETE],
        ),
    ]
}

fn in_the_view() -> Vec<Variant> {
    vec![
        // A row that goes back takes along what the mark vouches for, and nobody repairs it.
        variant(
            Wrong::ViewWrittenUnconditionally,
            follower().under(PROJECTOR_MOVE),
            &[VIEWS_NEVER_GO_BACK, MARK_IS_TRUE, ROWS_ARE_THE_FOLD, VIEWS_COMPLETE],
        ),
        variant(Wrong::RowFoldedTwice, follower().under(PROJECTOR_CRASH), &[ROWS_ARE_THE_FOLD]),
        // The event that a row lacks is never folded any more, though later ones are.
        variant(
            Wrong::MarkBeforeRows,
            follower().under(PROJECTOR_CRASH),
            &[MARK_IS_TRUE, ROWS_ARE_THE_FOLD, VIEWS_COMPLETE],
        ),
    ]
}
