//! What operators read: the metrics, the configuration in force, and how far the work has come.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::routes::json;
use crate::writer::ObjectWriter;
use crate::{Api, Problem};

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

/// `GET /v1/admin/status`
pub(crate) async fn status(State(api): State<Arc<Api>>) -> Result<Response, Problem> {
    let log = &api.parts.ports.log;
    // Progress first: read after the ends, it could seem to be ahead of them.
    let progress = log.progress().await.map_err(|error| Problem::unavailable(&error))?;
    let ends = log.ends().await.map_err(|error| Problem::unavailable(&error))?;
    let partitions = ends.iter().enumerate().map(|(partition, end)| {
        let done = progress.get(partition).copied().flatten();
        let object = ObjectWriter::new().number("partition", partition as u64).number("end", *end);
        let object = match done {
            Some(done) => object.number("progress", done),
            None => object.json("progress", b"null"),
        };
        object.number("behind", end.saturating_sub(done.unwrap_or(0))).finish()
    });
    let document = ObjectWriter::new()
        .text("version", &api.parts.version)
        .number("uptimeSeconds", api.begun.elapsed().as_secs())
        .array("partitions", partitions)
        .finish();
    Ok(json(document))
}
