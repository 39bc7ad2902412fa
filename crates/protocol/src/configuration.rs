//! What a configuration of the model consists of.

use std::fmt::{self, Display};
use std::ops::RangeInclusive;

use crate::command::{Aggregate, Command, Sequence};
use crate::wrong::Wrong;

/// How often each fault may happen in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Faults {
    /// A worker loses its memory; what it has sent may still land.
    pub crashes: u8,
    /// A partition is assigned to the other worker, and the one before goes on.
    pub moves: u8,
    /// The answer to an insert is lost; what it had left may still land.
    pub lost_answers: u8,
    /// The store elects another primary and drops what is not durable.
    pub step_downs: u8,
    /// The deadline passes.
    pub deadlines: u8,
    /// A projector loses its memory.
    pub projector_crashes: u8,
    /// The event log is assigned to the other projector, and the one before goes on.
    pub projector_moves: u8,
}

impl Faults {
    /// No fault at all.
    pub const NONE: Self = Self {
        crashes: 0,
        moves: 0,
        lost_answers: 0,
        step_downs: 0,
        deadlines: 0,
        projector_crashes: 0,
        projector_moves: 0,
    };
}

impl Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            ("crashes", self.crashes),
            ("moves", self.moves),
            ("lost answers", self.lost_answers),
            ("step-downs", self.step_downs),
            ("deadlines", self.deadlines),
            ("projector crashes", self.projector_crashes),
            ("projector moves", self.projector_moves),
        ];
        let possible = counts.iter().filter(|(_, count)| *count > 0);
        let words: Vec<_> = possible.map(|(name, count)| format!("{name} {count}")).collect();
        f.write_str(if words.is_empty() { "no faults" } else { "" })?;
        f.write_str(&words.join(", "))
    }
}

/// Where a run starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// Nothing is handled.
    Fresh,
    /// The workers are done with all commands; only the follower has work. The event log of
    /// aggregate 0 holds these sequences, repeats included, and may lack some that retention took.
    Handled {
        /// The sequences on the event log.
        events: Vec<Sequence>,
    },
}

/// Which of the promises a configuration can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shows {
    /// All promises about commits, answers and the event log.
    pub workers: bool,
    /// The promises about views.
    pub views: bool,
}

/// One configuration of the model: which commands there are, which features take part, and how
/// often each fault may strike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in a sentence.
    pub purpose: &'static str,
    /// The command log: per partition its records.
    pub requests: Vec<Vec<Command>>,
    /// How many records a batch may have; the end of the log may leave fewer.
    pub batch: RangeInclusive<u8>,
    /// The faults.
    pub faults: Faults,
    /// Where it starts.
    pub start: Start,
    /// Workers write down how far an aggregate is published, or do not, at every batch.
    pub published_saved: bool,
    /// Clients look outcomes up at any time.
    pub look_ups: bool,
    /// A follower folds the events of aggregate 0.
    pub follower: bool,
    /// What it shows.
    pub shows: Shows,
    /// What must be met on the way, or the configuration shows less than it says: names of
    /// `sometimes` properties.
    pub meets: Vec<&'static str>,
    /// The rule that is not followed; none is the protocol.
    pub wrong: Option<Wrong>,
}

impl Configuration {
    /// The same configuration with one rule broken.
    #[must_use]
    pub fn with(mut self, wrong: Wrong) -> Self {
        self.wrong = Some(wrong);
        self
    }

    /// The same configuration with other faults.
    #[must_use]
    pub fn under(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// The bounds in a line: records per partition, batch sizes and faults.
    pub fn bounds(&self) -> String {
        let records: Vec<_> = self.requests.iter().map(|log| log.len().to_string()).collect();
        let (from, to) = (self.batch.start(), self.batch.end());
        let records = records.join(" + ");
        format!("{records} records, batches of {from} to {to}, {}", self.faults)
    }

    /// How many aggregates its commands speak of.
    pub fn aggregates(&self) -> Aggregate {
        let highest = self.requests.iter().flatten().map(|command| command.aggregate).max();
        highest.map_or(1, |highest| highest + 1)
    }
}
