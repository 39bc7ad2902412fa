//! The commits of each aggregate form one line, and each outcome follows from the state before it.

use super::Index;
use crate::findings::Findings;
use crate::reference::{Command, Kind, Refusal, SEQUENCE_MISMATCH, State};
use crate::tables::{Asked, Commit, StateRead, Tables};
use crate::{Anomaly, Outcome};

/// The one rejection that may meet a command with which nothing is wrong: one whose decision
/// coincided with that many crashes of another cause.
pub(crate) const RULE_CRASHED: &str = "RULE_CRASHED";

/// How far the line of an aggregate has been followed.
struct Head {
    revision: u64,
    sequence: u64,
    time: i64,
    state: State,
}

/// Checks every line, and gives the state in which each aggregate was left.
pub(super) fn check(tables: &Tables, index: &Index, found: &mut Findings) -> Vec<State> {
    let mut states = vec![State::Nothing; tables.aggregates.len()];
    // Where nothing was found, nothing was shown.
    let shown = tables.state_reads.iter().filter(|read| read.revision > 0);
    let mut reads: Vec<&StateRead> = shown.collect();
    reads.sort_by_key(|read| (read.aggregate, read.revision));
    for line in index.lines(tables) {
        let Some(first) = line.first() else { continue };
        let aggregate = tables.aggregate_of(&tables.commits[*first as usize]);
        let begin = reads.partition_point(|read| read.aggregate < aggregate);
        let end = reads.partition_point(|read| read.aggregate <= aggregate);
        let follow = Follow { tables, index, aggregate, reads: &reads[begin..end] };
        states[aggregate as usize] = follow.line(line, found);
    }
    for read in reads.iter().filter(|read| !has_commits(tables, index, read)) {
        found.add(differs(tables, read));
    }
    states
}

fn has_commits(tables: &Tables, index: &Index, read: &StateRead) -> bool {
    let aggregate = |commit: &u32| tables.aggregate_of(&tables.commits[*commit as usize]);
    index.order.binary_search_by_key(&read.aggregate, aggregate).is_ok()
}

fn differs(tables: &Tables, read: &StateRead) -> Anomaly {
    Anomaly::StateDiffers { aggregate: tables.aggregate(read.aggregate), revision: read.revision }
}

/// Follows the line of one aggregate.
struct Follow<'a> {
    tables: &'a Tables,
    index: &'a Index,
    aggregate: u32,
    /// What readers were shown of it, by revision.
    reads: &'a [&'a StateRead],
}

