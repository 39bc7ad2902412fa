//! Decides one command on the state that the earlier ones of its batch leave. Rules are
//! contained: whatever one does, only its own command is lost.

use std::sync::Arc;

use ordain_model::{
    Code, Command, Commit, Decision, Document, Event, Handler, Limits, NewEvent, Outcome, Source,
    Timestamp, Unprocessable, contain,
};
use ordain_ports::DeadLetter;

use crate::Settings;
use crate::entry::{Entry, Head};
use crate::receive::{Item, Work};
use crate::watchdog::Watch;

/// A rule, or the fold of what it decided, panicked.
const RULE_PANICKED: Code = Code::new("RULE_PANICKED");
/// The body has not the form of the command's own type.
const UNPROCESSABLE: Code = Code::new("UNPROCESSABLE");
/// A rule decided an event that its own schema refuses or that cannot be folded.
const EVENT_INVALID: Code = Code::new("EVENT_INVALID");
/// A rule decided an event that is too large.
const EVENT_TOO_LARGE: Code = Code::new("EVENT_TOO_LARGE");
/// The events of the command are too large together.
const COMMIT_TOO_LARGE: Code = Code::new("COMMIT_TOO_LARGE");

/// What became of a command, if its commit comes true.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) commit: Arc<Commit>,
    pub(crate) letter: Option<DeadLetter>,
}

/// What is said of a command before it has its place in the aggregate's line.
struct Verdict {
    outcome: Outcome,
    events: Vec<NewEvent>,
    /// What was wrong, with a rejection.
    why: Option<String>,
}

impl Verdict {
    const fn of(outcome: Outcome) -> Self {
        Self { outcome, events: Vec::new(), why: None }
    }

    fn rejected(code: Code, why: impl Into<String>) -> Self {
        Self { outcome: Outcome::Rejected(code), events: Vec::new(), why: Some(why.into()) }
    }
}

/// Decides commands: the limits they keep and the watch that their rules run under.
pub(crate) struct Decider {
    pub(crate) watch: Arc<Watch>,
    pub(crate) event_bytes_max: usize,
    pub(crate) commit_bytes_max: usize,
}

impl Decider {
    pub(crate) fn new(watch: Arc<Watch>, settings: &Settings) -> Self {
        Self {
            watch,
            event_bytes_max: settings.event_bytes_max,
            commit_bytes_max: settings.commit_bytes_max,
        }
    }

    /// Decides the command on `entry` and puts the commit on top of what is pending there.
    pub(crate) fn decide(&self, item: &Item, entry: &mut Entry, now: Timestamp) -> Decided {
        let verdict = self.verdict(item, entry, now);
        let commit = Arc::new(commit(item, entry.head(), &verdict, now));
        match self.push(item, entry, &commit) {
            Ok(()) => decided(item, commit, verdict.why),
            Err(invalid) => {
                let commit = Arc::new(commit_of(item, entry, &invalid, now));
                // A commit without events is not folded, so putting it there cannot fail.
                drop(entry.push(&commit));
                decided(item, commit, invalid.why)
            }
        }
    }

    fn verdict(&self, item: &Item, entry: &Entry, now: Timestamp) -> Verdict {
        let command = match &item.work {
            Work::Decide(command) => command,
            Work::Reject(reject) => {
                return Verdict::rejected(reject.code.clone(), reject.why.clone());
            }
        };
        let head = entry.head();
        if command.deadline.is_some_and(|deadline| deadline < now) {
            return Verdict::of(Outcome::Expired);
        }
        if command.expected_sequence.is_some_and(|expected| expected != head.sequence) {
            return Verdict::of(Outcome::Fail(Code::SEQUENCE_MISMATCH));
        }
        // The wrong variant refuses in every other second.
        fail::fail_point!(
            "broken-clock-in-a-rule",
            now.nanoseconds() / 1_000_000_000 % 2 == 0,
            |_| { Verdict::of(Outcome::Fail(Code::SEQUENCE_MISMATCH)) }
        );
        self.rule(item, entry, command)
    }

