//! The configurations that are explored: the small ones by the tests, the deep ones on demand.

use crate::command::{Aggregate, Body, Command};
use crate::configuration::{Configuration, Faults, Shows, Start};
use crate::reached;

const A: Aggregate = 0;
const B: Aggregate = 1;

/// The configurations that the tests explore, each in seconds.
pub fn small() -> Vec<Configuration> {
    vec![
        lane(),
        rollback(),
        refusals(),
        raised(),
        raised_and_moved(),
        raised_and_rolled_back(),
        follower(),
        fleet(),
    ]
}

/// The same with batches of every size up to two and more faults; together they take minutes.
pub fn deep() -> Vec<Configuration> {
    let none = Faults::NONE;
    let each = vec![
        lane().under(Faults { crashes: 2, moves: 1, ..none }),
        rollback().under(Faults { crashes: 1, moves: 1, lost_answers: 1, step_downs: 1, ..none }),
        refusals().under(Faults { crashes: 1, moves: 1, deadlines: 1, ..none }),
        raised().under(Faults { crashes: 1, lost_answers: 1, ..none }),
        raised_and_moved(),
        raised_and_rolled_back().under(Faults { crashes: 1, step_downs: 2, ..none }),
        follower().under(Faults { projector_crashes: 2, projector_moves: 3, ..none }),
        fleet().under(Faults { moves: 1, projector_crashes: 1, projector_moves: 1, ..none }),
    ];
    each.into_iter().map(|configuration| Configuration { batch: 1..=2, ..configuration }).collect()
}

/// One partition: repeats, a refusal, one request id at two aggregates; a crash, a move, a lost
/// answer.
pub fn lane() -> Configuration {
    Configuration {
        name: "lane",
        purpose: "one partition that crashes and moves while its insert is on the way",
        requests: vec![vec![
            Command::new(A, 1, Body::Add),
            Command::new(B, 1, Body::AddTwo),
            Command::new(A, 1, Body::Add),
            Command::new(A, 2, Body::BeFirst),
        ]],
        faults: Faults { crashes: 1, moves: 1, lost_answers: 1, ..Faults::NONE },
        published_saved: true,
        meets: vec![
            reached::REST,
            reached::REPEAT,
            reached::PREFIX,
            reached::REFUSAL,
            reached::LATE_INSERT,
            reached::OWN_LATE_INSERT,
            reached::ZOMBIE_REFUSED,
            reached::ZOMBIE_PUBLISHES,
            reached::ZOMBIE_FENCED,
        ],
        ..workers()
    }
}

/// One partition whose store rolls back what a majority does not have, while the owner before
/// and late inserts are still about, and clients look outcomes up.
pub fn rollback() -> Configuration {
    Configuration {
        name: "rollback",
        purpose: "a step-down removes what was stored and is not durable",
        requests: vec![vec![
            Command::new(A, 1, Body::Add),
            Command::new(B, 2, Body::Add),
            Command::new(A, 1, Body::Add),
            Command::new(A, 3, Body::BeFirst),
        ]],
        faults: Faults { moves: 1, lost_answers: 1, step_downs: 1, ..Faults::NONE },
        look_ups: true,
        meets: vec![
            reached::REST,
            reached::ROLLBACK,
            reached::DUPLICATE_ROLLED_BACK,
            reached::OWN_LATE_INSERT,
            reached::ZOMBIE_REFUSED,
        ],
        ..workers()
    }
}

/// One partition with every kind of command: one of two may be first, expected sequences that
/// are met and missed, a deadline, a request id used for another command.
pub fn refusals() -> Configuration {
    Configuration {
        name: "refusals",
        purpose: "refusals, expected sequences, a deadline and a reused request id",
        requests: vec![vec![
            Command::new(A, 1, Body::BeFirst),
            Command::new(A, 2, Body::BeFirst),
            Command::new(A, 3, Body::AddAt(1)),
            Command::new(A, 4, Body::AddInTime),
            Command::new(A, 2, Body::Add),
            Command::new(A, 2, Body::BeFirst),
        ]],
        faults: Faults { moves: 1, lost_answers: 1, deadlines: 1, ..Faults::NONE },
        meets: vec![
            reached::REST,
            reached::REFUSAL,
            reached::EXPIRED,
            reached::KEY_REUSED,
            reached::LATE_INSERT,
        ],
        ..workers()
    }
}

