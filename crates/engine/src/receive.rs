//! What each record of a batch is: a command to decide, one to reject, or nothing that names an
//! aggregate.

use std::collections::HashSet;

use ordain_model::{
    AggregateKey, Code, Command, Fingerprint, Name, Registry, ReplyAddress, RequestId, Timestamp,
    TraceContext,
};
use ordain_ports::{
    Announced, Announcements, Content, DeadLetter, Error, LetterId, Position, Record,
};

use crate::broken;
use crate::traced::Begun;

/// The topic that dead letters of the worker name.
const TOPIC: &str = "requests";
/// The command's name in a commit, where the record's own cannot be read.
const UNREADABLE_COMMAND: &str = "unreadable";

/// The record cannot be read as a command.
const UNREADABLE: Code = Code::new("UNREADABLE");
/// No build ever announced the command.
const UNKNOWN_COMMAND: Code = Code::new("UNKNOWN_COMMAND");

/// A record that names an aggregate and a request.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) position: Position,
    pub(crate) aggregate: AggregateKey,
    pub(crate) request: RequestId,
    pub(crate) work: Work,
    /// The trace that it belongs to, and its commit will.
    pub(crate) trace: Option<TraceContext>,
    /// The span of its decision, where that is recorded.
    pub(crate) begun: Option<Box<Begun>>,
}

/// What is to be done with it.
#[derive(Debug)]
pub(crate) enum Work {
    /// Decide by the rules.
    Decide(Command),
    /// Reject.
    Reject(Reject),
}

/// A command that cannot be processed, and what its commit and its dead letter need.
#[derive(Debug)]
pub(crate) struct Reject {
    pub(crate) command: Name,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) reply_to: Option<ReplyAddress>,
    pub(crate) code: Code,
    pub(crate) why: String,
    pub(crate) data: Vec<u8>,
}

impl Item {
    /// From now on it is to be rejected. Says whether that is new.
    pub(crate) fn reject(&mut self, code: Code, why: String) -> bool {
        let Work::Decide(command) = &self.work else {
            return false;
        };
        self.work = Work::Reject(Reject {
            command: command.name.clone(),
            fingerprint: command.fingerprint,
            reply_to: Some(command.reply_to.clone()),
            code,
            why,
            data: command.data.as_str().as_bytes().to_vec(),
        });
        true
    }

    /// No build ever announced its command: reject it.
    pub(crate) fn reject_unknown(&mut self, command: &Announced) {
        let Announced { aggregate_type, command, schema } = command;
        let why =
            format!("no build ever announced {aggregate_type} {command} with the schema {schema}");
        self.reject(UNKNOWN_COMMAND, why);
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        match &self.work {
            Work::Decide(command) => command.deadline,
            Work::Reject(_) => None,
        }
    }

    pub(crate) fn reply_to(&self) -> Option<&ReplyAddress> {
        match &self.work {
            Work::Decide(command) => Some(&command.reply_to),
            Work::Reject(reject) => reject.reply_to.as_ref(),
        }
    }

    pub(crate) fn command(&self) -> &Name {
        match &self.work {
            Work::Decide(command) => &command.name,
            Work::Reject(reject) => &reject.command,
        }
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        match &self.work {
            Work::Decide(command) => command.fingerprint,
            Work::Reject(reject) => reject.fingerprint,
        }
    }

    /// The dead letter that goes with a rejection.
    pub(crate) fn dead_letter(&self, code: Code, why: String, time: Timestamp) -> DeadLetter {
        let data = match &self.work {
            Work::Decide(command) => command.data.as_str().as_bytes().to_vec(),
            Work::Reject(reject) => reject.data.clone(),
        };
        DeadLetter {
            id: LetterId::new(TOPIC, self.position),
            named: Some((self.aggregate.clone(), self.request.clone())),
            command: Some(self.command().to_string()),
            code,
            why,
            data,
            time,
            retries: Vec::new(),
        }
    }
}

/// What a record is.
#[derive(Debug)]
pub(crate) enum Received {
    /// A command, to be decided or rejected.
    Item(Item),
    /// Nothing that names an aggregate and a request: only a dead letter.
    Letter(DeadLetter),
    /// A command that this build does not know: not this worker's to judge, if another build of
    /// this fleet announced it.
    Strange(Item, Announced),
}

/// Which commands this build knows, and which any build ever announced.
#[derive(Debug)]
pub(crate) struct Known {
    own: HashSet<Announced>,
    ever: HashSet<Announced>,
}

impl Known {
    /// Announces what this build knows, and reads what was ever announced.
    pub(crate) async fn announce(
        registry: &Registry,
        announcements: &dyn Announcements,
    ) -> Result<Self, Error> {
        let own: HashSet<Announced> = Announced::all_of(registry).collect();
        announcements.announce(own.iter().cloned().collect()).await?;
        let ever = announcements.known().await?.into_iter().collect();
        Ok(Self { own, ever })
    }

    /// What was ever announced, read again.
    pub(crate) fn set_announced(&mut self, ever: Vec<Announced>) {
        self.ever = ever.into_iter().collect();
    }

    /// Whether any build ever announced the command, as far as was read.
    pub(crate) fn was_announced(&self, command: &Announced) -> bool {
        self.ever.contains(command)
    }

    /// Says what the record is.
    pub(crate) fn receive(&self, record: Record<Command>, now: Timestamp) -> Received {
        let position = record.position;
        let command = match record.content {
            Content::Whole(command) => command,
            Content::Damaged(damaged) => return damaged_record(position, damaged, now),
        };
        let announced = Announced {
            aggregate_type: command.aggregate.aggregate_type().to_owned(),
            command: command.name.to_string(),
            schema: command.schema,
        };
        let own = self.own.contains(&announced);
        let item = Item {
            position,
            aggregate: broken::aggregate(&command.aggregate),
            request: command.request.clone(),
            trace: command.trace,
            begun: None,
            work: Work::Decide(command),
        };
        if own { Received::Item(item) } else { Received::Strange(item, announced) }
    }
}

fn damaged_record(position: Position, damaged: ordain_ports::Damaged, now: Timestamp) -> Received {
    let fingerprint = Fingerprint::of_unreadable(&damaged.bytes);
    match (damaged.named, UNREADABLE_COMMAND.parse()) {
        (Some((aggregate, request)), Ok(command)) => Received::Item(Item {
            position,
            aggregate,
            request,
            trace: None,
            begun: None,
            work: Work::Reject(Reject {
                command,
                fingerprint,
                reply_to: None,
                code: UNREADABLE,
                why: damaged.why,
                data: damaged.bytes,
            }),
        }),
        _ => Received::Letter(DeadLetter {
            id: LetterId::new(TOPIC, position),
            named: None,
            command: None,
            code: UNREADABLE,
            why: damaged.why,
            data: damaged.bytes,
            time: now,
            retries: Vec::new(),
        }),
    }
}
