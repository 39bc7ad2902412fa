//! Reading aggregates: their state, now or as of a sequence, and their events.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use ordain_model::{AggregateKey, Handler, TENANT_DEFAULT};
use serde::Deserialize;

use crate::query::{self, Query};
use crate::routes::json;
use crate::{Api, Problem, document, history};

/// Which state is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StateQuery {
    sequence: Option<u64>,
}

/// Which events are asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsQuery {
    from: Option<u64>,
    limit: Option<usize>,
}

/// `GET /v1/{type}/{id}`
pub(crate) async fn state(
    State(api): State<Arc<Api>>,
    Path((aggregate_type, id)): Path<(String, String)>,
    Query(query): Query<StateQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (key, handler) = named(&api, &aggregate_type, &id)?;
    let commits = api.parts.ports.commits.as_ref();
    let found = match query.sequence {
        None => history::now(commits, handler.as_ref(), &key).await?,
        Some(0) => return Err(Problem::bad_query("sequence is a number from 1 on")),
        Some(sequence) => history::as_of(commits, handler.as_ref(), &key, sequence).await?,
    };
    let tag = format!("\"{}\"", found.sequence);
    let mut response = if is_known(&headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let state = handler.save(&found.state).map_err(Problem::internal)?;
        json(document::aggregate(&key, (found.revision, found.sequence), &state))
    };
    let tag = HeaderValue::try_from(tag).map_err(Problem::internal)?;
    response.headers_mut().insert(ETAG, tag);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `GET /v1/{type}/{id}/events`
pub(crate) async fn events(
    State(api): State<Arc<Api>>,
    Path((aggregate_type, id)): Path<(String, String)>,
    Query(query): Query<EventsQuery>,
) -> Result<Response, Problem> {
    let (key, _) = named(&api, &aggregate_type, &id)?;
    let settings = api.settings();
    let from = query.from.unwrap_or(1);
    if from == 0 {
        return Err(Problem::bad_query("from is a number from 1 on"));
    }
    let limit = query::page(query.limit, settings.page_events_default, settings.page_events_max)?;
    let commits = api.parts.ports.commits.as_ref();
    let page = history::page(commits, &key, from, (limit, settings.page_bytes_max)).await?;
    Ok(json(document::events(&page.events, page.next)))
}

fn named<'a>(
    api: &'a Api,
    aggregate_type: &str,
    id: &str,
) -> Result<(AggregateKey, &'a Arc<dyn Handler>), Problem> {
    let handler = api.parts.registry.get(aggregate_type).ok_or_else(Problem::unknown_type)?;
    let key = AggregateKey::new(TENANT_DEFAULT, aggregate_type, id).map_err(Problem::bad_id)?;
    Ok((key, handler))
}

/// Whether the client says that it has what the tag names. Weak comparison, as RFC 9110 asks.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}
