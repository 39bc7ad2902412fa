//! The store: commits under two unique keys, made durable one by one, and rolled back by a
//! step-down as long as they are not.

use std::ops::RangeInclusive;

use crate::command::{
    Aggregate, Body, Command, Offset, Outcome, Partition, Request, Revision, Sequence, decide,
};
use crate::state::{Answer, Event, Verdict};
use crate::wrong::Wrong;

/// The one document that makes a decision true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Commit {
    /// The aggregate; with the request it is the first unique key, with the revision the second.
    pub aggregate: Aggregate,
    /// The request that was decided.
    pub request: Request,
    /// What it asked for, which stands for the fingerprint.
    pub body: Body,
    /// Its number in the line of the aggregate.
    pub revision: Revision,
    /// What became of the command.
    pub outcome: Outcome,
    /// The sequence that the aggregate has reached with this commit.
    pub sequence: Sequence,
    /// The record of the command log that it was decided from.
    pub source: (Partition, Offset),
    /// Only for the properties: it was sent when the deadline had already passed.
    pub sent_late: bool,
    /// Only for the properties: it was stored after its sender had given the insert up.
    pub landed_late: bool,
}

impl Commit {
    /// The commit of `command` as the rules decide it on top of that revision and sequence.
    pub fn on(
        revision: Revision,
        sequence: Sequence,
        command: Command,
        source: (Partition, Offset),
    ) -> Self {
        let outcome = decide(command.body, sequence);
        Self {
            aggregate: command.aggregate,
            request: command.request,
            body: command.body,
            revision: revision + 1,
            outcome,
            sequence: sequence + outcome.events(),
            source,
            sent_late: false,
            landed_late: false,
        }
    }

    /// Whether the commit is what `command` is named by: aggregate and request id.
    pub fn is_of(&self, aggregate: Aggregate, request: Request) -> bool {
        self.aggregate == aggregate && self.request == request
    }

    /// The answer to a command that asked for `body` under the request id of this commit.
    pub fn answer_to(&self, body: Body, wrong: Option<Wrong>) -> Answer {
        let same = self.body == body || wrong == Some(Wrong::FingerprintIgnored);
        let verdict =
            if same { Verdict::Decided(self.outcome, self.revision) } else { Verdict::KeyReused };
        Answer { aggregate: self.aggregate, request: self.request, body, verdict }
    }
}

/// One ordered insert on its way to the store, or in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Insert {
    /// What is to be stored, in this order.
    pub documents: Vec<Commit>,
    /// How many documents of it are stored. A failed insert leaves this prefix.
    pub stored: usize,
    /// Why the next document was refused, which ends the insert.
    pub refused: Option<Refusal>,
}

impl Insert {
    /// An insert that the store has not begun.
    pub fn of(documents: Vec<Commit>) -> Self {
        Self { documents, stored: 0, refused: None }
    }

    /// Nothing of it will be stored any more.
    pub fn is_over(&self) -> bool {
        self.refused.is_some() || self.stored == self.documents.len()
    }

    /// The documents that are stored.
    pub fn prefix(&self) -> &[Commit] {
        &self.documents[..self.stored]
    }
}

/// Which unique key refused a document, and which commit holds that key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Refusal {
    /// The key.
    pub key: UniqueKey,
    /// The aggregate and request of the commit that was there before.
    pub holder: (Aggregate, Request),
}

/// The two unique keys of the commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UniqueKey {
    /// (aggregate, request): the command is a repeat.
    Request,
    /// (aggregate, revision): someone else was faster.
    Revision,
}

/// The commits of all aggregates, in the order in which the primary took them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Store {
    /// All that the primary shows; only the first `durable` of them are there to stay.
    pub commits: Vec<Commit>,
    /// How many commits a majority has.
    pub durable: usize,
    /// Inserts whose sender has crashed, was revoked or lost the answer: they may still land, at
    /// any time and in part, or never.
    pub late: Vec<Insert>,
    /// Per aggregate: the sequence up to which events are known to be published. It only moves
    /// forward and may lag.
    pub published: Vec<Sequence>,
}

impl Store {
    /// A store without commits.
    pub fn empty(aggregates: usize) -> Self {
        Self { commits: Vec::new(), durable: 0, late: Vec::new(), published: vec![0; aggregates] }
    }

