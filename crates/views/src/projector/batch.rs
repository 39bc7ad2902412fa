//! A batch of records, sorted by aggregate. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};
use ordain_model::{AggregateKey, Code, Commit, Timestamp, TraceContext, Unprocessable};
use ordain_ports::{Content, Damaged, DeadLetter, LetterId, Position, Published, Record};

use super::rows::Touched;
use crate::View;

const TOPIC: &str = "finalevents";

/// A record that is not an event.
const DAMAGED: Code = Code::new("DAMAGED");
/// An event before this one is nowhere.
const EVENTS_MISSING: Code = Code::new("EVENTS_MISSING");

/// A batch of records, sorted by aggregate.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) pending: Vec<Pending>,
    pub(super) letters: Vec<DeadLetter>,
    /// When work on it began.
    pub(super) begun: Timestamp,
    first: u64,
    end: u64,
    blocked: Option<Blocked>,
}

/// Why a lane cannot go on, and where.
#[derive(Debug)]
pub(super) struct Blocked {
    pub(super) position: Position,
    pub(super) why: Unprocessable,
}

impl Batch {
    /// Sorts records. What does not concern the view is passed over.
    pub(super) fn of(view: &dyn View, now: Timestamp, records: Vec<Record<Published>>) -> Self {
        let mut batch = Self { begun: now, ..Self::default() };
        let mut places = HashMap::new();
        batch.first = records.first().map_or(0, |record| record.position.offset);
        for Record { position, content, .. } in records {
            batch.end = position.offset + 1;
            let (aggregate, wanted) = match content {
                Content::Whole(event) => (event.aggregate.clone(), Wanted::Event(event)),
                Content::Damaged(damaged) => {
                    let named = damaged.named.as_ref().map(|(aggregate, _)| aggregate.clone());
                    batch.letters.push(damaged_letter(position, damaged, now));
                    let Some(aggregate) = named else { continue };
                    (aggregate, Wanted::Rest)
                }
            };
            if view.follows().contains(&aggregate.aggregate_type()) {
                let place = *places.entry(aggregate.clone()).or_insert_with(|| {
                    batch.pending.push(Pending::of(aggregate));
                    batch.pending.len() - 1
                });
                if let Some(pending) = batch.pending.get_mut(place) {
                    pending.entries.push_back(Entry { position, wanted });
                }
            }
        }
        batch
    }

    /// What the commits of these aggregates, which have come to these sequences, hold. Their
    /// records are gone; this is where the first of those stood.
    pub(super) fn of_gone(
        view: &dyn View,
        now: Timestamp,
        position: Position,
        aggregates: impl Iterator<Item = (AggregateKey, u64)>,
    ) -> Self {
        let followed = |key: &AggregateKey| view.follows().contains(&key.aggregate_type());
        let pending = aggregates.filter(|(key, _)| followed(key)).map(|(aggregate, sequence)| {
            let entry = Entry { position, wanted: Wanted::UpTo(sequence) };
            Pending { aggregate, place: None, entries: VecDeque::from([entry]) }
        });
        let (first, end) = (position.offset, position.offset);
        Self { pending: pending.collect(), begun: now, first, end, ..Self::default() }
    }

    /// The lane cannot go on behind this place. Of several, the first counts.
    pub(super) fn block(&mut self, blocked: Blocked) {
        let offset = self.blocked.as_ref().map(|blocked| blocked.position.offset);
        if offset.is_none_or(|offset| blocked.position.offset < offset) {
            self.blocked = Some(blocked);
        }
    }

    /// Whether nothing in it concerns the view.
    pub(super) fn passes_over(&self) -> bool {
        self.pending.is_empty() && self.letters.is_empty()
    }

    /// Up to where all is done once every aggregate is, if that is further than before; and why
    /// it is not the end of the batch.
    pub(super) fn done(self) -> (Option<u64>, Option<Blocked>) {
        let end = self.blocked.as_ref().map_or(self.end, |blocked| blocked.position.offset);
        ((end > self.first).then_some(end), self.blocked)
    }
}

/// The records of one aggregate that are not folded yet, and up to where it is folded.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) aggregate: AggregateKey,
    /// `None`: not known, to be loaded.
    pub(super) place: Option<Place>,
    entries: VecDeque<Entry>,
}

/// Up to where an aggregate is folded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The mark as it is stored.
    pub(super) mark: Option<u64>,
    /// Whether events are known to be missing behind it, which was reported.
    pub(super) stopped: bool,
}

#[derive(Debug)]
struct Entry {
    position: Position,
    wanted: Wanted,
}

/// What is to be folded next.
#[derive(Debug)]
enum Wanted {
    /// This event.
    Event(Published),
    /// All events up to this sequence, from the commits.
    UpTo(u64),
    /// Whatever events the commits have.
    Rest,
}

/// What comes next for an aggregate.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing any more.
    Nothing,
    /// Its mark has to be loaded.
    Mark,
    /// Events that follow on the mark.
    Run,
    /// Events behind this sequence have to be read from the commits.
    Gap(u64),
}

/// A run of events of one aggregate, on its way into the rows.
#[derive(Debug)]
pub(super) struct Step {
    /// Which of the batch's aggregates.
    pub(super) pending: usize,
    /// Where the first of its records stands.
    pub(super) position: Position,
    /// The mark that it builds on.
    pub(super) expected: Option<u64>,
    /// The sequence that it leads to.
    pub(super) sequence: u64,
    /// When the last of its events happened.
    pub(super) time: Timestamp,
    /// The traces of its events.
    pub(super) traces: Vec<TraceContext>,
    /// What it does.
    pub(super) touched: Touched,
    /// Whether a condition did not hold when it was written, or nobody knows.
    pub(super) refused: bool,
}

