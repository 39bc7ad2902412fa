//! What became of a command, asked later.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use ordain_model::{AggregateKey, RequestId, TENANT_DEFAULT};
use serde::Deserialize;

use crate::outcome::{Found, Questions};
use crate::query::{self, Query};
use crate::routes::json;
use crate::{Api, Problem, document};

/// How long to wait.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutcomeQuery {
    wait: Option<u64>,
}

/// `GET /v1/{type}/{id}/requests/{requestId}`
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Path((aggregate_type, id, request)): Path<(String, String, String)>,
    Query(query): Query<OutcomeQuery>,
) -> Result<Response, Problem> {
    api.submitter.handler(&aggregate_type).ok_or_else(Problem::unknown_type)?;
    let key = AggregateKey::new(TENANT_DEFAULT, &aggregate_type, &id).map_err(Problem::bad_id)?;
    let request: RequestId = request.parse().map_err(Problem::bad_id)?;
    let questions = Questions {
        log: api.parts.ports.log.as_ref(),
        outcomes: api.parts.ports.outcomes.as_ref(),
        owners: api.submitter.owners(),
        limits: &api.settings().submit,
        over: &api.going_down,
    };
    let wait = query::wait(query.wait, api.settings());
    let found = questions.ask((key, request.clone()), wait).await;
    match found.map_err(|error| Problem::unavailable(&error).about(request.clone()))? {
        Found::Outcome(commit) => Ok(json(document::outcome(&commit))),
        Found::Pending(behind) => {
            let pending = document::pending(&request, behind.records, behind.ms);
            Ok((StatusCode::ACCEPTED, json(pending)).into_response())
        }
        Found::Unknown => Err(Problem::unknown_request(request)),
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use crate::scripted::deposit;
    use crate::staged::Stage;

    #[tokio::test(start_paused = true)]
    async fn each_finding_has_its_answer() {
        let stage = Stage::set().await;
        let path = "/v1/account/a/requests/r";
        let unknown = stage.get(path).await;
        assert_eq!(unknown.problem(), (404, "UNKNOWN".to_owned()));
        assert_eq!(unknown.json()["requestId"], "r");

        stage.log.ends.send_replace(vec![7, 0]);
        stage.log.progress.send_replace(vec![Some(4), None]);
        let pending = stage.get(&format!("{path}?wait=2")).await;
        assert_eq!(pending.status, 202);
        assert_eq!(
            pending.text(),
            r#"{"requestId":"r","state":"PENDING","behind":{"records":3,"ms":2000}}"#
        );

        let submitter = stage.api.submitter.clone();
        let wait = crate::Wait::Outcome(std::time::Duration::ZERO);
        tokio::spawn(async move { submitter.submit(deposit("r", 1), wait).await });
        let commit = stage.outcomes.store(&stage.log.appended(1).await);
        let found = stage.get(path).await;
        assert_eq!((found.status, found.body), (200, crate::document::outcome(&commit).into()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_asked_is_refused() {
        let stage = Stage::set().await;
        for (path, status, code) in [
            ("/v1/nothing/a/requests/r", 404, "UNKNOWN_TYPE"),
            ("/v1/account/.a/requests/r", 400, "BAD_ID"),
            ("/v1/account/a/requests/r%20r", 400, "BAD_ID"),
            ("/v1/account/a/requests/r?wait=x", 400, "BAD_QUERY"),
            ("/v1/account/a/requests/r?wait=-1", 400, "BAD_QUERY"),
            ("/v1/account/a/requests/r?more=1", 400, "BAD_QUERY"),
        ] {
            assert_eq!(stage.get(path).await.problem(), (status, code.to_owned()), "{path}");
        }
        stage.outcomes.fail(true);
        let unavailable = stage.get("/v1/account/a/requests/r").await;
        assert_eq!(unavailable.problem(), (503, "UNAVAILABLE".to_owned()));
        let request = http::Request::builder().method(Method::DELETE);
        let request = request.uri("/v1/account/a/requests/r").body(axum::body::Body::empty());
        let refused = stage.ask(request.unwrap()).await;
        assert_eq!(refused.problem(), (405, "METHOD_NOT_ALLOWED".to_owned()));
    }
}
