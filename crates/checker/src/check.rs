//! The checker: takes in a history and what is read back, and then decides.

mod accepted;
mod answers;
mod crashed;
mod demands;
mod index;
mod letters;
mod line;
mod published;
mod reads;
mod rows;
mod searched;
mod totals;
mod unknown;
mod windows;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::evidence::Item;
use crate::findings::Findings;
use crate::history::Line;
use crate::tables::Tables;
use crate::{Anomaly, Outcome};
use index::Index;
pub(crate) use line::RULE_CRASHED;

/// What a run has to show beside being free of anomalies, and how much is told of those.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demands {
    /// At least so many commands succeeded.
    pub successes_min: u64,
    /// An order is searched of the commands of aggregates that have no more than so many.
    pub searched_commands_max: usize,
    /// Of each kind of anomaly at most so many are kept; all are counted.
    pub kept_max: usize,
}

impl Default for Demands {
    fn default() -> Self {
        Self { successes_min: 1, searched_commands_max: 20, kept_max: 20 }
    }
}

/// Takes in what a run left behind, in memory, some hundreds of bytes a command.
#[derive(Debug)]
pub struct Checker {
    demands: Demands,
    tables: Tables,
    found: Findings,
}

/// What the checker says of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What there was.
    pub totals: Totals,
    /// How many anomalies there are of each kind.
    pub counts: BTreeMap<&'static str, u64>,
    /// The first anomalies of each kind.
    pub anomalies: Vec<Anomaly>,
}

impl Report {
    /// Whether nothing was found that must not be.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.counts.is_empty()
    }
}

/// What there was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Totals {
    /// Aggregates that anything was known of.
    pub aggregates: u64,
    /// Commands: pairs of aggregate and request id that anything was known of.
    pub commands: u64,
    /// Calls of clients.
    pub calls: u64,
    /// Answers to them with an outcome.
    pub told: u64,
    /// Records of requests that can be read.
    pub requests: u64,
    /// Commits with the outcome SUCCESS.
    pub successes: u64,
    /// Commits with the outcome FAIL.
    pub fails: u64,
    /// Commits with the outcome EXPIRED.
    pub expired: u64,
    /// Commits with the outcome REJECTED.
    pub rejected: u64,
    /// Events of commits.
    pub events: u64,
    /// Records of events, repeats included.
    pub published: u64,
    /// Rows of views.
    pub rows: u64,
}

impl Checker {
    /// A checker that has seen nothing.
    #[must_use]
    pub fn new(demands: Demands) -> Self {
        Self { demands, tables: Tables::default(), found: Findings::new(demands.kept_max) }
    }

    /// Takes a line of the history, in the order in which they were written.
    pub fn take_line(&mut self, line: Line) {
        self.tables.take_line(line, &mut self.found);
    }

    /// Takes a piece of evidence. Their order does not matter.
    pub fn take_item(&mut self, item: Item) {
        self.tables.take_item(item);
    }

    /// Decides.
    #[must_use]
    pub fn finish(self) -> Report {
        let Self { demands, mut tables, mut found } = self;
        tables.set_planted_apart();
        let index = Index::of(&tables, &mut found);
        accepted::check(&tables, &index, &mut found);
        let states = line::check(&tables, &index, &mut found);
        answers::check(&tables, &index, &mut found);
        windows::check(&tables, &index, &mut found);
        unknown::check(&tables, &mut found);
        searched::check(&tables, &demands, &mut found);
        published::check(&tables, &index, &mut found);
        rows::check(&tables, (&index, &states), &mut found);
        reads::check(&tables, &index, &mut found);
        letters::check(&tables, &mut found);
        crashed::check(&tables, &index, &mut found);
        totals::check(&tables, &index, &mut found);
        let totals = count(&tables);
        demands::check(&tables, (&demands, &totals), &mut found);
        let (counts, anomalies) = found.into_parts();
        Report { totals, counts, anomalies }
    }
}

fn count(tables: &Tables) -> Totals {
    let told = tables.calls.iter().filter(|call| call.meaning.document().is_some());
    let mut totals = Totals {
        aggregates: tables.aggregates.len() as u64,
        commands: tables.operations.len() as u64,
        calls: tables.calls.len() as u64,
        told: told.count() as u64,
        requests: tables.records.len() as u64,
        events: tables.happened.len() as u64,
        published: tables.published.len() as u64,
        rows: tables.rows.len() as u64,
        ..Totals::default()
    };
    for commit in &tables.commits {
        *match tables.outcome(commit.verdict) {
            Outcome::Success => &mut totals.successes,
            Outcome::Fail => &mut totals.fails,
            Outcome::Expired => &mut totals.expired,
            Outcome::Rejected => &mut totals.rejected,
        } += 1;
    }
    totals
}
