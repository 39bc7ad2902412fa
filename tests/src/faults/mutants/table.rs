//! The table of all mutants.

use super::super::Strike;
use super::Mutant;
use super::steps::{FORGOTTEN, STORED_LATE, Step, WENT_BACK};
use crate::Role;

/// How many workers are killed before their events are published.
const KILLS: [Step; 3] = [KILL, KILL, KILL];
const KILL: Step = Step::Strike(Strike::Kill, ("C7", Role::Worker), 20);
/// What becomes of events that nobody publishes.
const UNPUBLISHED: &[&str] = &["event-missing", "event-overtakes"];
/// What becomes of an aggregate's line where it is numbered on what did not come true.
const BROKEN_LINE: &[&str] =
    &["revision-missing", "revision-doubled", "sequence-broken", "unjustified"];

/// What breaks nothing and goes through most of what mutants go through: in it nothing may be
/// found.
pub(super) const CONTROLS: &[Mutant] = &[NONE, NONE_CUT_OFF, NONE_KAFKA_STOPPED];

/// Lanes have commands when Kafka stops, so that events come to wait for it.
const BUSY_LANES: &str = "C4=sleep(100)";
const KAFKA_STOPS: &[Step] = &[Step::KafkaStopped, Step::KafkaStopped, Step::KafkaStopped];

const NONE_KAFKA_STOPPED: Mutant = Mutant {
    name: "nothing-kafka-stopped",
    breaks: "nothing, and Kafka stands still three times",
    with: BUSY_LANES,
    steps: KAFKA_STOPS,
    kinds: &[],
};

const NONE_CUT_OFF: Mutant = Mutant {
    name: "nothing-cut-off",
    breaks: "nothing, and MongoDB's primary is cut off",
    with: "C4=sleep(150)",
    steps: &[Step::MongoRollsBack],
    kinds: &[],
};

const NONE: Mutant = Mutant {
    name: "nothing",
    breaks: "nothing",
    with: "mongo-insert=10%return;C4=sleep(20)",
    steps: &[
        Step::GoesOn,
        KILL,
        Step::NeverAskedFor,
        Step::AskedForAtOnce,
        Step::SameIdElsewhere,
        Step::AfterTheDeadline,
        Step::PausedView,
        Step::KilledView,
        Step::PausedWorker,
        Step::MongoAwayPastDeadlines,
        Step::MorePartitions,
    ],
    kinds: &[],
};

