//! Batches: what is read, in which order it is sent, and how it is answered.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::Request;
use http_body_util::BodyExt as _;
use ordain_ports::{Answer, NotAccepted};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use crate::Settings;
use crate::routes::public;
use crate::staged::{Read, Stage, ask};

const NDJSON: &str = "application/x-ndjson";

fn batch(kind: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post("/v1/commands").header("content-type", kind).body(body.into()).unwrap()
}

fn send(stage: &Stage, kind: &str, body: impl Into<Body>) -> JoinHandle<Read> {
    tokio::spawn(ask(public(&stage.api), batch(kind, body)))
}

fn deposit(request: &str, id: &str) -> String {
    format!(
        r#"{{"requestId":"{request}","type":"account","id":"{id}","command":"deposit","data":{{"amount":1}}}}"#
    )
}

/// The lines of an answer, by index.
fn lines(read: &Read) -> Vec<Value> {
    assert_eq!((read.status, read.header("content-type")), (200, Some(NDJSON)));
    let mut lines: Vec<Value> =
        read.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.sort_by_key(|line| line["index"].as_u64());
    for (index, line) in lines.iter().enumerate() {
        assert_eq!(line["index"], index, "{line}");
    }
    lines
}

fn statuses(lines: &[Value]) -> Vec<u64> {
    lines.iter().map(|line| line["status"].as_u64().unwrap()).collect()
}

/// A worker that decides whatever is appended.
fn work(stage: &Stage) -> JoinHandle<()> {
    let (log, outcomes) = (Arc::clone(&stage.log), Arc::clone(&stage.outcomes));
    let replies = Arc::clone(&stage.replies);
    tokio::spawn(async move {
        for count in 1.. {
            let command = log.appended(count).await;
            let commit = outcomes.store(&command);
            replies.answer(&command, Answer::Commit(commit));
        }
    })
}

#[tokio::test(start_paused = true)]
async fn an_array_is_answered_line_by_line() {
    let stage = Stage::set().await;
    work(&stage);
    let body = format!(
        r#"[{}, {{"type":"account","command":"open","data":{{}}}},
            {{"type":"account","id":"c","command":"deposit","data":{{"amount":0}}}},
            {{"type":"nothing","id":"c","command":"deposit","data":1}},
            {{"requestId":"a b","type":"account","id":"c","command":"deposit","data":1}}]"#,
        deposit("r1", "a")
    );
    let lines = lines(&send(&stage, "application/json", body).await.unwrap());
    assert_eq!(statuses(&lines), [200, 201, 422, 404, 400]);
    assert_eq!(lines[0]["result"]["requestId"], "r1");
    assert_eq!(lines[1]["result"]["outcome"], "SUCCESS");
    assert_eq!(lines[2]["problem"]["code"], "INVALID_BODY");
    assert_eq!(lines[2]["problem"]["violations"][0]["pointer"], "/amount");
    assert_eq!(lines[3]["problem"]["code"], "UNKNOWN_TYPE");
    assert_eq!(lines[4]["problem"]["code"], "BAD_ID");
}

#[tokio::test(start_paused = true)]
async fn an_array_of_bad_form_is_refused_whole_before_anything_is_produced() {
    let settings = Settings { batch_commands_max: 2, ..Settings::default() };
    let stage = Stage::set_with(settings).await;
    let good = deposit("r", "a");
    for (body, status, code) in [
        (String::new(), 400, "MALFORMED_JSON"),
        ("{}".to_owned(), 400, "MALFORMED_JSON"),
        (format!("[{good}"), 400, "MALFORMED_JSON"),
        (format!("[{good},7]"), 400, "MALFORMED_JSON"),
        (format!("[{good},{{\"type\":\"account\"}}]"), 400, "MALFORMED_JSON"),
        (format!("[{good},{}]", good.replace("requestId", "request")), 400, "MALFORMED_JSON"),
        (format!("[{good},{}]", good.replace("\"id\"", "\"type\"")), 400, "MALFORMED_JSON"),
        (format!("[{good},{good},{good}]"), 413, "TOO_MANY_COMMANDS"),
    ] {
        let read = send(&stage, "application/json", body.clone()).await.unwrap();
        assert_eq!(read.problem(), (status, code.to_owned()), "{body}");
    }
    let read = send(&stage, "text/plain", good).await.unwrap();
    assert_eq!(read.problem(), (415, "UNSUPPORTED_MEDIA_TYPE".to_owned()));
    assert_eq!(stage.log.count(), 0);
    let read = send(&stage, "application/json", "[]").await.unwrap();
    assert_eq!((read.status, read.text()), (200, ""));
}

