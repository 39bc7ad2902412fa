//! Queries: read into what a route asks for, with everything else refused.

use std::time::Duration;

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::{Problem, Settings};

/// A query as the type `T`, which should deny unknown fields; 400 when it is not one.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        axum::extract::Query::<T>::try_from_uri(&parts.uri)
            .map(|query| Self(query.0))
            .map_err(|bad| Problem::bad_query(std::error::Error::source(&bad).unwrap_or(&bad)))
    }
}

/// A number of items per page.
///
/// # Errors
/// 400 for none, or more than there may be.
pub(crate) fn page(asked: Option<usize>, default: usize, max: usize) -> Result<usize, Problem> {
    match asked.unwrap_or(default) {
        limit if (1..=max).contains(&limit) => Ok(limit),
        _ => Err(Problem::bad_query(format_args!("limit is a number from 1 to {max}"))),
    }
}

/// How long to wait, from the seconds asked for.
pub(crate) fn wait(seconds: Option<u64>, settings: &Settings) -> Duration {
    settings.wait(seconds.map(|seconds| seconds.saturating_mul(1_000)))
}

/// The query of a route that asks for none.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}
