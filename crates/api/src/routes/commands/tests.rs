//! One command over HTTP: what is read, and how each answer looks.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use ordain_model::{Code, Command, Commit, Outcome};
use ordain_ports::{Answer, Delivered, Heartbeat, NotAccepted};
use tokio::task::JoinHandle;

use crate::document;
use crate::routes::public;
use crate::scripted::{HERE, success, worker};
use crate::staged::{Read, Stage, ask};
use crate::{Settings, SubmitLimits};

const DEPOSIT: &str = "/v1/account/a/deposit";
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

fn post(path: &str, headers: &[(&str, &str)], body: &'static str) -> Request<Body> {
    let mut request = Request::post(path).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body)).unwrap()
}

/// Sends a request from a client of its own.
fn send(stage: &Stage, request: Request<Body>) -> JoinHandle<Read> {
    tokio::spawn(ask(public(&stage.api), request))
}

/// The reply of a worker that decided this way.
fn reply(stage: &Stage, command: &Command, outcome: Outcome) -> Arc<Commit> {
    let commit = Arc::new(Commit { outcome, sequence: 4, ..success(command) });
    stage.replies.answer(command, Answer::Commit(Arc::clone(&commit)));
    commit
}

#[tokio::test(start_paused = true)]
async fn everything_that_was_said_stands_in_the_command() {
    let stage = Stage::set().await;
    let headers = [
        ("idempotency-key", "r-1"),
        ("if-match", "\"3\""),
        ("ordain-deadline", "1970-01-01T00:00:01Z"),
        ("traceparent", TRACE),
    ];
    send(&stage, post("/v1/account/b/deposit", &headers, " { \"amount\" : 5 } "));
    let command = stage.log.appended(1).await;
    assert_eq!(command.aggregate.as_str(), "default/account/b");
    assert_eq!((command.request.as_str(), command.name.as_str()), ("r-1", "deposit"));
    assert_eq!(command.data.as_str(), "{\"amount\":5}", "in canonical form");
    assert_eq!(command.expected_sequence, Some(3));
    assert_eq!(command.deadline.unwrap().nanoseconds(), 1_000_000_000);
    assert_eq!(command.trace.unwrap().to_string(), TRACE);
}

#[tokio::test(start_paused = true)]
async fn a_success_is_answered_with_the_outcome_document_and_the_sequence_as_tag() {
    let stage = Stage::set().await;
    let answer = send(&stage, post(DEPOSIT, &[("idempotency-key", "r")], "{\"amount\":1}"));
    let commit = reply(&stage, &stage.log.appended(1).await, Outcome::Success);
    let read = answer.await.unwrap();
    assert_eq!((read.status, read.header("etag")), (200, Some("\"4\"")));
    assert_eq!(read.header("idempotency-key"), Some("r"));
    assert_eq!((read.header("idempotency-replayed"), read.header("location")), (None, None));
    assert_eq!(read.body, document::outcome(&commit));
}

