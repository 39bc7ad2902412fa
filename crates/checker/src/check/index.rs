//! Finds what belongs together: the commit of a command, the record at a place, an aggregate's
//! commits and events in its own order.

use foldhash::{HashMap, HashSet};

use crate::evidence::Topic;
use crate::findings::Findings;
use crate::names::number;
use crate::tables::{Commit, Happened, NONE, Record, Tables};
use crate::{Anomaly, Place};

/// What belongs together.
#[derive(Debug)]
pub(super) struct Index {
    /// All commits by aggregate and revision.
    pub(super) order: Vec<u32>,
    /// The commit of each command, the one of the lowest revision.
    commit_of: Vec<u32>,
    record_at: HashMap<Place, u32>,
    /// Where records of the requests stand that cannot be read.
    unreadable: HashSet<Place>,
    /// All events, by aggregate, in the order of the commits.
    events: Vec<u32>,
    /// Of each aggregate: where its events begin there, and how many they are.
    events_of: Vec<(u32, u32)>,
}

impl Index {
    pub(super) fn of(tables: &Tables, found: &mut Findings) -> Self {
        let keys = tables.commits.iter().enumerate().map(|(place, commit)| {
            (tables.aggregate_of(commit), commit.revision, commit.operation, number(place))
        });
        // Sorted with their keys, which is several times faster than by looking them up.
        let mut keys: Vec<(u32, u64, u32, u32)> = keys.collect();
        keys.sort_unstable();
        let order: Vec<u32> = keys.into_iter().map(|(.., commit)| commit).collect();
        let records = tables.records.iter().enumerate();
        let record_at = records.map(|(index, record)| (record.place, number(index))).collect();
        let commit_of = commit_of(tables, &order, found);
        let (events, events_of) = events(tables, &order);
        let unreadable = tables.unreadable.iter().filter(|(topic, _)| *topic == Topic::Requests);
        let unreadable = unreadable.map(|(_, place)| *place).collect();
        Self { order, commit_of, record_at, unreadable, events, events_of }
    }

    /// The commit of a command.
    pub(super) fn commit<'t>(&self, tables: &'t Tables, operation: u32) -> Option<&'t Commit> {
        tables.commits.get(self.commit_of[operation as usize] as usize)
    }

    /// The record of the requests at a place.
    pub(super) fn record<'t>(&self, tables: &'t Tables, place: Place) -> Option<&'t Record> {
        self.record_at.get(&place).and_then(|record| tables.records.get(*record as usize))
    }

    /// Whether a record of the requests that cannot be read stands at a place.
    pub(super) fn is_unreadable(&self, place: Place) -> bool {
        self.unreadable.contains(&place)
    }

    /// The commits of one aggregate after the other, each in the order of revisions.
    pub(super) fn lines<'i>(&'i self, tables: &'i Tables) -> impl Iterator<Item = &'i [u32]> {
        let aggregate = |commit: &u32| tables.aggregate_of(&tables.commits[*commit as usize]);
        self.order.chunk_by(move |one, next| aggregate(one) == aggregate(next))
    }

    /// An aggregate's events, in the order of the commits.
    pub(super) fn events<'i>(
        &'i self,
        tables: &'i Tables,
        aggregate: u32,
    ) -> impl DoubleEndedIterator<Item = &'i Happened> + ExactSizeIterator {
        let (first, count) = self.events_of[aggregate as usize];
        let events = &self.events[first as usize..(first + count) as usize];
        events.iter().map(|event| &tables.happened[*event as usize])
    }

    /// The last revision before an aggregate's first event; beyond all where it has none.
    pub(super) fn eventless(&self, tables: &Tables, aggregate: u32) -> u64 {
        let first = self.event(tables, aggregate, 1);
        let commit = first.and_then(|(_, event)| self.commit_of_event(tables, event));
        commit.map_or(u64::MAX, |commit| commit.revision.saturating_sub(1))
    }

    /// How many events an aggregate has.
    pub(super) fn event_count(&self, aggregate: u32) -> u64 {
        u64::from(self.events_of[aggregate as usize].1)
    }

    /// The commit that an event belongs to. Events were taken in with their commits, in one order.
    pub(super) fn commit_of_event<'t>(&self, tables: &'t Tables, event: u32) -> Option<&'t Commit> {
        let is_before = |commit: &Commit| commit.events.0 + commit.events.1 <= event;
        tables.commits.get(tables.commits.partition_point(is_before))
    }

    /// An aggregate's event by its place in the line, the first is 1.
    pub(super) fn event<'t>(
        &self,
        tables: &'t Tables,
        aggregate: u32,
        sequence: u64,
    ) -> Option<(&'t Happened, u32)> {
        let (first, count) = self.events_of[aggregate as usize];
        let place = u32::try_from(sequence).ok()?.checked_sub(1).filter(|place| *place < count)?;
        let event = self.events[(first + place) as usize];
        Some((&tables.happened[event as usize], event))
    }
}

fn commit_of(tables: &Tables, order: &[u32], found: &mut Findings) -> Vec<u32> {
    let mut commit_of = vec![NONE; tables.operations.len()];
    for index in order {
        let commit = &tables.commits[*index as usize];
        let known = &mut commit_of[commit.operation as usize];
        if *known == NONE {
            *known = *index;
        } else {
            let first = tables.commits[*known as usize].revision;
            let command = tables.named(commit.operation);
            found.add(Anomaly::DecidedTwice { command, first, second: commit.revision });
        }
    }
    commit_of
}

fn events(tables: &Tables, order: &[u32]) -> (Vec<u32>, Vec<(u32, u32)>) {
    let mut events = Vec::with_capacity(tables.happened.len());
    let mut events_of = vec![(0, 0); tables.aggregates.len()];
    for commit in order {
        let commit = &tables.commits[*commit as usize];
        let (first, count) = commit.events;
        let of = &mut events_of[tables.aggregate_of(commit) as usize];
        if of.1 == 0 {
            of.0 = number(events.len());
        }
        of.1 += count;
        events.extend(first..first + count);
    }
    (events, events_of)
}
