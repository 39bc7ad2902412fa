//! One command on its way: attempt after attempt under one request id, until there is an outcome
//! or nothing more to hope for.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, IF_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tokio_util::sync::CancellationToken;

use crate::client::{self, Broken, Call, Client, GRACE};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::outcome::Stored;
use crate::problem::Problem;
use crate::retry::Policy;
use crate::verdict::{Verdict, Why};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const PREFER: HeaderName = HeaderName::from_static("prefer");
const DEADLINE: HeaderName = HeaderName::from_static("ordain-deadline");

/// A command, ready to be sent as often as it takes.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub(crate) aggregate_type: String,
    /// Without an id it creates, and the server makes the id from the request id.
    pub(crate) id: Option<String>,
    pub(crate) command: String,
    pub(crate) request_id: String,
    pub(crate) body: Bytes,
    pub(crate) deadline: Option<String>,
    pub(crate) if_match: Option<u64>,
}

/// How commands are sent.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    pub(crate) client: Client,
    pub(crate) policy: Policy,
    /// How long the server may take to answer an attempt.
    pub(crate) timeout: Duration,
    /// Cancelled when the person does not want to wait any more.
    pub(crate) stop: CancellationToken,
}

/// What is told before another attempt.
#[derive(Debug)]
pub(crate) struct Retry<'a> {
    /// The number of the attempt to come.
    pub(crate) attempt: u32,
    pub(crate) attempts_max: u32,
    pub(crate) pause: Duration,
    /// Why the last attempt brought no outcome.
    pub(crate) why: &'a str,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) exit: Exit,
    pub(crate) ending: Ending,
    /// How many attempts were begun.
    pub(crate) attempts: u32,
}

/// What is known at the end.
#[derive(Debug)]
pub(crate) enum Ending {
    /// The outcome.
    Stored(Box<Stored>),
    /// The server's refusal of the last attempt.
    Refused(Box<Problem>),
    /// Why the last attempt brought no outcome.
    Open(Why),
    /// The person did not want to wait any more.
    Interrupted,
}