#[tokio::test(start_paused = true)]
async fn an_answer_says_in_which_trace_it_was_decided() {
    let stage = Stage::set().await;
    for (nth, header, expected) in [(1, TRACE, Some(TRACE)), (2, "00-bad", None)] {
        let headers = [("traceparent", header)];
        let answer = send(&stage, post(DEPOSIT, &headers, "{\"amount\":1}"));
        reply(&stage, &stage.log.appended(nth).await, Outcome::Success);
        let read = answer.await.unwrap();
        assert_eq!((read.status, read.header("traceparent")), (200, expected));
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeat_has_the_same_body_and_is_marked() {
    let stage = Stage::set().await;
    let request = || post(DEPOSIT, &[("idempotency-key", "r")], "{\"amount\":1}");
    let first = send(&stage, request());
    let commit = reply(&stage, &stage.log.appended(1).await, Outcome::Success);
    let first = first.await.unwrap();
    let second = send(&stage, request());
    stage.replies.answer(&stage.log.appended(2).await, Answer::Commit(commit));
    let second = second.await.unwrap();
    assert_eq!((second.status, second.header("idempotency-replayed")), (200, Some("true")));
    assert_eq!(second.body, first.body);
}

#[tokio::test(start_paused = true)]
async fn what_creates_is_answered_201_and_says_where_the_aggregate_is() {
    let stage = Stage::set().await;
    let with_id = send(&stage, post("/v1/account/a/open", &[], "{}"));
    reply(&stage, &stage.log.appended(1).await, Outcome::Success);
    let read = with_id.await.unwrap();
    assert_eq!((read.status, read.header("location")), (201, Some("/v1/account/a")));

    let create = || post("/v1/account/open", &[("idempotency-key", "r1")], "{}");
    let answer = send(&stage, create());
    let command = stage.log.appended(2).await;
    let id = "25a2a63c-ba03-5541-a775-e8757ef3a5e9";
    assert_eq!(command.aggregate.id(), id);
    reply(&stage, &command, Outcome::Success);
    let read = answer.await.unwrap();
    assert_eq!((read.status, read.header("location")), (201, Some(&*format!("/v1/account/{id}"))));
    send(&stage, create());
    assert_eq!(stage.log.appended(3).await.aggregate, command.aggregate, "a retry lands there too");
}

#[tokio::test(start_paused = true)]
async fn without_a_request_id_one_is_made_and_given_back() {
    let stage = Stage::set().await;
    let answer = send(&stage, post(DEPOSIT, &[], "{\"amount\":1}"));
    let command = stage.log.appended(1).await;
    reply(&stage, &command, Outcome::Success);
    let read = answer.await.unwrap();
    assert_eq!(read.header("idempotency-key"), Some(command.request.as_str()));
    assert_eq!(read.json()["requestId"], command.request.as_str());
    let id: uuid::Uuid = command.request.as_str().parse().unwrap();
    assert_eq!(id.get_version_num(), 7);
}

#[tokio::test(start_paused = true)]
async fn every_outcome_but_success_is_a_problem_that_carries_the_document() {
    let stage = Stage::set().await;
    let code = Code::new("SOME_CODE");
    let cases = [
        (Outcome::Fail(code.clone()), 409, "SOME_CODE"),
        (Outcome::Fail(Code::SEQUENCE_MISMATCH), 412, "SEQUENCE_MISMATCH"),
        (Outcome::Expired, 409, "EXPIRED"),
        (Outcome::Rejected(code), 422, "SOME_CODE"),
    ];
    for (index, (outcome, status, code)) in cases.into_iter().enumerate() {
        let answer = send(&stage, post(DEPOSIT, &[], "{\"amount\":1}"));
        let command = stage.log.appended(index + 1).await;
        let name = outcome.name();
        reply(&stage, &command, outcome);
        let read = answer.await.unwrap();
        assert_eq!(read.problem(), (status, code.to_owned()));
        assert_eq!(read.json()["result"]["outcome"], name);
        assert_eq!(read.json()["requestId"], command.request.as_str());
        assert_eq!(read.header("idempotency-key"), Some(command.request.as_str()));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_known_and_what_is_certain_are_told_apart() {
    let stage = Stage::set().await;
    let request =
        |wait| post(DEPOSIT, &[("idempotency-key", "r"), ("prefer", wait)], "{\"amount\":1}");
    let begun = tokio::time::Instant::now();
    let timed_out = send(&stage, request("wait=2")).await.unwrap();
    assert_eq!(timed_out.problem(), (504, "TIMEOUT".to_owned()));
    assert_eq!(timed_out.json()["requestId"], "r");
    assert!(timed_out.header("retry-after").is_some());
    assert!((2..3).contains(&begun.elapsed().as_secs()));

    let other = send(&stage, request("wait=2"));
    // Time passes once nothing else can happen: the other has attached by then.
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(stage.log.count(), 1);
    stage.log.deliver(1, Delivered::Not(NotAccepted::Full));
    let refused = other.await.unwrap();
    assert_eq!(refused.problem(), (503, "NOT_ACCEPTED".to_owned()));
    assert!(refused.header("retry-after").is_some());

    let first = send(&stage, request("wait=2"));
    let command = stage.log.appended(2).await;
    let other = post(DEPOSIT, &[("idempotency-key", "r")], "{\"amount\":2}");
    let other = send(&stage, other);
    stage.log.appended(3).await;
    reply(&stage, &command, Outcome::Success);
    assert_eq!(first.await.unwrap().status, 200);
    assert_eq!(other.await.unwrap().problem(), (422, "KEY_REUSED".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn whoever_prefers_it_is_answered_once_the_command_is_durable() {
    let stage = Stage::set().await;
    let headers = [("prefer", "respond-async"), ("idempotency-key", "r")];
    let answer = send(&stage, post(DEPOSIT, &headers, "{\"amount\":1}"));
    stage.log.appended(1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!answer.is_finished(), "not before");
    stage.log.deliver(1, HERE);
    let read = answer.await.unwrap();
    assert_eq!(read.status, 202);
    assert_eq!(read.header("location"), Some("/v1/account/a/requests/r"));
    assert_eq!(read.header("preference-applied"), Some("respond-async"));
    assert_eq!(read.json()["requestId"], "r");
}

#[tokio::test(start_paused = true)]
async fn bad_input_of_every_kind_gets_its_status_and_nothing_is_produced() {
    let stage = Stage::set().await;
    let body = "{\"amount\":1}";
    let json = |path| post(path, &[], body);
    let with = |name, value| post(DEPOSIT, &[(name, value)], body);
    let large = Body::from(" ".repeat(stage.api.settings().body_bytes_max + 1));
    let plain = Request::post(DEPOSIT).header("content-type", "text/plain");
    let cases = [
        (json("/v1/nothing/a/deposit"), 404, "UNKNOWN_TYPE"),
        (json("/v1/account/a/burn"), 404, "UNKNOWN_COMMAND"),
        (json("/v1/account/burn"), 404, "UNKNOWN_COMMAND"),
        (json("/v1/account/deposit"), 400, "AGGREGATE_ID_NEEDED"),
        (json("/v1/account/x~a/deposit"), 400, "BAD_ID"),
        (json("/v1/account/a%20b/deposit"), 400, "BAD_ID"),
        (with("idempotency-key", "a b"), 400, "BAD_HEADER"),
        (with("if-match", "*"), 400, "BAD_HEADER"),
        (with("ordain-deadline", "soon"), 400, "BAD_HEADER"),
        (with("prefer", "wait=soon"), 400, "BAD_HEADER"),
        (plain.body(Body::from(body)).unwrap(), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (Request::post(DEPOSIT).body(Body::from(body)).unwrap(), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (post(DEPOSIT, &[], "{"), 400, "MALFORMED_JSON"),
        (post(DEPOSIT, &[], ""), 400, "MALFORMED_JSON"),
        (post(DEPOSIT, &[], "{\"amount\":1,\"amount\":1}"), 400, "MALFORMED_JSON"),
        (post(DEPOSIT, &[], "{\"amount\":0}"), 422, "INVALID_BODY"),
        (json(DEPOSIT).map(|_| large), 413, "BODY_TOO_LARGE"),
    ];
    for (request, status, code) in cases {
        let shown = format!("{request:?}");
        let shown = &shown[..shown.len().min(300)];
        assert_eq!(stage.ask(request).await.problem(), (status, code.to_owned()), "{shown}");
    }
    let violated = stage.ask(post(DEPOSIT, &[], "{\"amount\":0}")).await.json();
    assert_eq!(violated["violations"][0]["pointer"], "/amount");
    assert_eq!(stage.log.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_would_wait_in_vain_or_has_too_much_on_the_way_is_told_when_to_come_back() {
    let submit = SubmitLimits { in_flight_commands_per_tenant_max: 1, ..SubmitLimits::default() };
    let stage = Stage::set_with(Settings { submit, ..Settings::default() }).await;
    let request = |id| post(DEPOSIT, &[("idempotency-key", id)], "{\"amount\":1}");
    let first = send(&stage, request("a"));
    stage.log.appended(1).await;
    let too_many = send(&stage, request("b")).await.unwrap();
    assert_eq!(too_many.problem(), (429, "TOO_MANY".to_owned()));
    assert_eq!((too_many.json()["requestId"].as_str(), stage.log.count()), (Some("b"), 1));
    assert!(too_many.header("retry-after").is_some());
    first.abort();
    stage.log.deliver(1, Delivered::Not(NotAccepted::Full));

    stage.log.ends.send_replace(vec![2_000; 2]);
    stage.beats.set(Some(vec![worker("w", 2)]));
    tokio::time::sleep(Duration::from_millis(1_001)).await;
    let overloaded = send(&stage, request("c")).await.unwrap();
    assert_eq!(overloaded.problem(), (503, "NOT_ACCEPTED".to_owned()));
    let retry_after: u64 = overloaded.header("retry-after").unwrap().parse().unwrap();
    assert!((15..=25).contains(&retry_after), "2,000 at 100/s: {retry_after}");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let missing = send(&stage, request("d")).await.unwrap();
    assert_eq!(missing.problem(), (503, "NOT_ACCEPTED".to_owned()));
    // One of another build comes, and knows nothing of this one's.
    stage.beats.set(Some(vec![Heartbeat { announced: Vec::new(), ..worker("new", 2) }]));
    tokio::time::sleep(Duration::from_millis(1_001)).await;
    let unannounced = send(&stage, request("e")).await.unwrap();
    assert_eq!(unannounced.problem(), (503, "NOT_ANNOUNCED".to_owned()));
    assert!(unannounced.header("retry-after").is_some());
    let why = |read: &Read| read.json()["detail"].as_str().unwrap().to_owned();
    assert!(why(&overloaded).contains("wait for too long"), "{overloaded:?}");
    assert!(why(&missing).contains("no worker"), "{missing:?}");
}
