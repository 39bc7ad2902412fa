//! What must not be: each anomaly with what a person needs to find it, and the promise it breaks.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::evidence::Topic;

/// Where a record stands in its topic.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Place {
    /// The partition.
    pub partition: u32,
    /// The offset in it.
    pub offset: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "partition {} offset {}", self.partition, self.offset)
    }
}

/// A command by its names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Named {
    /// `tenant/type/id`.
    pub aggregate: String,
    /// The request id.
    pub request: String,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request {} of {}", self.request, self.aggregate)
    }
}

/// Something that breaks a promise, or keeps the run from proving it.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize)]
#[expect(missing_docs, reason = "each variant's sentence says what its members are")]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Anomaly {
    // Accepted is never lost.
    #[error("{command}: its record at {place} has no commit")]
    Lost { command: Named, place: Place },
    #[error("{command}: call {call} was answered {told}, and there is no commit")]
    AnswerWithoutCommit { command: Named, call: u64, told: String },
    #[error("{command}: its commit stands at revision {revision}, and a look-up does not find it")]
    NotFound { command: Named, revision: u64 },

    // Once, and every answer is the same.
    #[error("{command}: decided at revision {first} and again at {second}")]
    DecidedTwice { command: Named, first: u64, second: u64 },
    #[error("the record at {place} is the cause of {first} and of {second}")]
    SharedCause { place: Place, first: Named, second: Named },
    #[error("{command}: its commit names the record at {place} for its cause, where none stands")]
    CauseMissing { command: Named, place: Place },
    #[error("{command}: its commit names a record at {place} that has another {what}")]
    CauseDiffers { command: Named, place: Place, what: &'static str },
    #[error("{command}: call {call} was answered {told}, and stored is {stored}")]
    AnswerDiffers { command: Named, call: u64, told: String, stored: String },
    #[error(
        "{command}: calls {first} and {second} were answered alike, with documents that differ"
    )]
    BodiesDiffer { command: Named, first: u64, second: u64 },
    #[error("{command}: a look-up at the end gives {told}, and stored is {stored}")]
    LookUpDiffers { command: Named, told: String, stored: String },
    #[error("{command}: call {call} did not produce what was decided, and is not told of a repeat")]
    NotMarkedAsRepeat { command: Named, call: u64 },
    #[error("{command}: call {call} is the only sending of it, and is told of a repeat")]
    FalselyMarkedAsRepeat { command: Named, call: u64 },
    #[error("transfer: {withdrawal} gave {amount}, and {deposit} {became}")]
    TransferBroken { withdrawal: Named, deposit: Named, amount: i64, became: String },
    #[error("accounts hold {found} in all by their rows, and {expected} by what went in and out")]
    TotalDiffers { expected: i128, found: i128 },

    // A request id names one command.
    #[error("{command}: call {call} asked for something else, and was answered with its outcome")]
    OtherCommandAnswered { command: Named, call: u64 },
    #[error("{command}: call {call} asked for what was decided, and was told KEY_REUSED")]
    FalselyReused { command: Named, call: u64 },
    #[error("{command}: call {call} was told KEY_REUSED, and nothing was decided under that id")]
    ReusedWithoutCommit { command: Named, call: u64 },

    // In order.
    #[error("{aggregate}: revision {revision} is missing before that of request {request}")]
    RevisionMissing { aggregate: String, revision: u64, request: String },
    #[error("{aggregate}: requests {first} and {second} both have revision {revision}")]
    RevisionDoubled { aggregate: String, revision: u64, first: String, second: String },
    #[error("{command}: says sequence {found} at revision {revision}, where {expected} follows")]
    SequenceBroken { command: Named, revision: u64, expected: u64, found: u64 },
    #[error("{command}: its time at revision {revision} is not later than what came before")]
    TimeNotGrowing { command: Named, revision: u64 },
    #[error(
        "{later}: called after revision {earlier_revision} of its aggregate had been shown, and \
         stands at revision {revision}"
    )]
    OutOfTime { later: Named, revision: u64, earlier_revision: u64 },
    #[error("{aggregate}: a reader was shown at revision {revision} what the commits do not give")]
    StateDiffers { aggregate: String, revision: u64 },
    #[error(
        "{aggregate}: session {session} was shown revision {found}, asking after revision {shown} \
         had been shown"
    )]
    StateBehind { aggregate: String, session: u32, found: u64, shown: u64 },
    #[error("{aggregate}: what clients were told fits no order; {fitting} of {commands} do")]
    NoOrder { aggregate: String, fitting: u64, commands: u64 },
    #[error("{aggregate}: event {sequence} never came to the log of events")]
    EventMissing { aggregate: String, sequence: u64 },
    #[error("{aggregate}: at {place} stands event {sequence}, where {expected} was the next")]
    EventOvertakes { aggregate: String, sequence: u64, expected: u64, place: Place },
    #[error("{aggregate}: event {sequence} at {place} has another {what} than its commit says")]
    EventDiffers { aggregate: String, sequence: u64, place: Place, what: &'static str },
    #[error("{aggregate}: event {sequence} at {place} is of no commit")]
    EventUnknown { aggregate: String, sequence: u64, place: Place },
    #[error("{aggregate}: has events in partition {first}, and at {place}")]
    EventsScattered { aggregate: String, first: u32, place: Place },

    // Refusals are outcomes too; and so is success: both follow from the state.
    #[error("{command}: {stored} at revision {revision}, where the rules say {expected}")]
    Unjustified { command: Named, revision: u64, stored: String, expected: String },

    // TIMEOUT is honest.
    #[error(
        "{command}: {records} sendings of it stand in the log, and only {possible} were not \
         answered as certainly not accepted"
    )]
    RefusedYetAccepted { command: Named, records: u64, possible: u64 },
    #[error(
        "{command}: call {call} was told that it is unknown, after revision {shown} had been \
         shown, and it stands at revision {revision}"
    )]
    FalselyUnknown { command: Named, call: u64, revision: u64, shown: u64 },
    #[error("{command}: call {call} was told that it is unknown, after call {earlier}: {told}")]
    UnknownAfter { command: Named, call: u64, earlier: u64, told: &'static str },

    // Never late.
    #[error("{command}: {stored} at a time that is past its deadline")]
    Late { command: Named, stored: String },
    #[error("{command}: EXPIRED without having passed a deadline")]
    ExpiredTooSoon { command: Named },

    // One bad command stops nobody.
    #[error("{command}: REJECTED with {code}, and there is no dead letter that says so")]
    LetterMissing { command: Named, code: String },
    #[error("the record at {place} of {topic} cannot be read, and has no dead letter")]
    UnreadableWithoutLetter { topic: Topic, place: Place },
    #[error("the record at {place} of {topic} cannot be read, and nobody planted it")]
    Unreadable { topic: Topic, place: Place },
    #[error("{command}: {stored}, decided from what is no command, at {place}")]
    PlantedDecided { command: Named, place: Place, stored: String },
    #[error(
        "partition {partition}: {found} commands were rejected for crashing, and {faults} faults \
         were made"
    )]
    CrashedWithoutFaults { partition: u32, found: u64, faults: u64 },
    #[error(
        "partition {partition}: {found} commands whose own rules end no process were rejected for \
         crashing, and {faults} faults were made that no rule was the cause of"
    )]
    InnocentCrashed { partition: u32, found: u64, faults: u64 },

    // Views never go back and never miss an event.
    #[error("view {view}: no row {key}, which follows from events up to sequence {sequence}")]
    RowMissing { view: String, key: String, sequence: u64 },
    #[error("view {view}: row {key}, of sequence {sequence}, follows from no event")]
    RowUnknown { view: String, key: String, sequence: u64 },
    #[error("view {view}: row {key} is {found} at {sequence}, and follows as {expected}")]
    RowDiffers { view: String, key: String, sequence: u64, found: String, expected: String },
    #[error("view {view}: session {session} saw row {key} at {before}, and then at {after}")]
    WentBack { view: String, key: String, session: u32, before: u64, after: u64 },
    #[error("view {view}: said to have reached {reached} and showed row {key} at {found}")]
    ReceiptNotReached { view: String, key: String, reached: u64, found: u64 },

    // Nothing else than the answers that there are.
    #[error("{what}: answered {status}, in a way that no answer may be")]
    Defect { what: String, status: u16 },

    // What keeps the run from proving anything.
    #[error("the history has an answer to call {call}, and not the call")]
    AnswerWithoutCall { call: u64 },
    #[error("the history has a second {what} of call {call}")]
    CallDoubled { call: u64, what: &'static str },
    #[error("{found} commands succeeded, and {wanted} were wanted")]
    TooFewSucceeded { found: u64, wanted: u64 },
    #[error("fault {name}: {met} of {planned} {what} were met")]
    FaultNotMet { name: String, what: &'static str, met: u64, planned: u64 },
}

impl Anomaly {
    /// Its kind, in kebab case, and the number of the promise that it breaks; none where it only
    /// keeps the run from proving anything, or is a defect beside all promises.
    #[must_use]
    pub const fn says(&self) -> (&'static str, Option<u8>) {
        match self {
            Self::Lost { .. } => ("lost", Some(1)),
            Self::AnswerWithoutCommit { .. } => ("answer-without-commit", Some(1)),
            Self::NotFound { .. } => ("not-found", Some(1)),
            Self::DecidedTwice { .. } => ("decided-twice", Some(2)),
            Self::SharedCause { .. } => ("shared-cause", Some(2)),
            Self::CauseMissing { .. } => ("cause-missing", Some(2)),
            Self::CauseDiffers { .. } => ("cause-differs", Some(2)),
            Self::AnswerDiffers { .. } => ("answer-differs", Some(2)),
            Self::BodiesDiffer { .. } => ("bodies-differ", Some(2)),
            Self::LookUpDiffers { .. } => ("look-up-differs", Some(2)),
            Self::NotMarkedAsRepeat { .. } => ("not-marked-as-repeat", Some(2)),
            Self::FalselyMarkedAsRepeat { .. } => ("falsely-marked-as-repeat", Some(2)),
            Self::TransferBroken { .. } => ("transfer-broken", Some(2)),
            Self::TotalDiffers { .. } => ("total-differs", Some(2)),
            Self::OtherCommandAnswered { .. } => ("other-command-answered", Some(3)),
            Self::FalselyReused { .. } => ("falsely-reused", Some(3)),
            Self::ReusedWithoutCommit { .. } => ("reused-without-commit", Some(3)),
            Self::RevisionMissing { .. } => ("revision-missing", Some(4)),
            Self::RevisionDoubled { .. } => ("revision-doubled", Some(4)),
            Self::SequenceBroken { .. } => ("sequence-broken", Some(4)),
            Self::TimeNotGrowing { .. } => ("time-not-growing", Some(4)),
            Self::OutOfTime { .. } => ("out-of-time", Some(4)),
            Self::StateDiffers { .. } => ("state-differs", Some(4)),
            Self::StateBehind { .. } => ("state-behind", Some(4)),
            Self::NoOrder { .. } => ("no-order", Some(4)),
            Self::EventMissing { .. } => ("event-missing", Some(4)),
            Self::EventOvertakes { .. } => ("event-overtakes", Some(4)),
            Self::EventDiffers { .. } => ("event-differs", Some(4)),
            Self::EventUnknown { .. } => ("event-unknown", Some(4)),
            Self::EventsScattered { .. } => ("events-scattered", Some(4)),
            Self::Unjustified { .. } => ("unjustified", Some(5)),
            Self::RefusedYetAccepted { .. } => ("refused-yet-accepted", Some(6)),
            Self::FalselyUnknown { .. } => ("falsely-unknown", Some(6)),
            Self::UnknownAfter { .. } => ("unknown-after", Some(6)),
            Self::Late { .. } => ("late", Some(7)),
            Self::ExpiredTooSoon { .. } => ("expired-too-soon", Some(7)),
            Self::LetterMissing { .. } => ("letter-missing", Some(9)),
            Self::UnreadableWithoutLetter { .. } => ("unreadable-without-letter", Some(9)),
            Self::Unreadable { .. } => ("unreadable", None),
            Self::PlantedDecided { .. } => ("planted-decided", Some(9)),
            Self::CrashedWithoutFaults { .. } => ("crashed-without-faults", Some(9)),
            Self::InnocentCrashed { .. } => ("innocent-crashed", Some(9)),
            Self::RowMissing { .. } => ("row-missing", Some(11)),
            Self::RowUnknown { .. } => ("row-unknown", Some(11)),
            Self::RowDiffers { .. } => ("row-differs", Some(11)),
            Self::WentBack { .. } => ("went-back", Some(11)),
            Self::ReceiptNotReached { .. } => ("receipt-not-reached", Some(11)),
            Self::Defect { .. } => ("defect", None),
            Self::AnswerWithoutCall { .. } => ("answer-without-call", None),
            Self::CallDoubled { .. } => ("call-doubled", None),
            Self::TooFewSucceeded { .. } => ("too-few-succeeded", None),
            Self::FaultNotMet { .. } => ("fault-not-met", None),
        }
    }

    /// Its kind, in kebab case.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.says().0
    }

    /// The number of the promise that it breaks.
    #[must_use]
    pub const fn promise(&self) -> Option<u8> {
        self.says().1
    }
}
