//! What was taken in, in tables that stay small for millions of commands: names as numbers, texts
//! that are only compared as hashes.

mod meaning;
mod planted;

use std::hash::BuildHasher;
use std::mem;

use foldhash::fast::FixedState;
use foldhash::{HashMap, HashSet};

use crate::evidence::{self, Item, Planted, Topic, Unreadable};
use crate::findings::Findings;
use crate::history::{self, Line, Way};
use crate::names::{Numbered, number};
use crate::reference::{Command, Event, Kind, State};
use crate::{Anomaly, Named, Outcome, Place, Told};
pub(crate) use meaning::{Document, Meaning};

/// Stands for no number.
pub(crate) const NONE: u32 = u32::MAX;

/// Hashes of texts are compared within one run of the checker only; what differs and has the same
/// hash, once in 2^64, goes unseen.
const TEXT: FixedState = FixedState::with_seed(7);

/// An aggregate and a request id, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Operation {
    pub(crate) aggregate: u32,
    pub(crate) request: u32,
}

/// All that makes a command the command it is.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Asked {
    pub(crate) command: Command,
    pub(crate) expected_sequence: Option<u64>,
    pub(crate) deadline: Option<i64>,
}

/// A record of the requests that can be read.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) place: Place,
    pub(crate) operation: u32,
    pub(crate) asked: u32,
    /// A hash of the command's name.
    pub(crate) command: u64,
    pub(crate) fingerprint: u64,
    pub(crate) nonce: u64,
}

#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) revision: u64,
    pub(crate) sequence: u64,
    /// A hash of the command's name.
    pub(crate) command: u64,
    pub(crate) fingerprint: u64,
    pub(crate) time: i64,
    pub(crate) source: Place,
    pub(crate) nonce: u64,
    pub(crate) operation: u32,
    pub(crate) verdict: u32,
    /// Its events: the first of them, and how many.
    pub(crate) events: (u32, u32),
}

/// An outcome with its code.
pub(crate) type Verdict = (Outcome, Option<String>);

#[derive(Debug)]
pub(crate) struct Happened {
    pub(crate) sequence: u64,
    pub(crate) time: i64,
    /// A hash of its name and the bytes of its data.
    pub(crate) text: u64,
    pub(crate) event: u32,
}

/// A record of the events.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) place: Place,
    pub(crate) aggregate: u32,
    pub(crate) request: u32,
    pub(crate) happened: Happened,
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) number: u64,
    pub(crate) at: u64,
    pub(crate) operation: u32,
    /// What was asked; nothing in a look-up.
    pub(crate) asked: u32,
    /// Whether its answer says of a repeat that it is one.
    pub(crate) is_marking: bool,
    pub(crate) answered: u64,
    pub(crate) meaning: Meaning,
}

#[derive(Debug)]
pub(crate) struct StateRead {
    pub(crate) called: u64,
    pub(crate) at: u64,
    pub(crate) session: u32,
    pub(crate) aggregate: u32,
    pub(crate) revision: u64,
    pub(crate) sequence: u64,
    pub(crate) state: Option<State>,
}

#[derive(Debug)]
pub(crate) struct LookedUp {
    pub(crate) operation: u32,
    pub(crate) document: Option<Document>,
}

#[derive(Debug)]
pub(crate) struct Transfer {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) amount: i64,
}

/// All that was taken in.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) aggregates: Numbered<str>,
    /// The type of each aggregate.
    pub(crate) kinds: Vec<Kind>,
    pub(crate) requests: Numbered<str>,
    pub(crate) operations: Vec<Operation>,
    operation_numbers: HashMap<Operation, u32>,
    pub(crate) asked: Numbered<Asked>,
    pub(crate) verdicts: Numbered<Verdict>,
    pub(crate) events: Numbered<Event>,

    pub(crate) records: Vec<Record>,
    pub(crate) unreadable: Vec<(Topic, Place)>,
    pub(crate) planted: HashSet<(Topic, Place)>,
    pub(crate) commits: Vec<Commit>,
    pub(crate) happened: Vec<Happened>,
    pub(crate) published: Vec<Published>,
    pub(crate) rows: Vec<evidence::Row>,
    pub(crate) looked_up: Vec<LookedUp>,
    pub(crate) letters: Vec<evidence::Letter>,
    pub(crate) faults: Vec<evidence::Fault>,

    pub(crate) calls: Vec<Call>,
    call_numbers: HashMap<u64, u32>,
    pub(crate) view_reads: Vec<history::ViewRead>,
    pub(crate) state_reads: Vec<StateRead>,
    pub(crate) transfers: Vec<Transfer>,
}

