//! The routes of the two listeners: one for clients, one for operators.

mod admin;
mod aggregates;
pub(crate) mod answers;
mod batch;
mod commands;
mod dead_letters;
pub(crate) mod health;
pub(crate) mod known_types;
pub(crate) mod openapi;
mod outcome;
mod status;
mod views;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::frame::frame;
use crate::{Api, Problem};

/// The routes that clients use.
pub fn public(api: &Arc<Api>) -> Router {
    let routes = Router::new()
        .route("/v1/types", get(known_types::list))
        .route("/v1/views/{view}", get(views::list))
        .route("/v1/views/{view}/{*key}", get(views::row))
        .route("/v1/commands", post(batch::send))
        .route("/v1/{type}/{name}", get(aggregates::state).post(commands::create))
        .route("/v1/{type}/{name}/events", get(aggregates::events))
        .route("/v1/{type}/{name}/requests/{request}", get(outcome::show))
        .route("/v1/{type}/{name}/{command}", post(commands::send))
        .route("/openapi.json", get(openapi::show))
        .route("/problems/{kind}", get(openapi::problem))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready));
    framed(routes, api)
}

/// The routes that operators use.
pub fn admin(api: &Arc<Api>) -> Router {
    let routes = Router::new()
        .route("/metrics", get(admin::metrics))
        .route("/v1/admin/config", get(admin::configuration))
        .route("/v1/admin/status", get(status::show))
        .route("/v1/admin/deadletters", get(dead_letters::list))
        .route("/v1/admin/deadletters/{id}", get(dead_letters::show))
        .route("/v1/admin/deadletters/{id}/retry", post(dead_letters::retry))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready));
    framed(routes, api)
}

fn framed(routes: Router<Arc<Api>>, api: &Arc<Api>) -> Router {
    routes
        .fallback(|| async { Problem::unknown_route() })
        .layer(from_fn_with_state(Arc::clone(api), frame))
        .with_state(Arc::clone(api))
}

/// A JSON document that no cache may keep, because it changes.
pub(crate) fn json(document: impl Into<Bytes>) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    (headers, document.into()).into_response()
}

#[cfg(test)]
mod tests;
