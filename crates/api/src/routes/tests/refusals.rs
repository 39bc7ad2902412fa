//! What is refused before, or in place of, any route.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use http::{Method, Request};

use crate::Settings;
use crate::frame::frame;
use crate::staged::{Stage, ask};

fn request(method: Method, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn what_is_nowhere_is_404() {
    let stage = Stage::set().await;
    stage.histories.open("a", &[]);
    for path in [
        "/",
        "/v1",
        "/v1/account",
        "/v1/account/",
        "/v1/account/a/",
        "/v1/types/",
        "/v1//a",
        "/v2/types",
        "/v1/account/a/events/",
        "/metrics",
        "/v1/admin/status",
        "/problems/none",
        "/v1/views/accounts/",
    ] {
        assert_eq!(stage.get(path).await.problem().0, 404, "{path}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let stage = Stage::set().await;
    for (method, path) in [
        (Method::DELETE, "/v1/types"),
        (Method::PUT, "/v1/views/accounts/a"),
        (Method::POST, "/v1/account/a/events"),
        (Method::PATCH, "/openapi.json"),
    ] {
        let read = stage.ask(request(method, path)).await;
        assert_eq!(read.problem(), (405, "METHOD_NOT_ALLOWED".to_owned()), "{path}");
        assert_eq!(read.header("allow"), Some("GET,HEAD"));
    }
}

#[tokio::test]
async fn whatever_can_be_got_has_a_head() {
    let stage = Stage::set().await;
    stage.histories.open("a", &[]);
    for path in ["/v1/types", "/v1/account/a", "/livez", "/openapi.json"] {
        let read = stage.ask(request(Method::HEAD, path)).await;
        assert_eq!((read.status, read.body.len()), (200, 0), "{path}");
        assert!(read.header("content-length").is_some_and(|length| length != "0"), "{path}");
    }
}

#[tokio::test]
async fn bad_ids_paths_and_queries_are_400() {
    let stage = Stage::set().await;
    stage.histories.open("a", &[]);
    let long = format!("/v1/account/{}", "a".repeat(129));
    for (path, code) in [
        ("/v1/account/%zz", "BAD_PATH"),
        ("/v1/account/%", "BAD_PATH"),
        ("/v1/account/%ff", "BAD_PATH"),
        ("/v1/account/a%00", "BAD_PATH"),
        ("/v1/account/a%20b", "BAD_ID"),
        ("/v1/account/a%2Fb", "BAD_ID"),
        ("/v1/account/.a", "BAD_ID"),
        ("/v1/account/x~YQ/events", "BAD_ID"),
        (long.as_str(), "BAD_ID"),
        ("/v1/account/a?sequence=0", "BAD_QUERY"),
        ("/v1/account/a?sequence=-1", "BAD_QUERY"),
        ("/v1/account/a?sequence=x", "BAD_QUERY"),
        ("/v1/account/a?sequence=1&sequence=1", "BAD_QUERY"),
        ("/v1/account/a?other=1", "BAD_QUERY"),
        ("/v1/account/a/events?from=0", "BAD_QUERY"),
        ("/v1/account/a/events?limit=0", "BAD_QUERY"),
        ("/v1/account/a/events?limit=1001", "BAD_QUERY"),
        ("/v1/account/a/events?after=1", "BAD_QUERY"),
        ("/v1/views/accounts?limit=99999999999999999999", "BAD_QUERY"),
        ("/v1/views/accounts?prefix=%ff", "BAD_QUERY"),
        ("/v1/views/accounts/a?prefix=a", "BAD_QUERY"),
        ("/v1/types?a=b", "BAD_QUERY"),
    ] {
        assert_eq!(stage.get(path).await.problem(), (400, code.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn too_many_or_too_large_headers_are_431() {
    let settings = Settings { headers_max: 5, header_bytes_max: 500, ..Settings::default() };
    let stage = Stage::set_with(settings).await;
    let many = |count: usize, value: &str| {
        let headers = (0..count).map(|n| (format!("x-{n}"), value.to_owned()));
        let request = headers
            .fold(Request::get("/v1/types"), |request, (name, value)| request.header(name, value));
        request.body(Body::empty()).unwrap()
    };
    assert_eq!(stage.ask(many(5, "v")).await.status, 200);
    let code = |code: &str| (431, code.to_owned());
    assert_eq!(stage.ask(many(6, "v")).await.problem(), code("HEADERS_TOO_LARGE"));
    assert_eq!(stage.ask(many(1, &"v".repeat(500))).await.problem(), code("HEADERS_TOO_LARGE"));
    let long = format!("/v1/types?{}", "a".repeat(500));
    assert_eq!(stage.get(&long).await.problem(), code("HEADERS_TOO_LARGE"));
}

#[tokio::test]
async fn a_panic_is_an_incident_and_nothing_else() {
    let stage = Stage::set().await;
    let api = Arc::clone(&stage.api);
    let panics = || async { panic!("a secret") as () };
    let routes = Router::new().route("/", get(panics)).layer(from_fn_with_state(api, frame));
    let read = ask(routes, request(Method::GET, "/")).await;
    assert_eq!(read.problem(), (500, "INTERNAL".to_owned()));
    assert!(read.json()["incident"].is_string());
    assert!(!read.text().contains("secret"));
}
