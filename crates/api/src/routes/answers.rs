//! How an answer of the submitter looks over HTTP.

use axum::response::{IntoResponse, Response};
use http::header::{ETAG, LOCATION};
use http::{HeaderName, HeaderValue, StatusCode};

use ordain_model::{Outcome, TraceContext};

use crate::routes::json;
use crate::{Answered, Api, Invalid, Problem, Refusal, Request, document};

/// Carries the request id, both ways.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Says that the outcome was decided for an earlier sending.
pub(crate) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Carries the trace, both ways: to here that of the caller, back that of the decision.
pub(crate) const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// What is told of a command: a document with its status, or a problem.
#[derive(Debug)]
pub(crate) struct Told {
    /// The status and the document.
    pub(crate) said: Result<(StatusCode, Vec<u8>), Problem>,
    /// Whether the outcome was decided for an earlier sending.
    pub(crate) replayed: bool,
    /// The aggregate's sequence, of a success.
    pub(crate) sequence: Option<u64>,
    /// The trace that the decision belongs to.
    pub(crate) trace: Option<TraceContext>,
}

/// What is told of a command that was submitted.
pub(crate) fn told(api: &Api, request: &Request, answered: Answered) -> Told {
    let replayed = matches!(answered, Answered::Decided { replayed: true, .. });
    let sequence = match &answered {
        Answered::Decided { commit, .. } if commit.outcome == Outcome::Success => {
            Some(commit.sequence)
        }
        _ => None,
    };
    let trace = match &answered {
        Answered::Decided { commit, .. } => commit.trace,
        _ => None,
    };
    let id = || request.request.clone();
    let said = match answered {
        Answered::Decided { commit, .. } => match Problem::of_outcome(&commit) {
            None => Ok((success(api, request), document::outcome(&commit))),
            Some(problem) => Err(problem),
        },
        Answered::Accepted => Ok((StatusCode::ACCEPTED, document::accepted(&request.request))),
        Answered::KeyReused => Err(Problem::key_reused().about(id())),
        Answered::TimedOut { retry_after, .. } => {
            Err(Problem::timed_out(id()).retry_after_s(whole_seconds(retry_after)))
        }
        Answered::NotAccepted { why, retry_after } => {
            Err(refused(why).about(id()).retry_after_s(whole_seconds(retry_after)))
        }
        Answered::Invalid(why) => Err(invalid(api, request, why).about(id())),
    };
    Told { said, replayed, sequence, trace }
}

/// The same as an answer of its own.
pub(crate) fn respond(request: &Request, told: Told) -> Response {
    let mut response = match told.said {
        Ok((status, document)) => (status, json(document)).into_response(),
        Err(problem) => problem.into_response(),
    };
    let location = match response.status() {
        StatusCode::ACCEPTED => Some(outcome_location(request)),
        StatusCode::CREATED => Some(aggregate_location(request)),
        _ => None,
    };
    let headers = response.headers_mut();
    // Ids have only letters that a header and a path can carry.
    if let Ok(id) = HeaderValue::from_str(request.request.as_str()) {
        headers.insert(IDEMPOTENCY_KEY, id);
    }
    if told.replayed {
        headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    if let Some(Ok(trace)) = told.trace.map(|trace| HeaderValue::try_from(trace.to_string())) {
        headers.insert(TRACE_PARENT, trace);
    }
    if let Some(Ok(location)) = location.map(HeaderValue::try_from) {
        headers.insert(LOCATION, location);
    }
    if let Some(Ok(tag)) = told.sequence.map(|at| HeaderValue::try_from(format!("\"{at}\""))) {
        headers.insert(ETAG, tag);
    }
    response
}

/// Where the outcome of a command is to be found.
fn outcome_location(request: &Request) -> String {
    format!("{}/requests/{}", aggregate_location(request), request.request)
}

/// Where the aggregate is to be found.
fn aggregate_location(request: &Request) -> String {
    format!("/v1/{}/{}", request.aggregate.aggregate_type(), request.aggregate.id())
}

fn success(api: &Api, request: &Request) -> StatusCode {
    let handler = api.submitter.handler(request.aggregate.aggregate_type());
    let command = handler.and_then(|known| known.definition().command(request.command.as_str()));
    if command.is_some_and(|command| command.creates) {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    }
}

fn invalid(api: &Api, request: &Request, why: Invalid) -> Problem {
    match why {
        Invalid::UnknownCommand => {
            match api.submitter.handler(request.aggregate.aggregate_type()) {
                Some(_) => Problem::unknown_command(),
                None => Problem::unknown_type(),
            }
        }
        Invalid::Malformed(why) => Problem::malformed(why),
        Invalid::Violations(violations) => Problem::invalid_body(violations),
        Invalid::Undecodable(why) => Problem::invalid_body(Vec::new()).because(why),
        Invalid::TooLarge { bytes_max } => Problem::body_too_large(bytes_max),
    }
}

fn refused(why: Refusal) -> Problem {
    Problem::not_accepted(match why {
        Refusal::TenantBusy => return Problem::too_many(),
        Refusal::NotAnnounced => return Problem::not_announced(),
        Refusal::Busy => "as many commands are on their way as may be",
        Refusal::Overloaded => "so many commands stand before it that it would wait for too long",
        Refusal::NoWorker => "no worker takes up commands to this aggregate at the moment",
        Refusal::NoSpace => "there is no room for more commands",
        Refusal::Draining => "this process is going down",
    })
}

fn whole_seconds(time: std::time::Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