impl Sender {
    /// Sends the command until it is settled; `tell` hears of every further attempt before the
    /// pause that comes first.
    pub(crate) async fn send(&self, command: &Command, tell: impl Fn(&Retry<'_>)) -> Settled {
        let call = match self.call(command) {
            Ok(call) => call,
            Err(problem) => return Settled::new(Ending::Refused(problem), false, 0),
        };
        // Whether any attempt may have been accepted, so that even a certain "no" of a later one
        // leaves it unknown.
        let mut doubt = false;
        let mut attempts = 0;
        loop {
            if self.stop.is_cancelled() {
                return Settled::new(Ending::Interrupted, doubt, attempts);
            }
            attempts += 1;
            let end = tokio::select! {
                end = self.client.call(call.clone()) => end,
                () = self.stop.cancelled() => {
                    return Settled::new(Ending::Interrupted, true, attempts);
                }
            };
            let why = match Verdict::of(&end) {
                Verdict::Stored(stored) => {
                    return Settled::new(Ending::Stored(stored), doubt, attempts);
                }
                Verdict::Refused(problem) => {
                    return Settled::new(Ending::Refused(problem), doubt, attempts);
                }
                Verdict::NotAccepted(why) => self.explained(why, &end),
                Verdict::Unknown(why) => {
                    doubt = true;
                    why
                }
            };
            let pause = self.policy.pause(attempts, why.wait).filter(|_| why.again);
            let Some(pause) = pause else {
                return Settled::new(Ending::Open(why), doubt, attempts);
            };
            let attempts_max = self.policy.attempts_max;
            tell(&Retry { attempt: attempts + 1, attempts_max, pause, why: &why.text });
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    fn explained(&self, mut why: Why, end: &Result<client::Answer, Broken>) -> Why {
        if let Err(broken @ Broken::NotReached(_)) = end {
            why.text = format!("{} cannot be reached: {}", self.client.address(), why.text);
            why.advice = Some(self.client.advice(broken));
        }
        why
    }

    fn call(&self, command: &Command) -> Result<Call, Box<Problem>> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(IDEMPOTENCY_KEY, header("request id", &command.request_id)?);
        let wait = format!("wait={}", client::whole_seconds(self.timeout));
        headers.insert(PREFER, header("timeout", &wait)?);
        if let Some(deadline) = &command.deadline {
            headers.insert(DEADLINE, header("deadline", deadline)?);
        }
        if let Some(sequence) = command.if_match {
            headers.insert(IF_MATCH, header("sequence", &format!("\"{sequence}\""))?);
        }
        let mut segments = vec![command.aggregate_type.as_str()];
        segments.extend(command.id.as_deref());
        segments.push(&command.command);
        if segments.iter().any(|segment| segment.is_empty()) {
            return Err(Problem::ours("type, id and command are not empty".to_owned()));
        }
        Ok(Call {
            method: Method::POST,
            path: client::path(&segments),
            headers,
            body: command.body.clone(),
            limit: self.timeout.saturating_add(GRACE),
        })
    }
}

fn header(what: &str, value: &str) -> Result<HeaderValue, Box<Problem>> {
    HeaderValue::from_str(value)
        .ok()
        .filter(|header| !header.is_empty() && header.to_str().is_ok())
        .ok_or_else(|| Problem::ours(format!("the {what} has characters that cannot be sent")))
}

impl Settled {
    fn new(ending: Ending, doubt: bool, attempts: u32) -> Self {
        let exit = match &ending {
            Ending::Stored(stored) => stored.exit(),
            _ if doubt => Exit::Unknown,
            Ending::Refused(_) => Exit::Refused,
            Ending::Open(_) | Ending::Interrupted => Exit::NotAccepted,
        };
        Self { exit, ending, attempts }
    }

    /// Why there is no outcome, in one line.
    pub(crate) fn line(&self) -> String {
        let attempts = match self.attempts {
            1 => "after 1 attempt".to_owned(),
            attempts => format!("after {attempts} attempts"),
        };
        match (&self.ending, self.exit) {
            (Ending::Stored(stored), _) => stored.words(),
            (Ending::Refused(problem), Exit::Unknown) => {
                format!(
                    "unknown: an earlier attempt may have been accepted, though this one was \
                         refused with {}",
                    problem.line()
                )
            }
            (Ending::Refused(problem), _) => format!("refused: {}", problem.line()),
            (Ending::Open(why), Exit::Unknown) => format!("unknown {attempts}: {}", why.text),
            (Ending::Open(why), _) => format!("certainly not accepted {attempts}: {}", why.text),
            (Ending::Interrupted, Exit::Unknown) => {
                "interrupted; it may have been accepted".to_owned()
            }
            (Ending::Interrupted, _) => "interrupted; certainly not accepted".to_owned(),
        }
    }

    /// The server's own words about why there is no outcome.
    pub(crate) fn problem(&self) -> Option<&Problem> {
        match &self.ending {
            Ending::Refused(problem) => Some(problem),
            Ending::Open(why) => why.problem.as_deref(),
            Ending::Stored(_) | Ending::Interrupted => None,
        }
    }

    /// The failure of a command that has no outcome.
    pub(crate) fn failure(&self, command: &Command) -> Box<Failure> {
        let problem = self.problem();
        let mut hints = Vec::new();
        if let Ending::Open(Why { advice: Some(advice), .. }) = &self.ending {
            hints.push(advice.clone());
        }
        hints.extend(problem.and_then(Problem::violations));
        hints.extend(self.what_next(command));
        let raw = problem.and_then(|problem| problem.raw.clone());
        let failure = Failure::new(self.exit, self.line()).problem(raw);
        let failure =
            if self.attempts > 0 { failure.request_id(&command.request_id) } else { failure };
        if hints.is_empty() { failure } else { failure.hint(hints.join("\n")) }
    }

    fn what_next(&self, command: &Command) -> Option<String> {
        let request_id = &command.request_id;
        let again = format!("to send it again: the same command with --request-id {request_id}");
        match (self.exit, &command.id) {
            (Exit::Unknown, Some(id)) => Some(format!(
                "to ask what became of it: ordain outcome {} {id} {request_id}\n{again}",
                command.aggregate_type
            )),
            (Exit::Unknown | Exit::NotAccepted, _) => Some(again),
            _ => None,
        }
    }
}
