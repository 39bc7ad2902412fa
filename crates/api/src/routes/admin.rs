//! What operators read: the metrics and the configuration in force.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::Api;
use crate::routes::json;

/// `GET /metrics`
pub(crate) async fn metrics(State(api): State<Arc<Api>>) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store")];
    (headers, (api.parts.metrics)()).into_response()
}

/// `GET /v1/admin/config`
pub(crate) async fn configuration(State(api): State<Arc<Api>>) -> Response {
    json(api.parts.configuration.to_string())
}