    fn rule(&self, item: &Item, entry: &Entry, command: &Command) -> Verdict {
        let (Some(handler), Some(state)) = (&entry.handler, &entry.head().state) else {
            return Verdict::rejected(UNPROCESSABLE, "this build has no such aggregate type");
        };
        let decided =
            self.contain(item, || handler.decide(state, command.name.as_str(), &command.data));
        match decided {
            Err(panicked) => panicked,
            Ok(Err(unprocessable)) => Verdict::rejected(UNPROCESSABLE, unprocessable.to_string()),
            Ok(Ok(Decision::Refused(code))) => Verdict::of(Outcome::Fail(code)),
            Ok(Ok(Decision::Accepted(events))) => self.accepted(handler, events),
        }
    }

    fn accepted(&self, handler: &Arc<dyn Handler>, events: Vec<NewEvent>) -> Verdict {
        let mut bytes = 0;
        for event in &events {
            let length = event.data.as_str().len();
            bytes += length;
            if length > self.event_bytes_max {
                let why = format!("{} has {length} bytes of data", event.name);
                return Verdict::rejected(EVENT_TOO_LARGE, why);
            }
            if let Err(why) = check_schema(handler, event) {
                return Verdict::rejected(EVENT_INVALID, why);
            }
        }
        if bytes > self.commit_bytes_max {
            return Verdict::rejected(COMMIT_TOO_LARGE, format!("{bytes} bytes of event data"));
        }
        Verdict { outcome: Outcome::Success, events, why: None }
    }

    /// Folds before anything is stored: an event that cannot be folded must never become true.
    fn push(&self, item: &Item, entry: &mut Entry, commit: &Arc<Commit>) -> Result<(), Verdict> {
        let pushed: Result<Result<(), Unprocessable>, Verdict> =
            self.contain(item, || entry.push(commit));
        match pushed {
            Ok(Ok(())) => Ok(()),
            Ok(Err(unfoldable)) => Err(Verdict::rejected(EVENT_INVALID, unfoldable.to_string())),
            Err(panicked) => {
                entry.rebuild();
                Err(panicked)
            }
        }
    }

    fn contain<T>(&self, item: &Item, rule: impl FnOnce() -> T) -> Result<T, Verdict> {
        let subject = (&item.aggregate, &item.request);
        contain(|| self.watch.run(subject, rule))
            .map_err(|panicked| Verdict::rejected(RULE_PANICKED, panicked.to_string()))
    }
}

fn check_schema(handler: &Arc<dyn Handler>, event: &NewEvent) -> Result<(), String> {
    let known = handler
        .definition()
        .event(event.name.as_str())
        .filter(|known| known.version == event.version)
        .ok_or_else(|| format!("{} version {} has no schema", event.name, event.version))?;
    let document = Document::parse(event.data.as_str().as_bytes(), &Limits::default())
        .map_err(|malformed| format!("{}: {malformed}", event.name))?;
    if known.schema.is_valid(&document) {
        return Ok(());
    }
    let violations = known.schema.validate(&document);
    let first = violations.first().map_or("", |violation| violation.message.as_str());
    Err(format!("{} breaks its schema: {first}", event.name))
}

fn commit(item: &Item, head: &Head, verdict: &Verdict, now: Timestamp) -> Commit {
    let time = now.max(head.time.plus_nanoseconds(1));
    let events: Vec<Event> = (0_u32..)
        .zip(&verdict.events)
        .map(|(index, event)| Event {
            sequence: head.sequence + u64::from(index) + 1,
            name: event.name.clone(),
            version: event.version,
            data: event.data.clone(),
            time: time.plus_nanoseconds(i64::from(index)),
        })
        .collect();
    Commit {
        aggregate: item.aggregate.clone(),
        request: item.request.clone(),
        command: item.command().clone(),
        fingerprint: item.fingerprint(),
        revision: head.revision + 1,
        sequence: head.sequence + events.len() as u64,
        outcome: verdict.outcome.clone(),
        events,
        time,
        source: Source {
            partition: item.position.partition,
            offset: item.position.offset,
            nonce: item.reply_to().map_or(0, |to| to.nonce),
        },
        trace: item.trace,
    }
}

fn commit_of(item: &Item, entry: &Entry, verdict: &Verdict, now: Timestamp) -> Commit {
    commit(item, entry.head(), verdict, now)
}

fn decided(item: &Item, commit: Arc<Commit>, why: Option<String>) -> Decided {
    let letter = match &commit.outcome {
        Outcome::Rejected(code) => {
            Some(item.dead_letter(code.clone(), why.unwrap_or_default(), commit.time))
        }
        Outcome::Success | Outcome::Fail(_) | Outcome::Expired => None,
    };
    Decided { commit, letter }
}
