//! Problems: every answer that is not what the client asked for, as RFC 9457 says.

mod kind;

use std::borrow::Cow;
use std::fmt::Display;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use ordain_model::json::{VIOLATIONS_MAX, Violation};
use ordain_model::{Commit, Outcome, RequestId};
use uuid::Uuid;

pub use kind::ProblemKind;

use crate::document;
use crate::writer::ObjectWriter;

/// The media type of every problem.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// How long a client may best wait before it asks again, where nothing better is known.
const RETRY_AFTER_S: u64 = 1;

/// An answer that is not what the client asked for: `application/problem+json`.
///
/// Small, for it is the error of everything here.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem(Box<Content>);

#[derive(Debug, Clone, PartialEq)]
struct Content {
    kind: ProblemKind,
    code: Cow<'static, str>,
    detail: Option<String>,
    request: Option<RequestId>,
    result: Option<Bytes>,
    violations: Vec<Violation>,
    incident: Option<Uuid>,
    retry_after_s: Option<u64>,
}

impl Problem {
    /// A problem of a kind, with the code for programs to compare.
    #[must_use]
    pub fn new(kind: ProblemKind, code: impl Into<Cow<'static, str>>) -> Self {
        let retry_after_s = match kind.status() {
            StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS => Some(RETRY_AFTER_S),
            _ => None,
        };
        Self(Box::new(Content {
            kind,
            code: code.into(),
            detail: None,
            request: None,
            result: None,
            violations: Vec::new(),
            incident: None,
            retry_after_s,
        }))
    }

    /// The answer to a stored outcome that is no success: 409, 412 or 422, with the outcome
    /// document whole. `None` for a success.
    #[must_use]
    pub fn of_outcome(commit: &Commit) -> Option<Self> {
        let (kind, code) = match &commit.outcome {
            Outcome::Success => return None,
            Outcome::Fail(code) if *code == ordain_model::Code::SEQUENCE_MISMATCH => {
                (ProblemKind::SequenceMismatch, code.as_str().to_owned().into())
            }
            Outcome::Fail(code) => (ProblemKind::Failed, code.as_str().to_owned().into()),
            Outcome::Expired => (ProblemKind::Expired, Cow::Borrowed("EXPIRED")),
            Outcome::Rejected(code) => (ProblemKind::Rejected, code.as_str().to_owned().into()),
        };
        let mut problem = Self::new(kind, code).about(commit.request.clone());
        problem.0.result = Some(document::outcome(commit).into());
        Some(problem)
    }

    /// 422: the request id names another command to this aggregate.
    #[must_use]
    pub fn key_reused() -> Self {
        Self::new(ProblemKind::KeyReused, "KEY_REUSED")
            .because("this request id was used for another command or body on this aggregate")
    }

    /// 422: the body breaks the command's schema.
    #[must_use]
    pub fn invalid_body(mut violations: Vec<Violation>) -> Self {
        violations.truncate(VIOLATIONS_MAX);
        let mut problem = Self::new(ProblemKind::InvalidBody, "INVALID_BODY");
        problem.0.violations = violations;
        problem
    }

    /// 400: the body is no JSON, or JSON that is not taken.
    #[must_use]
    pub fn malformed(why: impl Display) -> Self {
        Self::new(ProblemKind::BadRequest, "MALFORMED_JSON").because(why)
    }

    /// 400: an id or name that is none.
    #[must_use]
    pub fn bad_id(why: impl Display) -> Self {
        Self::new(ProblemKind::BadRequest, "BAD_ID").because(why)
    }

    /// 400: a header that cannot be read.
    #[must_use]
    pub fn bad_header(name: &str, why: impl Display) -> Self {
        Self::new(ProblemKind::BadRequest, "BAD_HEADER").because(format_args!("{name}: {why}"))
    }

    /// 400: a path that cannot be read.
    #[must_use]
    pub fn bad_path(why: impl Display) -> Self {
        Self::new(ProblemKind::BadRequest, "BAD_PATH").because(why)
    }

    /// 400: a query that cannot be read, or names what is not asked here.
    #[must_use]
    pub fn bad_query(why: impl Display) -> Self {
        Self::new(ProblemKind::BadRequest, "BAD_QUERY").because(why)
    }

    /// 404: no such route.
    #[must_use]
    pub fn unknown_route() -> Self {
        Self::new(ProblemKind::NotFound, "UNKNOWN_ROUTE")
    }

    /// 404: no such aggregate type.
    #[must_use]
    pub fn unknown_type() -> Self {
        Self::new(ProblemKind::NotFound, "UNKNOWN_TYPE").because("there is no such aggregate type")
    }

    /// 404: the type has no such command.
    #[must_use]
    pub fn unknown_command() -> Self {
        Self::new(ProblemKind::NotFound, "UNKNOWN_COMMAND")
            .because("the aggregate type has no such command")
    }

    /// 404: nothing has happened to the aggregate.
    #[must_use]
    pub fn unknown_aggregate() -> Self {
        Self::new(ProblemKind::NotFound, "UNKNOWN_AGGREGATE")
            .because("nothing has happened to this aggregate")
    }

    /// 404: nothing was accepted under this request id until now.
    #[must_use]
    pub fn unknown_request(request: RequestId) -> Self {
        Self::new(ProblemKind::NotFound, "UNKNOWN")
            .because("nothing was accepted until now: send it again with the same request id")
            .about(request)
    }

