//! Sending one command.

pub(crate) mod headers;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request as Sent, State};
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use ordain_model::{AggregateKey, Name, RequestId, TENANT_DEFAULT};

use crate::routes::answers;
use crate::{Api, Problem, ProblemKind, Request, Wait, body, created_id, new_request_id};

use headers::Said;

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// `POST /v1/{type}/{id}/{command}`
pub(crate) async fn send(
    State(api): State<Arc<Api>>,
    Path((aggregate_type, id, command)): Path<(String, String, String)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let target = Target { aggregate_type: &aggregate_type, id: Some(&id), command: &command };
    submit(&api, &target, sent).await
}

/// `POST /v1/{type}/{command}`
pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Path((aggregate_type, command)): Path<(String, String)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let target = Target { aggregate_type: &aggregate_type, id: None, command: &command };
    submit(&api, &target, sent).await
}

/// Whom a command is for, as the client wrote it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    /// The aggregate type.
    pub(crate) aggregate_type: &'a str,
    /// The aggregate; none for a command that creates one.
    pub(crate) id: Option<&'a str>,
    /// The command.
    pub(crate) command: &'a str,
}

impl Target<'_> {
    /// The aggregate and the command's name.
    ///
    /// # Errors
    /// 404 for a type or command that there is not; 400 for a bad id, or none where one is needed.
    pub(crate) fn find(
        &self,
        api: &Api,
        request: &RequestId,
    ) -> Result<(AggregateKey, Name), Problem> {
        let handler =
            api.submitter.handler(self.aggregate_type).ok_or_else(Problem::unknown_type)?;
        let command =
            handler.definition().command(self.command).ok_or_else(Problem::unknown_command)?;
        let aggregate = match self.id {
            Some(id) => AggregateKey::new(TENANT_DEFAULT, self.aggregate_type, id),
            None if command.creates => created_id(TENANT_DEFAULT, self.aggregate_type, request),
            None => {
                return Err(Problem::new(ProblemKind::BadRequest, "AGGREGATE_ID_NEEDED")
                    .because("only a command that creates its aggregate is sent without an id"));
            }
        };
        Ok((aggregate.map_err(Problem::bad_id)?, command.name.clone()))
    }
}

async fn submit(api: &Api, target: &Target<'_>, sent: Sent) -> Result<Response, Problem> {
    let (Parts { headers, .. }, body) = sent.into_parts();
    let said = Said::read(&headers)?;
    let id = said.request.clone().unwrap_or_else(new_request_id);
    let request = read(api, target, (&headers, body), (&said, id.clone()))
        .await
        .map_err(|problem| problem.about(id))?;
    let limit = api.settings().wait(said.preferred.wait_ms);
    let wait =
        if said.preferred.respond_async { Wait::Durable(limit) } else { Wait::Outcome(limit) };
    let answered = api.submitter.submit(request.clone(), wait).await;
    let mut response = answers::respond(&request, answers::told(api, &request, answered));
    if response.status() == StatusCode::ACCEPTED {
        let applied = HeaderValue::from_static("respond-async");
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    Ok(response)
}

async fn read(
    api: &Api,
    target: &Target<'_>,
    (headers, body): (&HeaderMap, Body),
    (said, id): (&Said, RequestId),
) -> Result<Request, Problem> {
    let (aggregate, command) = target.find(api, &id)?;
    body::require_json(headers)?;
    let settings = api.settings();
    let body = body::whole(headers, body, settings.body_bytes_max, settings);
    let body = api.unless_going_down(body).await?;
    Ok(Request {
        aggregate,
        request: id,
        command,
        body,
        expected_sequence: said.expected_sequence,
        deadline: said.deadline,
        may_be_repeat: said.request.is_some(),
        trace: said.trace,
    })
}