impl Tables {
    pub(crate) fn named(&self, operation: u32) -> Named {
        let Operation { aggregate, request } = self.operations[operation as usize];
        Named { aggregate: self.aggregate(aggregate), request: self.request(request) }
    }

    pub(crate) fn aggregate(&self, aggregate: u32) -> String {
        self.aggregates.value(aggregate).as_ref().to_owned()
    }

    pub(crate) fn request(&self, request: u32) -> String {
        self.requests.value(request).as_ref().to_owned()
    }

    pub(crate) fn kind(&self, aggregate: u32) -> Kind {
        self.kinds[aggregate as usize]
    }

    pub(crate) fn aggregate_of(&self, commit: &Commit) -> u32 {
        self.operations[commit.operation as usize].aggregate
    }

    pub(crate) fn happened_of(&self, commit: &Commit) -> &[Happened] {
        let (first, count) = (commit.events.0 as usize, commit.events.1 as usize);
        &self.happened[first..first + count]
    }

    /// An operation that was seen.
    pub(crate) fn find(&self, aggregate: &str, request: &str) -> Option<u32> {
        let aggregate = self.aggregates.find(aggregate)?;
        let request = self.requests.find(request)?;
        self.operation_numbers.get(&Operation { aggregate, request }).copied()
    }

    pub(crate) fn outcome(&self, verdict: u32) -> Outcome {
        self.verdicts.value(verdict).0
    }

    /// An outcome for people: `FAIL NOT_FOUND`.
    pub(crate) fn verdict(&self, verdict: u32) -> String {
        match self.verdicts.value(verdict).as_ref() {
            (outcome, None) => outcome.to_string(),
            (outcome, Some(code)) => format!("{outcome} {code}"),
        }
    }

    fn aggregate_number(&mut self, aggregate: &str) -> u32 {
        let number = self.aggregates.text(aggregate);
        if self.kinds.len() < self.aggregates.len() {
            self.kinds.push(Kind::of(aggregate));
        }
        number
    }

    fn operation(&mut self, aggregate: &str, request: &str) -> u32 {
        let aggregate = self.aggregate_number(aggregate);
        let operation = Operation { aggregate, request: self.requests.text(request) };
        *self.operation_numbers.entry(operation).or_insert_with(|| {
            self.operations.push(operation);
            number(self.operations.len() - 1)
        })
    }

    fn kind_of(&self, operation: u32) -> Kind {
        self.kind(self.operations[operation as usize].aggregate)
    }

    fn document(&mut self, told: Told) -> Document {
        let Told { outcome, code, revision, sequence, body, replayed } = told;
        let verdict = self.verdicts.owned((outcome, code));
        Document { verdict, replayed, revision, sequence, body }
    }

    fn happen(&mut self, kind: Kind, happened: &evidence::Happened) -> Happened {
        let evidence::Happened { sequence, name, data, time } = happened;
        Happened {
            sequence: *sequence,
            time: *time,
            text: TEXT.hash_one((name, data)),
            event: self.events.owned(Event::read(kind, name, data)),
        }
    }

    /// Takes a piece of evidence.
    pub(crate) fn take_item(&mut self, item: Item) {
        match item {
            Item::Request(request) => self.take_request(&request),
            Item::Commit(commit) => self.take_commit(commit),
            Item::Event(event) => {
                let evidence::Event { place, aggregate, request, event } = event;
                let aggregate = self.aggregate_number(&aggregate);
                let request = self.requests.text(&request);
                let happened = self.happen(self.kind(aggregate), &event);
                self.published.push(Published { place, aggregate, request, happened });
            }
            Item::Row(row) => self.rows.push(row),
            Item::LookUp(evidence::LookUp { aggregate, request, told }) => {
                let operation = self.operation(&aggregate, &request);
                let document = told.map(|told| self.document(told));
                self.looked_up.push(LookedUp { operation, document });
            }
            Item::Letter(letter) => self.letters.push(letter),
            Item::Unreadable(Unreadable { topic, place }) => self.unreadable.push((topic, place)),
            Item::Planted(Planted { topic, place }) => {
                self.planted.insert((topic, place));
            }
            Item::Fault(fault) => self.faults.push(fault),
        }
    }