    /// 404 with a code of its own.
    #[must_use]
    pub fn not_found(code: &'static str, why: impl Display) -> Self {
        Self::new(ProblemKind::NotFound, code).because(why)
    }

    /// 405.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::new(ProblemKind::MethodNotAllowed, "METHOD_NOT_ALLOWED")
    }

    /// 408: the body did not arrive in time. Nothing was accepted.
    #[must_use]
    pub fn slow_body() -> Self {
        Self::new(ProblemKind::SlowBody, "SLOW_BODY")
    }

    /// 413: the body has more than so many bytes.
    #[must_use]
    pub fn body_too_large(bytes_max: usize) -> Self {
        Self::new(ProblemKind::BodyTooLarge, "BODY_TOO_LARGE")
            .because(format_args!("at most {bytes_max} bytes are taken"))
    }

    /// 415: the body has a type that is not taken here.
    #[must_use]
    pub fn unsupported_media_type(taken: &str) -> Self {
        Self::new(ProblemKind::UnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE")
            .because(format_args!("the Content-Type must be {taken}"))
    }

    /// 431: the headers are too many or too large.
    #[must_use]
    pub fn headers_too_large(why: impl Display) -> Self {
        Self::new(ProblemKind::HeadersTooLarge, "HEADERS_TOO_LARGE").because(why)
    }

    /// 429: as many commands of this caller are on their way as may be.
    #[must_use]
    pub fn too_many() -> Self {
        Self::new(ProblemKind::TooMany, "TOO_MANY")
    }

    /// 504: it is not known what became of the command, or will.
    #[must_use]
    pub fn timed_out(request: RequestId) -> Self {
        Self::new(ProblemKind::TimedOut, "TIMEOUT").about(request)
    }

    /// 503: this attempt was certainly not accepted.
    #[must_use]
    pub fn not_accepted(why: impl Display) -> Self {
        Self::new(ProblemKind::NotAccepted, "NOT_ACCEPTED").because(why)
    }

    /// 503: builds are mixed, and not every worker that lives announces the command. Certainly not
    /// accepted.
    #[must_use]
    pub fn not_announced() -> Self {
        let why = "a worker of another build does not know this command, or knows another schema of \
                   it; it is taken once all workers are of a build that knows it";
        Self::new(ProblemKind::NotAccepted, "NOT_ANNOUNCED").because(why)
    }

    /// 503: the process went down before the command had wholly arrived.
    #[must_use]
    pub fn going_down() -> Self {
        Self::not_accepted("this process is going down").retry_after_s(1)
    }

    /// 503: not sent, because what became of the command before it is not known.
    #[must_use]
    pub fn predecessor_unknown() -> Self {
        Self::new(ProblemKind::PredecessorUnknown, "PREDECESSOR_UNKNOWN")
    }

    /// 503: what the answer rests on cannot be read at the moment. Only for what changes nothing,
    /// because of a command it would say that it was not accepted.
    #[must_use]
    pub fn unavailable(error: &ordain_ports::Error) -> Self {
        tracing::warn!(error = %error, "read failed");
        Self::new(ProblemKind::Unavailable, "UNAVAILABLE")
    }

    /// 500: our defect. The client is told the id of the incident, the log the rest.
    #[must_use]
    pub fn internal(why: impl Display) -> Self {
        let incident = Uuid::now_v7();
        tracing::error!(%incident, why = %why, "internal error");
        let mut problem = Self::new(ProblemKind::Internal, "INTERNAL");
        problem.0.incident = Some(incident);
        problem
    }

    /// The same, saying more about this occurrence.
    #[must_use]
    pub fn because(mut self, detail: impl Display) -> Self {
        self.0.detail = Some(detail.to_string());
        self
    }

    /// The same, naming the request that it is about. An internal error names nothing.
    #[must_use]
    pub fn about(mut self, request: RequestId) -> Self {
        self.0.request = (self.0.kind != ProblemKind::Internal).then_some(request);
        self
    }

    /// The same, telling the client after how many seconds to ask again; at least one.
    #[must_use]
    pub fn retry_after_s(mut self, seconds: u64) -> Self {
        self.0.retry_after_s = Some(seconds.max(1));
        self
    }

    /// What kind of problem it is.
    #[must_use]
    pub fn kind(&self) -> ProblemKind {
        self.0.kind
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.kind.status()
    }

    /// The code for programs to compare.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The problem as JSON, without a line break.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut object = ObjectWriter::new()
            .text("type", &format!("/problems/{}", self.0.kind.slug()))
            .text("title", self.0.kind.title())
            .number("status", u64::from(self.status().as_u16()));
        if let Some(detail) = &self.0.detail {
            object = object.text("detail", detail);
        }
        object = object.text("code", &self.0.code);
        if let Some(request) = &self.0.request {
            object = object.plain("requestId", request);
        }
        if !self.0.violations.is_empty() {
            object = object.array("violations", self.0.violations.iter().map(violation));
        }
        if let Some(incident) = self.0.incident {
            object = object.plain("incident", incident);
        }
        if let Some(result) = &self.0.result {
            object = object.json("result", result);
        }
        object.finish()
    }
}

fn violation(violation: &Violation) -> Vec<u8> {
    ObjectWriter::new()
        .text("pointer", &violation.pointer)
        .text("message", &violation.message)
        .finish()
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status(), self.to_json()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.0.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests;
