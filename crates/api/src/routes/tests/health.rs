//! How the process says that it is doing, and what operators read.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::scripted::worker;
use crate::staged::{Read, Stage};

async fn operate(stage: &Stage, path: &str) -> Read {
    stage.operate(Request::get(path).body(Body::empty()).unwrap()).await
}

fn failed(read: &Read) -> Vec<Value> {
    let checks = read.json()["checks"].as_array().unwrap().clone();
    let failed = checks.into_iter().filter(|check| check["status"] == "failed");
    failed.map(|check| check["name"].clone()).collect()
}

#[tokio::test]
async fn a_process_that_failed_is_neither_live_nor_ready() {
    let stage = Stage::set().await;
    for path in ["/livez", "/readyz"] {
        assert_eq!(stage.get(path).await.status, 200, "{path}");
        assert_eq!(operate(&stage, path).await.status, 200, "{path}");
    }
    stage.api.parts.liveness.fail("a rule ran over its limit");
    let live = stage.get("/livez").await;
    assert_eq!(live.status, 503);
    assert_eq!(live.json()["checks"][0]["why"], "a rule ran over its limit");
    assert_eq!(failed(&stage.get("/readyz").await), ["process"]);
}

#[tokio::test]
async fn readiness_is_the_truth_about_what_it_depends_on() {
    let stage = Stage::set().await;
    stage.outcomes.fail(true);
    let ready = stage.get("/readyz").await;
    assert_eq!((ready.status, failed(&ready)), (503, vec![json!("outcomes")]));
    assert_eq!(stage.get("/livez").await.status, 200);
}

#[tokio::test]
async fn readiness_is_what_the_parts_of_the_process_say() {
    let stage = Stage::set().await;
    stage.api.parts.readiness.set("worker", Err("starting".to_owned()));
    assert_eq!(failed(&stage.get("/readyz").await), ["worker"]);
    stage.api.parts.readiness.set("worker", Ok(()));
    assert_eq!(stage.get("/readyz").await.status, 200);
    assert!(stage.api.drain(std::time::Duration::from_secs(1)).await);
    assert_eq!(failed(&stage.get("/readyz").await), ["drain"]);
}

#[tokio::test]
async fn dependencies_are_not_asked_more_often_than_needed() {
    let stage = Stage::set().await;
    for _ in 0..20 {
        assert_eq!(stage.get("/readyz").await.status, 200);
    }
    assert!(stage.outcomes.queries().len() < 20);
}

#[tokio::test]
async fn operators_see_metrics_configuration_and_status() {
    let stage = Stage::set().await;
    let metrics = operate(&stage, "/metrics").await;
    assert_eq!(metrics.text(), "some_metric 1\n");
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    let configuration = operate(&stage, "/v1/admin/config").await;
    assert_eq!(configuration.json(), json!({"listen": {"value": "x", "from": "default"}}));
    stage.log.ends.send_replace(vec![10, 0]);
    stage.log.progress.send_replace(vec![Some(7), None]);
    let status = operate(&stage, "/v1/admin/status").await.json();
    assert_eq!(status["version"], "1.2.3");
    let partitions = json!([
        {"partition": 0, "end": 10, "progress": 7, "behind": 3},
        {"partition": 1, "end": 0, "progress": null, "behind": 0},
    ]);
    assert_eq!(status["partitions"], partitions);
    assert_eq!(operate(&stage, "/v1/types").await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn the_status_names_owners_and_members() {
    let stage = Stage::set().await;
    stage.log.ends.send_replace(vec![10, 0]);
    stage.log.progress.send_replace(vec![Some(7), None]);
    let unknown = operate(&stage, "/v1/admin/status").await.json();
    assert!(unknown["ownersUnknown"].is_string(), "{unknown}");
    let mut beat = worker("w", 1);
    beat.lanes[0].oldest_wait_ms = 5_000;
    beat.lanes[0].stopped = Some("a person".to_owned());
    beat.last_error = Some("no answer".to_owned());
    stage.beats.set(Some(vec![beat]));
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let status = operate(&stage, "/v1/admin/status").await.json();
    let partitions = json!([
        {"partition": 0, "end": 10, "progress": 7, "behind": 3, "owner": "w",
         "oldestWaitMs": 6_100, "perSecond": 0.0, "perSecondMax": 100.0, "waitMs": 0,
         "refusing": true, "stopped": "a person"},
        {"partition": 1, "end": 0, "progress": null, "behind": 0, "owner": null,
         "oldestWaitMs": 0, "perSecond": null, "perSecondMax": null, "waitMs": null,
         "refusing": false, "stopped": null},
    ]);
    assert_eq!(status["partitions"], partitions);
    let members = json!([
        {"member": "w", "role": "worker", "version": "1.2.3", "uptimeSeconds": 77,
         "beatAgeMs": 1_100, "alive": true, "partitions": [0], "lastError": "no answer"},
    ]);
    assert_eq!(status["members"], members);
}

#[tokio::test(start_paused = true)]
async fn a_drain_answers_who_would_wait_for_longer() {
    let stage = Stage::set().await;
    let limit = std::time::Duration::from_secs(8);
    let request = Request::post("/v1/account/a/deposit")
        .header("content-type", "application/json")
        .header("idempotency-key", "r1")
        .header("prefer", "wait=60")
        .body(Body::from(r#"{"amount":1}"#));
    let begun = tokio::time::Instant::now();
    let drain = async {
        stage.log.appended(1).await;
        stage.log.deliver(1, crate::scripted::HERE);
        stage.api.drain(limit).await
    };
    let (read, is_drained) = tokio::join!(stage.ask(request.unwrap()), drain);
    assert_eq!(read.problem(), (504, "TIMEOUT".to_owned()));
    assert_eq!(read.json()["requestId"], "r1");
    assert!(is_drained);
    assert!(begun.elapsed() < limit, "{:?}", begun.elapsed());
}
