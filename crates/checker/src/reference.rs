//! What accounts, job requests and rules that misbehave do, told anew from their rules.
//!
//! The system's own rules are in none of this: what both say may be taken for true, and where they
//! differ one of them is wrong. Other types of aggregates are not modelled; of their commits only
//! the form of the line is checked.

pub mod account;
pub mod broken;
pub mod job;
pub mod time;

use crate::Outcome;

/// The code of a command that demanded another sequence.
pub const SEQUENCE_MISMATCH: &str = "SEQUENCE_MISMATCH";

/// The type of an aggregate, as far as there is a model of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `account`.
    Account,
    /// `job-request`.
    Job,
    /// `broken`, of builds for tests.
    Broken,
    /// Every other type.
    Other,
}

impl Kind {
    /// The type of an aggregate by its key, `tenant/type/id`.
    #[must_use]
    pub fn of(aggregate: &str) -> Self {
        match aggregate.split('/').nth(1) {
            Some("account") => Self::Account,
            Some("job-request") => Self::Job,
            Some("broken") => Self::Broken,
            _ => Self::Other,
        }
    }
}

/// A command that a rule may decide.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Command {
    /// To an account.
    Account(account::Command),
    /// To a job request.
    Job(job::Command),
    /// To what misbehaves on demand.
    Broken(broken::Command),
    /// One that the model cannot read: its name and data.
    Other(String, String),
}

impl Command {
    /// Reads a command from its name and data.
    #[must_use]
    pub fn read(kind: Kind, name: &str, data: &str) -> Self {
        let known = match kind {
            Kind::Account => account::Command::read(name, data).map(Self::Account),
            Kind::Job => job::Command::read(name, data).map(Self::Job),
            Kind::Broken => broken::Command::read(name, data).map(Self::Broken),
            Kind::Other => None,
        };
        known.unwrap_or_else(|| Self::Other(name.to_owned(), data.to_owned()))
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// To an account.
    Account(account::Event),
    /// To a job request.
    Job(job::Event),
    /// To what misbehaves on demand.
    Broken(broken::Event),
    /// One that the model cannot read: its name and data.
    Other(String, String),
}

impl Event {
    /// Reads an event from its name and data.
    #[must_use]
    pub fn read(kind: Kind, name: &str, data: &str) -> Self {
        let known = match kind {
            Kind::Account => account::Event::read(name, data).map(Self::Account),
            Kind::Job => job::Event::read(name, data).map(Self::Job),
            Kind::Broken => broken::Event::read(name, data).map(Self::Broken),
            Kind::Other => None,
        };
        known.unwrap_or_else(|| Self::Other(name.to_owned(), data.to_owned()))
    }
}

/// What the rules say: what happens then, or why nothing does.
pub type Decision = Result<Vec<Event>, Refusal>;

/// What a command comes to that changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// FAIL where a rule refuses it, REJECTED where no rule can say.
    pub outcome: Outcome,
    /// Why.
    pub code: &'static str,
}

impl Refusal {
    /// By a rule.
    #[must_use]
    pub const fn by_rule(code: &'static str) -> Self {
        Self { outcome: Outcome::Fail, code }
    }
}

/// What the events of an aggregate amount to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum State {
    /// Nothing has happened.
    #[default]
    Nothing,
    /// An account, with its funds in minor units.
    Account(i64),
    /// A job request.
    Job(Box<job::Job>),
    /// How often something good has happened.
    Broken(u64),
}

impl State {
    /// Reads a state from its JSON text; none where it is not of the form that the model knows.
    #[must_use]
    pub fn read(kind: Kind, text: &str) -> Option<Self> {
        match kind {
            Kind::Account => account::read_state(text).map(Self::Account),
            Kind::Job => serde_json::from_str(text).ok().map(Box::new).map(Self::Job),
            Kind::Broken => broken::read_state(text).map(Self::Broken),
            Kind::Other => None,
        }
    }

    /// What the rules say of a command in this state; none where there is no model.
    #[must_use]
    pub fn decide(&self, command: &Command) -> Option<Decision> {
        let decision = match (self, command) {
            (Self::Nothing, Command::Account(command)) => account(None, *command),
            (Self::Account(funds), Command::Account(command)) => account(Some(*funds), *command),
            (Self::Nothing, Command::Job(command)) => jobs(job::decide(None, command)),
            (Self::Job(job), Command::Job(command)) => jobs(job::decide(Some(job), command)),
            (Self::Nothing | Self::Broken(_), Command::Broken(command)) => {
                broken::decide(*command).map(|event| vec![Event::Broken(event)])
            }
            _ => return None,
        };
        Some(decision)
    }

    /// What an event makes of it. False where it cannot happen in this state.
    #[must_use]
    pub fn apply(&mut self, event: &Event) -> bool {
        match (&mut *self, event) {
            (Self::Nothing, Event::Account(account::Event::Opened)) => *self = Self::Account(0),
            (Self::Account(funds), Event::Account(event)) => {
                let Some(left) = event.gain().and_then(|gain| funds.checked_add(gain)) else {
                    return false;
                };
                *funds = left;
            }
            (Self::Nothing, Event::Job(job::Event::Created { cleaners, tasks })) => {
                *self = Self::Job(Box::new(job::Job::offered(cleaners, tasks)));
            }
            (Self::Job(job), Event::Job(event)) => return job.apply(event),
            (Self::Nothing, Event::Broken(broken::Event::Worked)) => *self = Self::Broken(1),
            (Self::Broken(done), Event::Broken(broken::Event::Worked)) => *done += 1,
            _ => return false,
        }
        true
    }
}

fn account(funds: Option<i64>, command: account::Command) -> Decision {
    let decision = account::decide(funds, command).map(|event| vec![Event::Account(event)]);
    decision.map_err(Refusal::by_rule)
}

fn jobs(decision: Result<Vec<job::Event>, &'static str>) -> Decision {
    let decision = decision.map(|events| events.into_iter().map(Event::Job).collect());
    decision.map_err(Refusal::by_rule)
}