/// Two partitions that both hold commands of both aggregates, as after their number was raised.
pub fn raised() -> Configuration {
    Configuration {
        name: "raised",
        purpose: "partitions were raised: two lanes reach both aggregates",
        requests: vec![
            vec![Command::new(A, 1, Body::BeFirst), Command::new(B, 2, Body::Add)],
            vec![
                Command::new(B, 3, Body::Add),
                Command::new(A, 4, Body::BeFirst),
                Command::new(A, 1, Body::BeFirst),
            ],
        ],
        faults: Faults { crashes: 1, ..Faults::NONE },
        meets: vec![
            reached::REST,
            reached::REPEAT,
            reached::CONFLICT,
            reached::PREFIX,
            reached::TWO_LANES,
            reached::LATE_INSERT,
        ],
        ..workers()
    }
}

/// Two partitions that hold commands of both aggregates, one of which moves to the worker of the
/// other.
pub fn raised_and_moved() -> Configuration {
    Configuration {
        name: "raised and moved",
        purpose: "two lanes reach both aggregates, and one of them is a zombie beside its successor",
        requests: vec![
            vec![Command::new(A, 1, Body::BeFirst), Command::new(B, 2, Body::Add)],
            vec![Command::new(B, 3, Body::Add), Command::new(A, 4, Body::BeFirst)],
        ],
        faults: Faults { moves: 1, ..Faults::NONE },
        meets: vec![
            reached::REST,
            reached::CONFLICT,
            reached::PREFIX,
            reached::TWO_LANES,
            reached::ZOMBIE_REFUSED,
            reached::ZOMBIE_PUBLISHES,
            reached::ZOMBIE_FENCED,
        ],
        ..raised()
    }
}

/// Two partitions with one aggregate in both, over a store that rolls back.
pub fn raised_and_rolled_back() -> Configuration {
    Configuration {
        name: "raised and rolled back",
        purpose: "two lanes meet each other's commits, which are then rolled back",
        requests: vec![
            vec![Command::new(A, 1, Body::Add), Command::new(B, 2, Body::Add)],
            vec![Command::new(A, 3, Body::Add), Command::new(A, 1, Body::Add)],
        ],
        faults: Faults { lost_answers: 1, step_downs: 1, ..Faults::NONE },
        meets: vec![
            reached::REST,
            reached::ROLLBACK,
            reached::DUPLICATE_ROLLED_BACK,
            reached::TWO_LANES,
        ],
        ..workers()
    }
}

/// A follower alone on an event log with repeats and without its first events: two projectors,
/// crashes, and the event log moved to and fro.
pub fn follower() -> Configuration {
    Configuration {
        name: "follower",
        purpose: "a projector crashes, or wakes up after the event log has moved",
        requests: vec![vec![
            Command::new(A, 1, Body::Add),
            Command::new(A, 2, Body::AddTwo),
            Command::new(A, 3, Body::Add),
        ]],
        start: Start::Handled { events: vec![2, 3, 1, 2, 3, 4] },
        faults: Faults { projector_crashes: 1, projector_moves: 2, ..Faults::NONE },
        follower: true,
        shows: Shows { workers: false, views: true },
        meets: vec![
            reached::REST,
            reached::ROW_WITHOUT_MARK,
            reached::ZOMBIE_ROW,
            reached::ZOMBIE_MARK,
            reached::EVENT_GAP,
        ],
        ..workers()
    }
}

/// Workers and follower together, from the command to the row.
pub fn fleet() -> Configuration {
    Configuration {
        name: "fleet",
        purpose: "from the command log to the rows, with the worker and the projector moved",
        requests: vec![vec![
            Command::new(A, 1, Body::Add),
            Command::new(A, 2, Body::Add),
            Command::new(A, 1, Body::Add),
        ]],
        faults: Faults { moves: 1, projector_moves: 1, ..Faults::NONE },
        follower: true,
        shows: Shows { workers: true, views: true },
        meets: vec![
            reached::REST,
            reached::REPEAT,
            reached::ZOMBIE_REFUSED,
            reached::ZOMBIE_PUBLISHES,
            reached::ZOMBIE_ROW,
        ],
        ..workers()
    }
}

/// What most configurations share: batches of two, from the start, and only workers.
fn workers() -> Configuration {
    Configuration {
        name: "",
        purpose: "",
        requests: Vec::new(),
        batch: 2..=2,
        faults: Faults::NONE,
        start: Start::Fresh,
        published_saved: false,
        look_ups: false,
        follower: false,
        shows: Shows { workers: true, views: false },
        meets: Vec::new(),
        wrong: None,
    }
}
