//! What an answer, or the lack of one, says about a command: definite, unknown, not accepted.

use http::StatusCode;

use crate::client::{Answer, Broken};
use crate::outcome::Stored;
use crate::problem::Problem;
use crate::retry::AskedWait;

/// What one attempt says about the command.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It has an outcome, stored for good.
    Stored(Box<Stored>),
    /// It is refused, and would be again; this attempt was not accepted.
    Refused(Box<Problem>),
    /// This attempt was certainly not accepted; another may be.
    NotAccepted(Why),
    /// It may have been accepted.
    Unknown(Why),
}

/// Why there is no outcome.
#[derive(Debug)]
pub(crate) struct Why {
    /// For people.
    pub(crate) text: String,
    /// Whether there is any point in another attempt.
    pub(crate) again: bool,
    /// How long the server asks to wait before that.
    pub(crate) wait: AskedWait,
    /// The server's own words.
    pub(crate) problem: Option<Box<Problem>>,
    /// What a person can do about it.
    pub(crate) advice: Option<String>,
}

impl Verdict {
    /// What the end of an attempt says.
    pub(crate) fn of(end: &Result<Answer, Broken>) -> Self {
        match end {
            Ok(answer) => Self::of_answer(answer),
            Err(Broken::NotReached(why)) => Self::NotAccepted(Why::broken(why)),
            Err(Broken::NoAnswer(why)) => Self::Unknown(Why::broken(why)),
        }
    }

    fn of_answer(answer: &Answer) -> Self {
        match answer.status {
            StatusCode::OK | StatusCode::CREATED => Self::of_document(answer),
            StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::REQUEST_TIMEOUT => Self::NotAccepted(Why::said(answer, true)),
            StatusCode::ACCEPTED | StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => {
                Self::Unknown(Why::said(answer, true))
            }
            status if status.is_client_error() => Self::of_refusal(answer),
            status if status.is_redirection() => Self::Refused(Box::new(Problem::of(answer))),
            _ => Self::Unknown(Why::said(answer, false)),
        }
    }

    fn of_document(answer: &Answer) -> Self {
        match Stored::read(&answer.body, replayed(answer)) {
            Some(stored) => Self::Stored(Box::new(stored)),
            None => Self::Unknown(Why {
                text: format!("{} without an outcome: is this an ordain server?", answer.status),
                again: false,
                wait: AskedWait::NONE,
                problem: None,
                advice: None,
            }),
        }
    }

    /// The statuses of refusals by a rule and of refusals at the door overlap; what carries an
    /// outcome document is an outcome.
    fn of_refusal(answer: &Answer) -> Self {
        let problem = Problem::of(answer);
        let stored = problem.result.as_ref().filter(|_| problem.code.as_deref() != Some(REUSED));
        if let Some(stored) = stored.and_then(|text| Stored::read(text.get(), replayed(answer))) {
            return Self::Stored(Box::new(stored));
        }
        match answer.status {
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => {
                Self::Unknown(Why::said(answer, false))
            }
            _ => Self::Refused(Box::new(problem)),
        }
    }
}

const REUSED: &str = "KEY_REUSED";

fn replayed(answer: &Answer) -> bool {
    answer.header("idempotency-replayed") == Some("true")
}

impl Why {
    fn broken(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            again: true,
            wait: AskedWait::NONE,
            problem: None,
            advice: None,
        }
    }

    fn said(answer: &Answer, again: bool) -> Self {
        let problem = Problem::of(answer);
        Self {
            text: format!("{} {}", answer.status.as_u16(), problem.line()),
            again,
            wait: AskedWait::of(answer.header("retry-after")),
            problem: Some(Box::new(problem)),
            advice: None,
        }
    }
}

#[cfg(test)]
mod tests;
