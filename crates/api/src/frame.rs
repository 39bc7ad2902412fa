//! What stands around every route: limits on headers, well-formed paths, panics that end one
//! request and not the process, problems in place of bare errors, and measures.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode};

use crate::measured::Answered;
use crate::{Api, Problem, ProblemKind, path};

/// The layer around all routes of one listener.
pub(crate) async fn frame(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let answer = async {
        let settings = &api.parts.settings;
        check_headers(&request, settings.headers_max, settings.header_bytes_max)?;
        path::check(request.uri())?;
        Ok(next.run(request).await)
    };
    let response = match AssertUnwindSafe(answer).catch_unwind().await {
        Ok(answer) => answer.unwrap_or_else(Problem::into_response),
        Err(panic) => Problem::internal(panic_text(panic.as_ref())).into_response(),
    };
    let response = as_problem(response);
    let answered = Answered {
        route: route.as_ref().map_or("none", MatchedPath::as_str),
        method: known(&method),
        status: response.status(),
    };
    api.requests.record(&answered, begun.elapsed());
    response
}

/// A method's name as a label: of all that a client may make up, one.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PUT => "PUT",
        _ => "other",
    }
}

fn check_headers(request: &Request, count_max: usize, bytes_max: usize) -> Result<(), Problem> {
    let headers = request.headers();
    if headers.len() > count_max {
        return Err(Problem::headers_too_large(format_args!("at most {count_max} are taken")));
    }
    let line = request.uri().path().len() + request.uri().query().map_or(0, str::len);
    if line + header_bytes(headers) > bytes_max {
        let why = format_args!("at most {bytes_max} bytes are taken, the request line included");
        return Err(Problem::headers_too_large(why));
    }
    Ok(())
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum()
}

/// An error that some layer below answered without a body of its own becomes a problem.
fn as_problem(response: Response) -> Response {
    let status = response.status();
    let has_body_of_its_own = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/"));
    if !(status.is_client_error() || status.is_server_error()) || has_body_of_its_own {
        return response;
    }
    let problem = match status {
        StatusCode::NOT_FOUND => Problem::unknown_route(),
        StatusCode::METHOD_NOT_ALLOWED => Problem::method_not_allowed(),
        _ if status.is_client_error() => Problem::new(ProblemKind::BadRequest, "BAD_REQUEST"),
        _ => Problem::internal(format_args!("answered {status} without saying why")),
    };
    let mut answer = problem.into_response();
    if let Some(allow) = response.headers().get(ALLOW) {
        answer.headers_mut().insert(ALLOW, allow.clone());
    }
    answer
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panic: {}", text.unwrap_or_else(|| "of unknown kind".to_owned()))
}