impl Pending {
    fn of(aggregate: AggregateKey) -> Self {
        Self { aggregate, place: None, entries: VecDeque::new() }
    }

    /// Drops what is folded already, which it counts, and says what comes next.
    pub(super) fn next(&mut self, repeats: &mut u64) -> Next {
        let Some(place) = self.place else {
            return if self.entries.is_empty() { Next::Nothing } else { Next::Mark };
        };
        let mark = place.mark.unwrap_or(0);
        loop {
            let Some(front) = self.entries.front() else {
                return Next::Nothing;
            };
            match &front.wanted {
                Wanted::Event(event) if event.event.sequence <= mark => {
                    self.entries.pop_front();
                    *repeats += 1;
                }
                Wanted::UpTo(sequence) if *sequence <= mark => {
                    self.entries.pop_front();
                }
                Wanted::Event(event) if event.event.sequence == mark + 1 => return Next::Run,
                Wanted::Event(_) | Wanted::UpTo(_) | Wanted::Rest => return Next::Gap(mark),
            }
        }
    }

    /// Puts what the commits have behind the mark in front of what waits, and says how many
    /// events that are; `None`: they lack the next one.
    pub(super) fn fill(&mut self, commits: &[Arc<Commit>]) -> Option<usize> {
        let mark = self.place?.mark.unwrap_or(0);
        let front = self.entries.front()?;
        let position = front.position;
        if commits.is_empty() && matches!(front.wanted, Wanted::Rest) {
            self.entries.pop_front();
            return Some(0);
        }
        let events = commits.iter().flat_map(|commit| {
            commit.events.iter().map(|event| Published {
                aggregate: commit.aggregate.clone(),
                request: commit.request.clone(),
                event: event.clone(),
                trace: commit.trace,
            })
        });
        let behind = events.filter(|event| event.event.sequence > mark);
        let run: Vec<_> = behind
            .zip(mark + 1..)
            .take_while(|(event, sequence)| event.event.sequence == *sequence)
            .map(|(event, _)| Entry { position, wanted: Wanted::Event(event) })
            .collect();
        let filled = run.len();
        for entry in run.into_iter().rev() {
            self.entries.push_front(entry);
        }
        (filled > 0).then_some(filled)
    }

    /// Gives up on what waits, because events before it are missing. The first time, that makes
    /// a dead letter.
    pub(super) fn stop(&mut self, now: Timestamp) -> Option<DeadLetter> {
        let place = self.place.as_mut()?;
        let mark = place.mark.unwrap_or(0);
        let reported = std::mem::replace(&mut place.stopped, true);
        let first = self.entries.pop_front();
        self.entries.clear();
        let Entry { position, wanted } = first.filter(|_| !reported)?;
        let event = match wanted {
            Wanted::Event(event) => Some(event),
            Wanted::UpTo(_) | Wanted::Rest => None,
        };
        let next = mark + 1;
        let why = format!("event {next} of {} is in neither log nor commits", self.aggregate);
        let request = event.as_ref().map(|event| event.request.clone());
        Some(DeadLetter {
            id: LetterId::new(TOPIC, position),
            named: request.map(|request| (self.aggregate.clone(), request)),
            command: None,
            code: EVENTS_MISSING,
            why,
            data: event
                .map(|event| String::from(event.event.data).into_bytes())
                .unwrap_or_default(),
            time: now,
            retries: Vec::new(),
        })
    }

    /// Takes the events that follow on the mark, until they make so many changes. Where the view
    /// cannot read one, the run ends before it, and so does all that waits.
    pub(super) fn take(
        &mut self,
        index: usize,
        view: &dyn View,
        changes_max: usize,
    ) -> (Option<Step>, Option<Blocked>) {
        let (Some(place), Some(front)) = (self.place, self.entries.front()) else {
            return (None, None);
        };
        let mut step = Step {
            pending: index,
            position: front.position,
            expected: place.mark,
            sequence: place.mark.unwrap_or(0),
            time: Timestamp::default(),
            traces: Vec::new(),
            touched: Touched::default(),
            refused: false,
        };
        let mut blocked = None;
        while let Some(Entry { wanted: Wanted::Event(event), position }) = self.entries.front()
            && event.event.sequence == step.sequence + 1
            && step.touched.count() < changes_max
        {
            if let Err(why) = step.touched.add(view, event) {
                blocked = Some(Blocked { position: *position, why });
                self.entries.clear();
                break;
            }
            (step.sequence, step.time) = (event.event.sequence, event.event.time);
            step.traces.extend(event.trace);
            self.entries.pop_front();
        }
        let moved = step.sequence > step.expected.unwrap_or(0);
        (moved.then_some(step), blocked)
    }

    /// The mark has been written.
    pub(super) fn reached(&mut self, sequence: u64) {
        self.place = Some(Place { mark: Some(sequence), stopped: false });
    }

    /// Another projector wrote, or nobody knows what was written: nothing that is remembered of
    /// this aggregate holds, and what this step took has to be read from the commits.
    pub(super) fn forget(&mut self, step: &Step) {
        self.place = None;
        self.entries
            .push_front(Entry { position: step.position, wanted: Wanted::UpTo(step.sequence) });
    }

    /// Gives up on what waits, because the lane stops.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }
}

fn damaged_letter(position: Position, damaged: Damaged, now: Timestamp) -> DeadLetter {
    DeadLetter {
        id: LetterId::new(TOPIC, position),
        named: damaged.named,
        command: None,
        code: DAMAGED,
        why: damaged.why,
        data: damaged.bytes,
        time: now,
        retries: Vec::new(),
    }
}