#[tokio::test(start_paused = true)]
async fn a_bad_line_fails_alone() {
    let settings = Settings { body_bytes_max: 100, ..Settings::default() };
    let stage = Stage::set_with(settings).await;
    work(&stage);
    let long = format!("\"{}\"", "x".repeat(5_000));
    let body = [
        &deposit("r0", "a"),
        "{\"type\":",
        "",
        &long,
        &deposit("r3", "a"),
        "  \r",
        &deposit("r4", "b"),
        "\u{7f}\u{0}",
    ]
    .join("\n");
    // In pieces of every size, so that lines and line breaks are cut everywhere.
    for piece in [1, 7, 4_096, usize::MAX] {
        let bytes = Bytes::from(body.clone());
        let pieces: Vec<Result<Bytes, Infallible>> =
            bytes.chunks(piece.min(bytes.len())).map(|piece| Ok(bytes.slice_ref(piece))).collect();
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        let lines = lines(&send(&stage, NDJSON, body).await.unwrap());
        assert_eq!(statuses(&lines), [200, 400, 413, 200, 200, 400], "{piece}");
        assert_eq!(lines[3]["result"]["requestId"], "r3");
    }
}

#[tokio::test(start_paused = true)]
async fn commands_of_one_aggregate_are_sent_one_after_the_other_in_their_order() {
    let stage = Stage::set().await;
    let body = ["r0", "r1", "r2"].map(|request| deposit(request, "a")).join(",");
    let answer = send(&stage, "application/json", format!("[{body},{}]", deposit("r3", "b")));
    // The other aggregate waits for nobody.
    let (first, other) = (stage.log.appended(1).await, stage.log.appended(2).await);
    assert_eq!((first.aggregate.id(), other.aggregate.id()), ("a", "b"));
    let mut before = first;
    for (count, request) in [(3, "r1"), (4, "r2")] {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(stage.log.count(), count - 1, "the next only when the one before is decided");
        let commit = stage.outcomes.store(&before);
        stage.replies.answer(&before, Answer::Commit(commit));
        before = stage.log.appended(count).await;
        assert_eq!(before.request.as_str(), request);
    }
    for command in [before, other] {
        let commit = stage.outcomes.store(&command);
        stage.replies.answer(&command, Answer::Commit(commit));
    }
    assert_eq!(statuses(&lines(&answer.await.unwrap())), [200, 200, 200, 200]);
}