pub(super) const ALL: &[Mutant] = &[
    Mutant {
        name: "own-events-only",
        breaks: "a lane publishes the events of its own batches only",
        with: "",
        steps: &KILLS,
        kinds: UNPUBLISHED,
    },
    Mutant {
        name: "progress-before-publishing",
        breaks: "progress is saved before the events are published",
        with: "",
        steps: &KILLS,
        kinds: UNPUBLISHED,
    },
    Mutant {
        name: "cache-kept",
        breaks: "the cache is kept after an insert that failed",
        with: "",
        steps: &[Step::GoesOn],
        kinds: BROKEN_LINE,
    },
    Mutant {
        name: "numbered-rest-sent",
        breaks: "after a repeat the rest is sent with the numbers it has",
        with: "",
        steps: &[Step::GoesOn],
        kinds: BROKEN_LINE,
    },
    Mutant {
        name: "dedupe-by-cache-only",
        breaks: "a repeat that is not in memory is decided again",
        with: "",
        steps: &[],
        kinds: &["decided-twice", "cause-differs", "answer-differs"],
    },
    Mutant {
        name: "progress-past-failed",
        breaks: "progress goes past a record that could not be stored",
        // Each that fails keeps a client waiting, and where many wait, none gets on.
        with: "mongo-insert=3%return",
        steps: &[Step::NeverAskedFor],
        kinds: &["lost", "answer-without-commit"],
    },
    Mutant {
        name: "fail-not-stored",
        breaks: "a refusal is answered and not stored",
        with: "",
        steps: &[Step::GoesOn],
        kinds: &["answer-without-commit", "lost", "answer-differs"],
    },
    Mutant {
        name: "clock-in-a-rule",
        breaks: "a rule looks at the clock",
        with: "",
        steps: &[],
        kinds: &["unjustified"],
    },
    Mutant {
        name: "late-event-skipped",
        breaks: "an event that is not sent in time is left out",
        with: BUSY_LANES,
        steps: KAFKA_STOPS,
        kinds: UNPUBLISHED,
    },
    Mutant {
        name: "attach-by-id-alone",
        breaks: "a command attaches to another one in flight under its id",
        with: "",
        steps: &[Step::GoesOn],
        kinds: &["other-command-answered"],
    },
    Mutant {
        name: "fingerprint-ignored",
        breaks: "an outcome answers whatever was asked under its id",
        with: "",
        steps: &[Step::GoesOn],
        kinds: &["other-command-answered"],
    },
    Mutant {
        name: "repeat-not-marked",
        breaks: "a repeat is told as if it had been decided just now",
        with: "",
        steps: &[Step::GoesOn],
        kinds: &["not-marked-as-repeat"],
    },
    Mutant {
        name: "reply-without-nonce",
        breaks: "a reply is taken by its request id alone",
        with: "",
        steps: &[Step::SameIdElsewhere],
        kinds: &["falsely-reused", "answer-differs", "other-command-answered"],
    },
    Mutant {
        name: "expired-at-the-door",
        breaks: "an API says EXPIRED of what has succeeded",
        with: "",
        steps: &[Step::AfterTheDeadline],
        kinds: &["answer-differs"],
    },
    Mutant {
        name: "unknown-before-progress",
        breaks: "UNKNOWN is said before the workers have come so far",
        with: "C4=sleep(20)",
        steps: &[Step::AskedForAtOnce],
        kinds: &["unknown-after", FORGOTTEN, "falsely-unknown"],
    },
    Mutant {
        name: "tenant-left-out",
        breaks: "aggregates of the same name are one, whoever they belong to",
        with: "",
        steps: &[Step::OtherTenant],
        kinds: &["lost", "cause-differs"],
    },
    Mutant {
        name: "zombie-keeps-lane",
        breaks: "a worker whose partition is another's goes on with it and saves its progress",
        with: "",
        steps: &[Step::PausedWorker],
        kinds: &[WENT_BACK],
    },
    Mutant {
        name: "majority-left-out",
        breaks: "a write is acknowledged by a server that has it in memory only",
        with: "",
        steps: &[Step::MongoKilled, Step::MongoKilled],
        kinds: &[
            "answer-without-commit",
            "lost",
            "not-found",
            "revision-missing",
            "sequence-broken",
        ],
    },
    Mutant {
        name: "local-reads",
        breaks: "reads show what no majority has",
        with: "C4=sleep(150)",
        steps: &[Step::MongoRollsBack],
        kinds: &["state-differs", "state-behind", "went-back"],
    },
    Mutant {
        name: "insert-sent-again",
        breaks: "the driver sends an insert again, and nobody looks at the deadlines",
        with: "C4=sleep(150)",
        steps: &[Step::MongoAwayPastDeadlines],
        kinds: &[STORED_LATE],
    },
    Mutant {
        name: "latest",
        breaks: "a new partition is read from its end",
        with: "",
        steps: &[Step::MorePartitions],
        // Of the requests, and of the events that a new view follows.
        kinds: &["lost", "row-missing"],
    },
    Mutant {
        name: "unconditional-view-write",
        breaks: "a view's row is written whatever it has become",
        with: "",
        // What was in the hands of the one that is paused may have been of jobs, or over already.
        steps: &[Step::PausedView, Step::PausedView],
        kinds: &["row-differs", "went-back"],
    },
    Mutant {
        name: "mark-before-rows",
        breaks: "a view's mark is written before the rows",
        with: "",
        // Only the view of cleaners has marks beside its rows, and few rows are in hand at once.
        steps: &[Step::KilledView, Step::KilledView, Step::KilledView],
        kinds: &["row-differs", "row-missing"],
    },
];

/// What a broker has to be made to do as none does by itself is caught by a test of its own.
pub(super) const ELSEWHERE: &[(&str, &str)] = &[(
    "broken-two-event-requests",
    "with_two_requests_under_way_the_second_event_overtakes_the_first in crates/kafka/src/events.rs",
)];
