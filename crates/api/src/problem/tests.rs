//! What clients see of problems.

use std::collections::HashSet;

use axum::response::IntoResponse as _;
use ordain_model::json::Violation;
use serde_json::{Value, json};

use super::{Problem, ProblemKind};

fn shown(problem: &Problem) -> Value {
    serde_json::from_slice(&problem.to_json()).unwrap()
}

#[test]
fn kinds_have_types_of_their_own() {
    let slugs: HashSet<_> = ProblemKind::ALL.iter().map(|kind| kind.slug()).collect();
    assert_eq!(slugs.len(), ProblemKind::ALL.len());
}

#[test]
fn at_most_twenty_violations_are_told() {
    let one = Violation { pointer: "/a".to_owned(), message: "no".to_owned() };
    let problem = Problem::invalid_body(vec![one; 30]);
    assert_eq!(problem.status(), 422);
    assert_eq!(shown(&problem)["violations"].as_array().unwrap().len(), 20);
    assert_eq!(shown(&problem)["violations"][0], json!({"pointer": "/a", "message": "no"}));
}

#[test]
fn an_internal_error_tells_its_incident_and_nothing_else() {
    let problem = Problem::internal("password is hunter2").about("r".parse().unwrap());
    let shown = shown(&problem);
    let members: Vec<_> = shown.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["code", "incident", "status", "title", "type"]);
    assert!(!String::from_utf8(problem.to_json()).unwrap().contains("hunter2"));
}

#[test]
fn what_may_be_sent_again_says_when() {
    let request = || "r".parse().unwrap();
    for (problem, seconds) in [
        (Problem::timed_out(request()), Some("1")),
        (Problem::not_accepted("full").retry_after_s(7), Some("7")),
        (Problem::not_accepted("full").retry_after_s(0), Some("1")),
        (Problem::key_reused(), None),
    ] {
        let response = problem.into_response();
        let header = response.headers().get("retry-after");
        assert_eq!(header.map(|value| value.to_str().unwrap()), seconds);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
}

#[test]
fn a_problem_names_its_request() {
    let shown = shown(&Problem::timed_out("r-1".parse().unwrap()));
    assert_eq!(
        shown,
        json!({
            "type": "/problems/timed-out",
            "title": "Unknown yet: ask again with the same request id",
            "status": 504,
            "code": "TIMEOUT",
            "requestId": "r-1",
        })
    );
}
