//! What a correct system would leave behind, command by command, for tests to spoil.

use std::collections::{BTreeMap, HashMap};

use ordain_checker::evidence::{Command, Commit, Event, Happened, Item, Request, Row};
use ordain_checker::history::{Answer, Call, Line, Operation, StateRead, ViewRead, Way};
use ordain_checker::reference::job::Event as JobEvent;
use ordain_checker::reference::time::rfc_3339;
use ordain_checker::reference::{self, Kind, State, account, broken};
use ordain_checker::{Checker, Demands, Outcome, Place, Report, Told};

/// Where the clocks of workers stand when a run begins.
pub(crate) const EPOCH: i64 = 1_777_777_777_000_000_000;

/// A run of a correct system: whatever it does is written down as its clients and its stores would
/// show it.
#[derive(Default)]
pub(crate) struct Run {
    pub(crate) lines: Vec<Line>,
    pub(crate) items: Vec<Item>,
    /// The clients' clock: moves with whatever they do.
    pub(crate) clock: u64,
    aggregates: HashMap<String, Aggregate>,
    /// What became of each command, by aggregate and request.
    pub(crate) told: HashMap<(String, String), (Told, u64)>,
    rows: BTreeMap<(&'static str, String), Row>,
    calls: u64,
    nonces: u64,
    requests: HashMap<u32, u64>,
    events: HashMap<u32, u64>,
}

#[derive(Default)]
struct Aggregate {
    state: State,
    revision: u64,
    sequence: u64,
    time: i64,
    times: Vec<String>,
}

/// An account's command, by the account's id.
pub(crate) fn account(id: &str, request: &str, command: &str, amount: i64) -> Operation {
    let data =
        if command == "open" { "{}".to_owned() } else { format!(r#"{{"amount":{amount}}}"#) };
    operation(("account", id), request, (command, &data))
}

/// A job request's command.
pub(crate) fn job(id: &str, request: &str, command: &str, data: &str) -> Operation {
    operation(("job-request", id), request, (command, data))
}

pub(crate) fn operation(
    (kind, id): (&str, &str),
    request: &str,
    (command, data): (&str, &str),
) -> Operation {
    Operation {
        tenant: None,
        kind: kind.to_owned(),
        id: id.to_owned(),
        request: request.to_owned(),
        command: command.to_owned(),
        data: data.to_owned(),
        expected_sequence: None,
        deadline: None,
    }
}

impl Run {
    fn tick(&mut self) -> u64 {
        self.clock += 10;
        self.clock
    }

    /// A client sends the command, and it goes all its way.
    pub(crate) fn does(&mut self, operation: &Operation) -> u64 {
        let call = self.calls(operation);
        let request = self.appends(operation);
        self.decides(&request);
        self.is_told(call, operation, request.nonce());
        call
    }

    /// A client calls.
    pub(crate) fn calls(&mut self, operation: &Operation) -> u64 {
        self.call(1, Way::Send, operation)
    }

    pub(crate) fn call(&mut self, client: u32, way: Way, operation: &Operation) -> u64 {
        self.calls += 1;
        let (at, call, operation) = (self.tick(), self.calls, operation.clone());
        self.lines.push(Line::Call(Call { call, at, client, way, attempt: 1, operation }));
        call
    }

    /// The command comes into the log.
    pub(crate) fn appends(&mut self, operation: &Operation) -> Request {
        self.nonces += 1;
        let aggregate = operation.aggregate();
        let fingerprint = format!("{} {} {}", operation.command, operation.data, aggregate);
        let command = Command {
            request: operation.request.clone(),
            fingerprint,
            nonce: self.nonces,
            command: operation.command.clone(),
            data: operation.data.clone(),
            expected_sequence: operation.expected_sequence,
            deadline: operation.deadline,
            time: EPOCH,
            aggregate,
        };
        let place = next(&mut self.requests, partition(&command.aggregate));
        let request = Request { place, command: Some(command) };
        self.items.push(Item::Request(request.clone()));
        request
    }

    /// A worker decides a record; one whose command is decided is a repeat, and nothing happens.
    pub(crate) fn decides(&mut self, request: &Request) -> bool {
        let command = request.command.clone().expect("a record that can be read");
        let name = (command.aggregate.clone(), command.request.clone());
        if self.told.contains_key(&name) {
            return false;
        }
        let kind = Kind::of(&command.aggregate);
        let now = EPOCH + i64::try_from(self.clock).unwrap();
        let of = self.aggregates.entry(command.aggregate.clone()).or_default();
        let (outcome, code, events) = verdict(of, (kind, &command), now);
        of.revision += 1;
        let time = now.max(of.time + 1);
        let mut happened = Vec::new();
        for (event, after) in events.iter().zip(0..) {
            assert!(of.state.apply(event), "what was decided can happen");
            let (event, data) = written(event);
            of.sequence += 1;
            of.times.push(rfc_3339(time + after));
            happened.push(Happened {
                sequence: of.sequence,
                name: event,
                data,
                time: time + after,
            });
        }
        of.time = happened.last().map_or(time, |event| event.time);
        let (revision, sequence) = (of.revision, of.sequence);
        let told = Told { outcome, code, revision, sequence, body: self.nonces, replayed: false };
        self.told.insert(name, (told.clone(), command.nonce));
        self.publishes(&command.aggregate, &command.request, &happened);
        self.folds(&command.aggregate, &events);
        self.items.push(Item::Commit(Commit {
            aggregate: command.aggregate,
            request: command.request,
            revision,
            sequence,
            fingerprint: command.fingerprint,
            command: command.command,
            outcome,
            code: told.code,
            events: happened,
            time,
            source: request.place,
            nonce: command.nonce,
        }));
        true
    }

    /// Events come to the log of events.
    pub(crate) fn publishes(&mut self, aggregate: &str, request: &str, events: &[Happened]) {
        for event in events {
            self.items.push(Item::Event(Event {
                place: next(&mut self.events, partition(aggregate)),
                aggregate: aggregate.to_owned(),
                request: request.to_owned(),
                event: event.clone(),
            }));
        }
    }

    fn folds(&mut self, aggregate: &str, events: &[reference::Event]) {
        let of = &self.aggregates[aggregate];
        let id = aggregate.rsplit('/').next().unwrap().to_owned();
        let (view, row) = match &of.state {
            _ if events.is_empty() => return,
            State::Nothing | State::Broken(_) => return,
            State::Account(funds) => {
                let times = &of.times[of.times.len().saturating_sub(100)..];
                let times = serde_json::to_string(times).unwrap();
                ("accounts", format!(r#"{{"funds":{funds},"timestamps":{times}}}"#))
            }
            State::Job(job) => ("job-requests", serde_json::to_string(job).unwrap()),
        };
        let sequence = of.sequence;
        let mut put = |view, key: String, sequence, row| {
            let of = (view, key.clone());
            self.rows.insert(of, Row { view: view.to_owned(), key, sequence, row });
        };
        put(view, id.clone(), sequence, row);
        let first = sequence + 1 - events.len() as u64;
        for (event, sequence) in events.iter().zip(first..) {
            for (cleaner, status) in concerned(event) {
                let row = format!(r#"{{"cleaner":"{cleaner}","job":"{id}","status":"{status}"}}"#);
                put("cleaner-jobs", format!("{cleaner}/{id}"), sequence, row);
            }
        }
    }

    /// The client is told what became of its command; it sent the record of this nonce.
    pub(crate) fn is_told(&mut self, call: u64, operation: &Operation, nonce: u64) {
        let (mut told, source) = self.became(operation);
        told.replayed = source != nonce;
        let status = if told.outcome == Outcome::Success { 200 } else { 409 };
        self.answers(call, Some(status), (Some(told), None));
    }

    /// What became of a command, and the nonce of the record that was decided.
    pub(crate) fn became(&self, operation: &Operation) -> (Told, u64) {
        self.told[&(operation.aggregate(), operation.request.clone())].clone()
    }

    pub(crate) fn answers(
        &mut self,
        call: u64,
        status: Option<u16>,
        (told, problem): (Option<Told>, Option<&str>),
    ) {
        let (at, problem) = (self.tick(), problem.map(str::to_owned));
        self.lines.push(Line::Answer(Answer { call, at, status, told, problem }));
    }

    /// The call ends with this status and nothing else.
    pub(crate) fn ends(&mut self, call: u64, status: u16) {
        self.answers(call, Some(status), (None, None));
    }

    /// A reader reads a row of a view.
    pub(crate) fn views(&mut self, session: u32, view: &'static str, key: &str) {
        let sequence = self.rows.get(&(view, key.to_owned())).map(|row| row.sequence);
        let (called, at) = (self.tick(), self.tick());
        let (view, key) = (view.to_owned(), key.to_owned());
        let read = ViewRead { called, at, session, view, key, sequence, reached: None };
        self.lines.push(Line::ViewRead(read));
    }

    /// A reader reads an aggregate's state; of one that has no event there is none.
    pub(crate) fn reads(&mut self, aggregate: &str) {
        let (called, at) = (self.tick(), self.tick());
        let Some(of) = self.aggregates.get(aggregate) else { return };
        let state = match &of.state {
            State::Nothing => return,
            State::Account(funds) => format!(r#"{{"funds":{funds}}}"#),
            State::Job(job) => serde_json::to_string(job).unwrap(),
            State::Broken(done) => format!(r#"{{"done":{done}}}"#),
        };
        let (aggregate, revision, sequence) = (aggregate.to_owned(), of.revision, of.sequence);
        let session = 1;
        let read = StateRead { called, at, session, aggregate, revision, sequence, state };
        self.lines.push(Line::StateRead(read));
    }

    /// Puts the rows of the views into the evidence.
    pub(crate) fn rests(&mut self) {
        self.items.extend(std::mem::take(&mut self.rows).into_values().map(Item::Row));
    }

    /// What the checker says of all that.
    pub(crate) fn checked(self) -> Report {
        self.demanding(Demands { successes_min: 0, ..Demands::default() })
    }

    pub(crate) fn demanding(mut self, demands: Demands) -> Report {
        self.rests();
        let mut checker = Checker::new(demands);
        self.lines.into_iter().for_each(|line| checker.take_line(line));
        self.items.into_iter().for_each(|item| checker.take_item(item));
        checker.finish()
    }
}

/// The nonce of a record.
pub(crate) trait Nonce {
    fn nonce(&self) -> u64;
}

impl Nonce for Request {
    fn nonce(&self) -> u64 {
        self.command.as_ref().map_or(0, |command| command.nonce)
    }
}

fn partition(aggregate: &str) -> u32 {
    aggregate.bytes().fold(0, |sum, byte| sum + u32::from(byte)) % 4
}

fn next(ends: &mut HashMap<u32, u64>, partition: u32) -> Place {
    let end = ends.entry(partition).or_default();
    *end += 1;
    Place { partition, offset: *end - 1 }
}

type Verdict = (Outcome, Option<String>, Vec<reference::Event>);

fn verdict(of: &Aggregate, (kind, command): (Kind, &Command), now: i64) -> Verdict {
    if command.deadline.is_some_and(|deadline| deadline < now) {
        return (Outcome::Expired, None, Vec::new());
    }
    let fail = |code: &str| (Outcome::Fail, Some(code.to_owned()), Vec::new());
    if command.expected_sequence.is_some_and(|expected| expected != of.sequence) {
        return fail("SEQUENCE_MISMATCH");
    }
    let asked = reference::Command::read(kind, &command.command, &command.data);
    match of.state.decide(&asked) {
        Some(Ok(events)) => (Outcome::Success, None, events),
        Some(Err(refusal)) => (refusal.outcome, Some(refusal.code.to_owned()), Vec::new()),
        None => (Outcome::Rejected, Some("UNPROCESSABLE".to_owned()), Vec::new()),
    }
}

/// Whose rows of `cleaner-jobs` an event touches, and what they say then.
fn concerned(event: &reference::Event) -> Vec<(&str, &'static str)> {
    let reference::Event::Job(event) = event else { return Vec::new() };
    match event {
        JobEvent::Created { cleaners, .. } => {
            cleaners.iter().map(|cleaner| (cleaner.as_str(), "offered")).collect()
        }
        JobEvent::Accepted(cleaner) => vec![(cleaner, "accepted")],
        JobEvent::Declined(cleaner) => vec![(cleaner, "declined")],
        JobEvent::Finished(cleaner) => vec![(cleaner, "finished")],
        _ => Vec::new(),
    }
}

/// An event's name and data as the system writes them.
fn written(event: &reference::Event) -> (String, String) {
    let of = |cleaner: &str| format!(r#"{{"cleanerId":"{cleaner}"}}"#);
    let amount = |amount: &i64| format!(r#"{{"amount":{amount}}}"#);
    let (name, data) = match event {
        reference::Event::Account(account::Event::Opened) => ("opened", "{}".to_owned()),
        reference::Event::Account(account::Event::Deposited(gain)) => ("deposited", amount(gain)),
        reference::Event::Account(account::Event::Withdrawn(loss)) => ("withdrawn", amount(loss)),
        reference::Event::Job(JobEvent::Created { cleaners, tasks }) => {
            let cleaners = serde_json::to_string(cleaners).unwrap();
            let tasks = serde_json::to_string(tasks).unwrap();
            ("created", format!(r#"{{"cleaners":{cleaners},"tasks":{tasks}}}"#))
        }
        reference::Event::Job(JobEvent::Accepted(cleaner)) => ("accepted", of(cleaner)),
        reference::Event::Job(JobEvent::Declined(cleaner)) => ("declined", of(cleaner)),
        reference::Event::Job(JobEvent::AllDeclined) => ("all-declined", "{}".to_owned()),
        reference::Event::Job(JobEvent::Started(cleaner)) => ("started", of(cleaner)),
        reference::Event::Job(JobEvent::TaskFinished(task, cleaner)) => {
            ("task-finished", format!(r#"{{"taskId":"{task}","cleanerId":"{cleaner}"}}"#))
        }
        reference::Event::Job(JobEvent::Finished(cleaner)) => ("finished", of(cleaner)),
        reference::Event::Broken(broken::Event::Worked) => ("worked", "{}".to_owned()),
        reference::Event::Other(name, data) => (name.as_str(), data.clone()),
    };
    (name.to_owned(), data)
}
