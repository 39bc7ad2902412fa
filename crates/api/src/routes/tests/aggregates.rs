//! Reading aggregates.

use axum::body::Body;
use http::Request;
use serde_json::json;

use crate::Settings;
use crate::staged::Stage;

async fn stage() -> Stage {
    let stage = Stage::set().await;
    stage.histories.open("a", &[&[10], &[20, 30]]);
    stage.histories.refuse("a");
    stage
}

#[tokio::test]
async fn a_state_is_folded_from_all_commits() {
    let stage = stage().await;
    let read = stage.get("/v1/account/a").await;
    assert_eq!((read.status, read.header("etag")), (200, Some("\"4\"")));
    assert_eq!(read.header("cache-control"), Some("no-store"));
    let text = r#"{"type":"account","id":"a","revision":4,"sequence":4,"state":{"funds":60}}"#;
    assert_eq!(read.text(), text);
}

#[tokio::test]
async fn a_state_begins_from_its_snapshot() {
    let stage = stage().await;
    stage.histories.snapshot("a", 2, r#"{"funds":1010}"#);
    assert_eq!(stage.get("/v1/account/a").await.json()["state"], json!({"funds": 1060}));
}

#[tokio::test]
async fn a_state_as_of_a_sequence_may_lie_within_a_commit() {
    let stage = stage().await;
    stage.histories.open("b", &[&[1], &[1], &[1], &[1], &[1]]);
    for (id, sequence, revision, funds) in
        [("a", 1, 1, 0), ("a", 2, 2, 10), ("a", 3, 3, 30), ("a", 4, 3, 60), ("b", 5, 5, 4)]
    {
        let read = stage.get(&format!("/v1/account/{id}?sequence={sequence}")).await;
        let expected = json!({"type": "account", "id": id, "revision": revision,
            "sequence": sequence, "state": {"funds": funds}});
        assert_eq!(read.json(), expected);
        assert_eq!(read.header("etag"), Some(format!("\"{sequence}\"").as_str()));
    }
    let read = stage.get("/v1/account/a?sequence=5").await;
    assert_eq!(read.problem(), (404, "SEQUENCE_NOT_REACHED".to_owned()));
}

#[tokio::test]
async fn a_state_as_of_a_sequence_is_folded_from_a_snapshot_below_it_or_the_beginning() {
    let stage = stage().await;
    stage.histories.snapshot("a", 2, r#"{"funds":1010}"#);
    for (sequence, funds) in [(1, 0), (2, 10), (3, 1030), (4, 1060)] {
        let read = stage.get(&format!("/v1/account/a?sequence={sequence}")).await;
        assert_eq!(read.json()["state"]["funds"], funds);
    }
}

#[tokio::test]
async fn a_history_with_a_gap_is_never_folded() {
    let stage = stage().await;
    stage.histories.lose("a", 2);
    assert_eq!(stage.get("/v1/account/a").await.problem().0, 500);
    assert_eq!(stage.get("/v1/account/a?sequence=3").await.problem().0, 500);
}

#[tokio::test]
async fn who_has_the_state_is_not_sent_it_again() {
    let stage = stage().await;
    for (tags, status) in [
        ("\"4\"", 304),
        ("W/\"4\"", 304),
        ("\"3\", \"4\"", 304),
        ("*", 304),
        ("\"3\"", 200),
        ("4", 200),
    ] {
        let request = Request::get("/v1/account/a").header("if-none-match", tags);
        let read = stage.ask(request.body(Body::empty()).unwrap()).await;
        assert_eq!((read.status, read.header("etag")), (status, Some("\"4\"")), "{tags}");
        assert_eq!(read.body.is_empty(), status == 304);
    }
}

#[tokio::test]
async fn there_is_no_aggregate_until_there_is_an_event() {
    let stage = stage().await;
    stage.histories.refuse("refused");
    for path in
        ["nobody", "refused", "refused?sequence=1", "refused/events", "nobody/events?from=3"]
    {
        let read = stage.get(&format!("/v1/account/{path}")).await;
        assert_eq!(read.problem(), (404, "UNKNOWN_AGGREGATE".to_owned()), "{path}");
    }
    assert_eq!(stage.get("/v1/nothing/a").await.problem(), (404, "UNKNOWN_TYPE".to_owned()));
    assert_eq!(stage.get("/v1/nothing/a/events").await.problem().1, "UNKNOWN_TYPE");
}

#[tokio::test]
async fn events_are_given_byte_for_byte_and_page_by_page() {
    let stage = stage().await;
    let read = stage.get("/v1/account/a/events?from=2&limit=2").await;
    assert_eq!(read.status, 200);
    let text = concat!(
        r#"{"events":[{"sequence":2,"type":"deposited","data":{"amount": 10},"#,
        r#""requestId":"r2","time":"1970-01-01T00:00:00.000000201Z"},"#,
        r#"{"sequence":3,"type":"deposited","data":{"amount": 20},"#,
        r#""requestId":"r3","time":"1970-01-01T00:00:00.000000301Z"}],"next":4}"#
    );
    assert_eq!(read.text(), text);
    let sequences = |read: crate::staged::Read| -> Vec<u64> {
        let events = read.json()["events"].as_array().unwrap().clone();
        events.iter().map(|event| event["sequence"].as_u64().unwrap()).collect()
    };
    let rest = stage.get("/v1/account/a/events?from=4").await;
    assert_eq!(rest.json().get("next"), None);
    assert_eq!(sequences(rest), [4]);
    assert_eq!(sequences(stage.get("/v1/account/a/events").await), [1, 2, 3, 4]);
    assert_eq!(stage.get("/v1/account/a/events?from=5").await.text(), r#"{"events":[]}"#);
}

#[tokio::test]
async fn a_page_of_events_has_a_largest_size() {
    let stage = Stage::set_with(Settings { page_bytes_max: 1, ..Settings::default() }).await;
    stage.histories.open("a", &[&[10], &[20]]);
    let read = stage.get("/v1/account/a/events").await.json();
    assert_eq!((read["events"].as_array().unwrap().len(), &read["next"]), (1, &json!(2)));
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_told() {
    let stage = stage().await;
    *stage.histories.is_broken.lock().unwrap() = true;
    let read = stage.get("/v1/account/a").await;
    assert_eq!(read.problem(), (503, "UNAVAILABLE".to_owned()));
    assert_eq!(read.header("retry-after"), Some("1"));
    assert!(!read.text().contains("broken by the test"));
}

#[tokio::test]
async fn the_outcome_document_has_all_its_members_in_their_order() {
    let stage = stage().await;
    let text = concat!(
        r#"{"requestId":"r4","type":"account","id":"a","command":"withdraw","outcome":"FAIL","#,
        r#""code":"INSUFFICIENT_FUNDS","revision":4,"sequence":4,"events":[],"#,
        r#""receipt":"ZGVmYXVsdC9hY2NvdW50L2FANA","time":"1970-01-01T00:00:00.000000400Z"}"#
    );
    let document = crate::document::outcome(&stage.histories.last("a"));
    assert_eq!(String::from_utf8(document).unwrap(), text);
    stage.histories.open("b", &[&[7]]);
    let text = concat!(
        r#"{"requestId":"r2","type":"account","id":"b","command":"deposit","outcome":"SUCCESS","#,
        r#""revision":2,"sequence":2,"#,
        r#""events":[{"sequence":2,"type":"deposited","data":{"amount": 7},"#,
        r#""time":"1970-01-01T00:00:00.000000201Z"}],"#,
        r#""receipt":"ZGVmYXVsdC9hY2NvdW50L2JAMg","time":"1970-01-01T00:00:00.000000200Z"}"#
    );
    let document = crate::document::outcome(&stage.histories.last("b"));
    assert_eq!(String::from_utf8(document).unwrap(), text);
}