    /// What a durable read shows.
    pub fn durable(&self) -> &[Commit] {
        &self.commits[..self.durable]
    }

    /// What a lane's read shows; the right protocol reads only what is durable.
    pub fn read(&self, wrong: Option<Wrong>) -> &[Commit] {
        match wrong {
            Some(Wrong::ReadsNotDurable) => &self.commits,
            _ => self.durable(),
        }
    }

    /// Whether the commit of that request is durable, or is no longer there: in both cases an
    /// insert that it refused will now end otherwise.
    pub fn is_settled(&self, (aggregate, request): (Aggregate, Request)) -> bool {
        let place = self.commits.iter().position(|commit| commit.is_of(aggregate, request));
        place.is_none_or(|place| place < self.durable)
    }

    /// The primary takes the next document of an insert, or refuses it and ends the insert.
    pub fn take_document(&mut self, insert: &mut Insert, wrong: Option<Wrong>) {
        let document = insert.documents[insert.stored];
        match self.refuses(&document, wrong) {
            Some(refusal) => insert.refused = Some(refusal),
            None => {
                self.commits.push(document);
                insert.stored += 1;
            }
        }
    }

    /// The unique key that stands against a document, if any.
    fn refuses(&self, document: &Commit, wrong: Option<Wrong>) -> Option<Refusal> {
        let holder = |key, same: &dyn Fn(&Commit) -> bool| {
            let held = self.commits.iter().find(|commit| same(commit))?;
            Some(Refusal { key, holder: (held.aggregate, held.request) })
        };
        let by_request = || {
            holder(UniqueKey::Request, &|c| c.is_of(document.aggregate, document.request))
                .filter(|_| wrong != Some(Wrong::RequestNotUnique))
        };
        let by_revision = || {
            holder(UniqueKey::Revision, &|c| {
                c.aggregate == document.aggregate && c.revision == document.revision
            })
            .filter(|_| wrong != Some(Wrong::RevisionNotUnique))
        };
        by_request().or_else(by_revision)
    }

    /// The next document of the `place`th late insert arrives.
    pub fn take_late_document(&mut self, place: usize, wrong: Option<Wrong>) {
        let mut insert = self.late.remove(place);
        insert.documents[insert.stored].landed_late = true;
        self.take_document(&mut insert, wrong);
        self.abandon(insert);
    }

    /// Leaves an insert to itself, as its sender no longer waits for it.
    pub fn abandon(&mut self, insert: Insert) {
        if insert.is_over() {
            return;
        }
        self.late.push(insert);
        // The order among late inserts means nothing; sorting keeps equal states equal.
        self.late.sort();
    }

    /// Another primary is elsewhere elected: what is not durable is gone, and an insert that the
    /// old primary had begun takes no further document.
    pub fn step_down(&mut self) {
        self.commits.truncate(self.durable);
        self.late.retain(|insert| insert.stored == 0);
    }

    /// Whether every document that the insert has stored is durable, so that it can be answered.
    pub fn has_durable(&self, insert: &Insert) -> bool {
        insert.prefix().iter().all(|document| self.durable().contains(document))
    }
}

/// The newest commit of an aggregate in `commits`.
pub fn last_of(commits: &[Commit], aggregate: Aggregate) -> Option<&Commit> {
    commits
        .iter()
        .filter(|commit| commit.aggregate == aggregate)
        .max_by_key(|commit| commit.revision)
}

/// The events of an aggregate with a sequence in `range`, in order, out of `commits`.
pub fn events_between(
    commits: &[Commit],
    aggregate: Aggregate,
    range: RangeInclusive<Sequence>,
) -> Vec<Event> {
    let mut line: Vec<_> = commits.iter().filter(|commit| commit.aggregate == aggregate).collect();
    line.sort_by_key(|commit| commit.revision);
    let events = line.into_iter().flat_map(events_of);
    events.filter(|event| range.contains(&event.sequence)).collect()
}

/// The events of one commit.
pub fn events_of(commit: &Commit) -> impl Iterator<Item = Event> + use<> {
    let Commit { aggregate, request, .. } = *commit;
    let first = commit.sequence - commit.outcome.events() + 1;
    (first..=commit.sequence).map(move |sequence| Event { aggregate, sequence, request })
}