#[tokio::test(start_paused = true)]
async fn after_an_unknown_outcome_the_rest_of_that_aggregate_is_not_sent() {
    let stage = Stage::set().await;
    let (lines_in, body) = mpsc::unbounded_channel::<String>();
    let mut body = body;
    let stream = futures_util::stream::poll_fn(move |context| body.poll_recv(context));
    let body = Body::from_stream(stream.map(|line| Ok::<_, Infallible>(line + "\n")));
    let answer = send(&stage, NDJSON, body);
    for (request, id) in [("r0", "a"), ("r1", "a"), ("r2", "b")] {
        lines_in.send(deposit(request, id)).unwrap();
    }
    stage.log.appended(1).await;
    let other = stage.log.appended(2).await;
    assert_eq!(other.aggregate.id(), "b");
    let commit = stage.outcomes.store(&other);
    stage.replies.answer(&other, Answer::Commit(commit));
    // The first has no outcome within its wait.
    tokio::time::sleep(Duration::from_secs(7)).await;
    lines_in.send(deposit("r3", "a")).unwrap();
    drop(lines_in);
    let lines = lines(&answer.await.unwrap());
    assert_eq!(statuses(&lines), [504, 503, 200, 503]);
    assert_eq!(lines[0]["problem"]["code"], "TIMEOUT");
    for not_sent in [&lines[1], &lines[3]] {
        assert_eq!(not_sent["problem"]["code"], "PREDECESSOR_UNKNOWN");
    }
    assert_eq!(lines[3]["problem"]["requestId"], "r3");
    assert_eq!(stage.log.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn after_a_certain_refusal_the_rest_of_that_aggregate_is_not_sent_either() {
    let stage = Stage::set().await;
    stage.log.refuse(Some(NotAccepted::Full));
    let body = format!("[{},{}]", deposit("r0", "a"), deposit("r1", "a"));
    let lines = lines(&send(&stage, "application/json", body).await.unwrap());
    assert_eq!(lines[0]["problem"]["code"], "NOT_ACCEPTED");
    assert_eq!(lines[1]["problem"]["code"], "PREDECESSOR_UNKNOWN");
}

#[tokio::test(start_paused = true)]
async fn a_command_that_can_never_be_accepted_does_not_stop_those_after_it() {
    let stage = Stage::set().await;
    work(&stage);
    let bad = deposit("r0", "a").replace(":1}", ":0}");
    let body = format!("[{bad},{},{}]", deposit("r1", "a"), deposit("r2", "a"));
    let lines = lines(&send(&stage, "application/json", body).await.unwrap());
    assert_eq!(statuses(&lines), [422, 200, 200]);
}

#[tokio::test(start_paused = true)]
async fn no_more_is_in_flight_than_may_be_and_nothing_is_read_that_is_not_answered() {
    let settings = Settings { batch_in_flight_max: 3, ..Settings::default() };
    let stage = Stage::set_with(settings).await;
    let (taken, mut taken_by_reader) = mpsc::unbounded_channel::<usize>();
    // Endless lines, each produced only when the reader asks for it.
    let endless = futures_util::stream::iter(0_usize..).map(move |n| {
        taken.send(n).unwrap();
        Ok::<_, Infallible>(deposit(&format!("r{n}"), &format!("a{n}")) + "\n")
    });
    let routes = public(&stage.api);
    let response = routes.oneshot(batch(NDJSON, Body::from_stream(endless))).await.unwrap();
    stage.log.appended(3).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(stage.log.count(), 3);
    let worker = work(&stage);
    // Nobody reads the answers: after those that fit in between, reading stops.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let stopped_at = stage.log.count();
    assert!(stopped_at <= 3 + super::ANSWERS_READY_MAX + 1, "{stopped_at}");
    let mut body = response.into_body();
    for _ in 0..100 {
        body.frame().await.unwrap().unwrap();
    }
    stage.log.appended(100).await;
    // The client goes: the batch ends.
    drop(body);
    while tokio::time::timeout(Duration::from_secs(60), taken_by_reader.recv())
        .await
        .expect("the reader is dropped")
        .is_some()
    {}
    worker.abort();
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_coming_ends_the_batch() {
    let stage = Stage::set().await;
    work(&stage);
    let first = futures_util::stream::iter([Ok::<_, Infallible>(deposit("r0", "a") + "\n")]);
    let body = Body::from_stream(first.chain(futures_util::stream::pending()));
    let lines = lines(&send(&stage, NDJSON, body).await.unwrap());
    assert_eq!(statuses(&lines), [200, 408]);

    let broken = futures_util::stream::iter([Ok(deposit("r0", "a") + "\n{"), Err("broken")]);
    let lines = self::lines(&send(&stage, NDJSON, Body::from_stream(broken)).await.unwrap());
    assert_eq!(statuses(&lines), [200, 400]);
    assert_eq!(lines[1]["problem"]["code"], "BROKEN_BODY");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_while_nothing_happens_ends_the_batch_at_once() {
    let stage = Stage::set().await;
    let (held, mut is_held) = mpsc::channel::<()>(1);
    let silent = futures_util::stream::poll_fn(move |_| {
        let _held_until_dropped = &held;
        std::task::Poll::<Option<Result<Bytes, Infallible>>>::Pending
    });
    let routes = public(&stage.api);
    let response = routes.oneshot(batch(NDJSON, Body::from_stream(silent))).await.unwrap();
    let begun = tokio::time::Instant::now();
    drop(response);
    assert_eq!(is_held.recv().await, None);
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn all_commands_of_a_batch_belong_to_the_trace_of_its_request() {
    let stage = Stage::set().await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let body = format!("{}\n{}\n", deposit("r1", "a"), deposit("r2", "b"));
    let mut request = batch(NDJSON, body);
    request.headers_mut().insert("traceparent", parent.parse().unwrap());
    let answer = tokio::spawn(ask(public(&stage.api), request));
    for nth in [1, 2] {
        let command = stage.log.appended(nth).await;
        assert_eq!(command.trace.map(|trace| trace.to_string()).as_deref(), Some(parent));
    }
    answer.abort();
}
