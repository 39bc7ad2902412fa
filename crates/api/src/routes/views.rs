//! Reading views: a row by its key, rows by the beginning of their keys, and either only once the
//! view has reached a receipt.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Response;
use ordain_model::{Receipt, TENANT_DEFAULT};
use ordain_ports::RowRange;
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use crate::query::{self, Query};
use crate::routes::json;
use crate::{Api, Problem, ProblemKind, ViewInfo, document};

/// What a row is asked for with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RowQuery {
    receipt: Option<String>,
    wait: Option<u64>,
}

/// What rows are asked for with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RowsQuery {
    #[serde(default)]
    prefix: String,
    after: Option<String>,
    limit: Option<usize>,
    receipt: Option<String>,
    wait: Option<u64>,
}

/// `GET /v1/views/{view}/{key}`
pub(crate) async fn row(
    State(api): State<Arc<Api>>,
    Path((view, key)): Path<(String, String)>,
    Query(query): Query<RowQuery>,
) -> Result<Response, Problem> {
    let view = api.view(&view).ok_or_else(unknown_view)?;
    reached(&api, view, query.receipt.as_deref(), query.wait).await?;
    let rows = api.parts.ports.views.rows(&view.name, &[key]).await;
    let found = rows.map_err(|error| Problem::unavailable(&error))?.into_iter().next().flatten();
    match found.as_ref().and_then(|row| Some((row, row.body.as_ref()?))) {
        Some((row, body)) => Ok(json(document::row(&view.name, row, body))),
        None => Err(Problem::not_found("UNKNOWN_ROW", "the view has no row under this key")),
    }
}

/// `GET /v1/views/{view}`
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Path(view): Path<String>,
    Query(query): Query<RowsQuery>,
) -> Result<Response, Problem> {
    let view = api.view(&view).ok_or_else(unknown_view)?;
    let settings = api.settings();
    let limit = query::page(query.limit, settings.page_rows_default, settings.page_rows_max)?;
    reached(&api, view, query.receipt.as_deref(), query.wait).await?;
    let range = RowRange { prefix: query.prefix, after: query.after, limit };
    let page = api.parts.ports.views.list(&view.name, &range).await;
    let page = page.map_err(|error| Problem::unavailable(&error))?;
    Ok(json(document::rows(&view.name, &page.rows, page.next.as_deref())))
}

fn unknown_view() -> Problem {
    Problem::not_found("UNKNOWN_VIEW", "there is no such view")
}

/// Waits until the view has reached the receipt, if there is one.
async fn reached(
    api: &Api,
    view: &ViewInfo,
    receipt: Option<&str>,
    wait_s: Option<u64>,
) -> Result<(), Problem> {
    let Some(receipt) = receipt else {
        return Ok(());
    };
    let receipt: Receipt = receipt.parse().map_err(Problem::bad_query)?;
    let is_followed = receipt.aggregate.tenant() == TENANT_DEFAULT
        && view.types.iter().any(|followed| followed == receipt.aggregate.aggregate_type());
    if !is_followed {
        let why = "the view does not follow the aggregate type that the receipt names";
        return Err(Problem::bad_query(why));
    }
    let settings = api.settings();
    let end = Instant::now() + query::wait(wait_s, settings);
    let mut pause = Duration::from_millis(settings.view_poll_ms_first);
    while place(api, view, &receipt).await? < receipt.sequence {
        let now = Instant::now();
        if now >= end || api.going_down.is_cancelled() {
            return Err(Problem::new(ProblemKind::ViewBehind, "VIEW_BEHIND"));
        }
        tokio::select! {
            () = sleep(pause.min(end - now)) => {}
            () = api.going_down.cancelled() => {}
        }
        pause = (pause * 2).min(Duration::from_millis(settings.view_poll_ms_max));
    }
    Ok(())
}

/// How far the view has come with the receipt's aggregate.
async fn place(api: &Api, view: &ViewInfo, receipt: &Receipt) -> Result<u64, Problem> {
    let reached = api.parts.ports.views.reached(&view.name, view.sole_row, &receipt.aggregate);
    Ok(reached.await.map_err(|error| Problem::unavailable(&error))?.unwrap_or(0))
}
