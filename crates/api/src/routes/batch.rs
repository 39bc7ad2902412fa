//! Sending many commands on one connection: a JSON array or lines of JSON in, lines of JSON out.

mod item;
mod lines;
mod run;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use tokio::sync::mpsc;

use crate::body::{self, BodyType};
use crate::routes::commands::headers::Said;
use crate::{Api, Problem};

use lines::{Lines, Source};
use run::Run;

/// Answers that are ready and not yet taken by the connection.
const ANSWERS_READY_MAX: usize = 16;

/// `POST /v1/commands`
pub(crate) async fn send(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let said = Said::read(&headers)?;
    let settings = api.settings();
    let source = match BodyType::of(&headers) {
        Some(BodyType::Json) => {
            let bytes = body::whole(&headers, body, settings.batch_bytes_max, settings);
            let bytes = api.unless_going_down(bytes).await?;
            Source::Whole(item::array(&bytes, settings.batch_commands_max)?.into_iter())
        }
        Some(BodyType::Ndjson) => Source::Lines(Lines::new(body, settings, api.going_down.clone())),
        None => {
            return Err(Problem::unsupported_media_type(
                "application/json or application/x-ndjson",
            ));
        }
    };
    let wait = settings.wait(said.preferred.wait_ms);
    let (answers, mut ready) = mpsc::channel::<Bytes>(ANSWERS_READY_MAX);
    // A task of its own, so that a client who reads slowly slows down nobody's commands but those
    // that it has not sent yet. It ends when the client has gone.
    tokio::spawn(Run::new(api, source, (answers, wait, said.trace)).run());
    let lines = stream::poll_fn(move |context| ready.poll_recv(context));
    let body = Body::from_stream(lines.map(Ok::<_, std::convert::Infallible>));
    let headers = [(CONTENT_TYPE, "application/x-ndjson"), (CACHE_CONTROL, "no-store")];
    Ok((headers, body).into_response())
}