impl Follow<'_> {
    fn line(&self, line: &[u32], found: &mut Findings) -> State {
        let mut head = Head { revision: 0, sequence: 0, time: i64::MIN, state: State::Nothing };
        let mut reads = self.reads.iter();
        let mut before: Option<&Commit> = None;
        for commit in line {
            let commit = &self.tables.commits[*commit as usize];
            self.place(&head, (before, commit), found);
            if let Some(anomaly) = self.outcome(&head, commit) {
                found.add(anomaly);
            }
            self.push(&mut head, commit, found);
            while let Some(read) = reads.as_slice().first().filter(|r| r.revision <= head.revision)
            {
                reads.next();
                if !is_shown(&head, read) {
                    found.add(differs(self.tables, read));
                }
            }
            before = Some(commit);
        }
        reads.for_each(|read| found.add(differs(self.tables, read)));
        head.state
    }

    /// Whether the commit stands where it says.
    fn place(
        &self,
        head: &Head,
        (before, commit): (Option<&Commit>, &Commit),
        found: &mut Findings,
    ) {
        let tables = self.tables;
        let request =
            |commit: &Commit| tables.request(tables.operations[commit.operation as usize].request);
        let aggregate = || tables.aggregate(self.aggregate);
        let revision = commit.revision;
        if let Some(before) = before.filter(|before| before.revision == revision) {
            let (first, second) = (request(before), request(commit));
            let aggregate = aggregate();
            found.add(Anomaly::RevisionDoubled { aggregate, revision, first, second });
        } else if revision != head.revision + 1 {
            let (aggregate, request) = (aggregate(), request(commit));
            let revision = head.revision + 1;
            found.add(Anomaly::RevisionMissing { aggregate, revision, request });
        }
        let mut last = head.time;
        let events = tables.happened_of(commit);
        let times = std::iter::once(commit.time).chain(events.iter().skip(1).map(|e| e.time));
        let grows = times.into_iter().all(|time| std::mem::replace(&mut last, time) < time);
        if !grows || events.first().is_some_and(|event| event.time < commit.time) {
            let command = tables.named(commit.operation);
            found.add(Anomaly::TimeNotGrowing { command, revision });
        }
    }

    /// Whether the outcome follows from the state before.
    fn outcome(&self, head: &Head, commit: &Commit) -> Option<Anomaly> {
        let tables = self.tables;
        let (outcome, code) = tables.verdicts.value(commit.verdict).as_ref();
        let record = self.index.record(tables, commit.source);
        let record = record.filter(|record| record.operation == commit.operation)?;
        let asked = tables.asked.value(record.asked).as_ref();
        let command = || tables.named(commit.operation);
        let is_past = asked.deadline.is_some_and(|deadline| deadline < commit.time);
        match outcome {
            Outcome::Expired if !is_past => {
                return Some(Anomaly::ExpiredTooSoon { command: command() });
            }
            Outcome::Rejected if code.as_deref() == Some(RULE_CRASHED) => return None,
            // A time right behind the one before may be ahead of the clock, and proves nothing.
            Outcome::Success | Outcome::Fail
                if is_past && commit.time > head.time.saturating_add(1) =>
            {
                let stored = tables.verdict(commit.verdict);
                return Some(Anomaly::Late { command: command(), stored });
            }
            _ => {}
        }
        let expected = self.unlike(head, commit, asked)?;
        let mut stored = tables.verdict(commit.verdict);
        let events = tables.happened_of(commit);
        if !events.is_empty() {
            let events: Vec<_> = events.iter().map(|e| tables.events.value(e.event)).collect();
            stored = format!("{stored} with {events:?}");
        }
        let revision = commit.revision;
        Some(Anomaly::Unjustified { command: command(), revision, stored, expected })
    }

    /// What the rules say, where it is not what is stored.
    fn unlike(&self, head: &Head, commit: &Commit, asked: &Asked) -> Option<String> {
        let tables = self.tables;
        let (outcome, code) = tables.verdicts.value(commit.verdict).as_ref();
        let events = tables.happened_of(commit);
        if *outcome != Outcome::Success && !events.is_empty() {
            return Some(format!("{outcome} without events"));
        }
        if *outcome == Outcome::Expired {
            return None;
        }
        let is_unreadable = matches!(asked.command, Command::Other(..));
        if is_unreadable && tables.kind(self.aggregate) != Kind::Other {
            return (*outcome != Outcome::Rejected).then(|| "REJECTED".to_owned());
        }
        let is_mismatch = asked.expected_sequence.is_some_and(|wanted| wanted != head.sequence);
        let decision = if is_mismatch && (!is_unreadable || *outcome != Outcome::Rejected) {
            Err(Refusal::by_rule(SEQUENCE_MISMATCH))
        } else {
            head.state.decide(&asked.command)?
        };
        match decision {
            Err(Refusal { outcome: why, code: because }) => {
                let is_it = *outcome == why && code.as_deref() == Some(because);
                (!is_it).then(|| format!("{why} {because}"))
            }
            Ok(decided) => {
                let events = events.iter().map(|event| tables.events.value(event.event).as_ref());
                let is_it = *outcome == Outcome::Success && events.eq(&decided);
                (!is_it).then(|| format!("SUCCESS with {decided:?}"))
            }
        }
    }

    fn push(&self, head: &mut Head, commit: &Commit, found: &mut Findings) {
        let events = self.tables.happened_of(commit);
        let follow = head.sequence + 1..;
        let broken = events.iter().zip(follow).find(|(event, next)| event.sequence != *next);
        let end = head.sequence + events.len() as u64;
        let broken = broken
            .map(|(event, expected)| (event.sequence, expected))
            .or((commit.sequence != end).then_some((commit.sequence, end)));
        if let Some((found_at, expected)) = broken {
            let command = self.tables.named(commit.operation);
            let revision = commit.revision;
            let anomaly = Anomaly::SequenceBroken { command, revision, expected, found: found_at };
            found.add(anomaly);
        }
        for event in events {
            // What cannot happen was not justified either, which is told of its command.
            let _ = head.state.apply(self.tables.events.value(event.event));
        }
        head.revision = commit.revision;
        head.sequence = commit.sequence;
        head.time = events.last().map_or(commit.time, |event| event.time).max(commit.time);
    }
}

/// Whether a reader was shown what the commits give at this revision.
fn is_shown(head: &Head, read: &StateRead) -> bool {
    let is_like = match &read.state {
        Some(state) => *state == head.state,
        // No model: nothing to compare with.
        None => head.state == State::Nothing,
    };
    read.revision == head.revision && read.sequence == head.sequence && is_like
}