    fn take_request(&mut self, request: &evidence::Request) {
        let Some(command) = &request.command else {
            self.unreadable.push((Topic::Requests, request.place));
            return;
        };
        let operation = self.operation(&command.aggregate, &command.request);
        let kind = self.kind_of(operation);
        let asked = self.asked.owned(Asked {
            command: Command::read(kind, &command.command, &command.data),
            expected_sequence: command.expected_sequence,
            deadline: command.deadline,
        });
        self.records.push(Record {
            place: request.place,
            operation,
            asked,
            command: TEXT.hash_one(&command.command),
            fingerprint: TEXT.hash_one(&command.fingerprint),
            nonce: command.nonce,
        });
    }

    fn take_commit(&mut self, commit: evidence::Commit) {
        let operation = self.operation(&commit.aggregate, &commit.request);
        let kind = self.kind_of(operation);
        let first = number(self.happened.len());
        for event in &commit.events {
            let happened = self.happen(kind, event);
            self.happened.push(happened);
        }
        self.commits.push(Commit {
            revision: commit.revision,
            sequence: commit.sequence,
            command: TEXT.hash_one(&commit.command),
            fingerprint: TEXT.hash_one(&commit.fingerprint),
            time: commit.time,
            source: commit.source,
            nonce: commit.nonce,
            operation,
            verdict: self.verdicts.owned((commit.outcome, commit.code)),
            events: (first, number(commit.events.len())),
        });
    }

    /// Takes a line of the history.
    pub(crate) fn take_line(&mut self, line: Line, found: &mut Findings) {
        match line {
            Line::Call(call) => self.take_call(&call, found),
            Line::Answer(answer) => self.take_answer(answer, found),
            Line::ViewRead(read) => self.view_reads.push(read),
            Line::StateRead(read) => {
                let aggregate = self.aggregate_number(&read.aggregate);
                let state = State::read(self.kind(aggregate), &read.state);
                let history::StateRead { called, at, session, revision, sequence, .. } = read;
                self.state_reads.push(StateRead {
                    called,
                    at,
                    session,
                    aggregate,
                    revision,
                    sequence,
                    state,
                });
            }
            Line::ReadBroken(history::ReadBroken { path, status, .. }) => {
                found.add(Anomaly::Defect { what: path, status });
            }
            Line::Transfer(history::Transfer { from, to, amount }) => {
                let from = self.operation(&from.0, &from.1);
                let to = self.operation(&to.0, &to.1);
                self.transfers.push(Transfer { from, to, amount });
            }
        }
    }

    fn take_call(&mut self, call: &history::Call, found: &mut Findings) {
        let operation = &call.operation;
        let number_of = self.operation(&operation.aggregate(), &operation.request);
        let asked = match call.way {
            Way::LookUp => NONE,
            Way::Send | Way::Batch => self.asked.owned(Asked {
                command: Command::read(
                    Kind::of(&operation.aggregate()),
                    &operation.command,
                    &operation.data,
                ),
                expected_sequence: operation.expected_sequence,
                deadline: operation.deadline,
            }),
        };
        if self.call_numbers.insert(call.call, number(self.calls.len())).is_some() {
            found.add(Anomaly::CallDoubled { call: call.call, what: "call" });
        }
        self.calls.push(Call {
            number: call.call,
            at: call.at,
            operation: number_of,
            asked,
            is_marking: call.way == Way::Send,
            answered: u64::MAX,
            meaning: Meaning::Nothing,
        });
    }

    fn take_answer(&mut self, answer: history::Answer, found: &mut Findings) {
        let history::Answer { call, at, status, told, problem } = answer;
        let Some(index) = self.call_numbers.get(&call).copied() else {
            found.add(Anomaly::AnswerWithoutCall { call });
            return;
        };
        let document = told.map(|told| self.document(told));
        let Call { asked, operation, .. } = self.calls[index as usize];
        if let Some(status) = status.filter(|_| document.is_none())
            && meaning::is_defect(status, asked == NONE)
        {
            let what = format!("{}: call {call}", self.named(operation));
            found.add(Anomaly::Defect { what, status });
        }
        let call = &mut self.calls[index as usize];
        let meaning = match document {
            Some(document) => Meaning::Told(document),
            None if call.asked == NONE => meaning::looked_up(status),
            None => meaning::sent(status, problem.as_deref()),
        };
        call.meaning = meaning;
        if mem::replace(&mut call.answered, at) != u64::MAX {
            found.add(Anomaly::CallDoubled { call: call.number, what: "answer" });
        }
    }
}
