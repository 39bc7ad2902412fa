//! Dead letters: looked at, and sent again.

use axum::body::Body;
use http::Request;
use ordain_model::{Code, Timestamp};
use ordain_ports::{DeadLetter, DeadLetters as _, Delivered, LetterId, Position};
use serde_json::json;

use crate::staged::{Read, Stage, account};

fn letter(offset: u64, data: &[u8]) -> DeadLetter {
    DeadLetter {
        id: LetterId::new("requests", Position { partition: 1, offset }),
        named: Some((account("a"), "r".parse().unwrap())),
        command: Some("deposit".to_owned()),
        code: Code::new("RULE_CRASHED"),
        why: "a \"panic\"".to_owned(),
        data: data.to_vec(),
        time: Timestamp::default(),
        retries: Vec::new(),
    }
}

async fn stage(letters: Vec<DeadLetter>) -> Stage {
    let stage = Stage::set().await;
    stage.letters.put(letters).await.unwrap();
    stage
}

async fn get(stage: &Stage, path: &str) -> Read {
    let path = format!("/v1/admin/deadletters{path}");
    stage.operate(Request::get(path).body(Body::empty()).unwrap()).await
}

async fn retry(stage: &Stage) -> Read {
    let path = "/v1/admin/deadletters/requests:1:1/retry";
    stage.operate(Request::post(path).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn letters_are_listed_page_by_page_and_shown_with_their_data() {
    let stage = stage((1..4).map(|offset| letter(offset, b"{ }")).collect()).await;
    let page = get(&stage, "?limit=2").await.json();
    let ids = |page: &serde_json::Value| -> Vec<String> {
        let letters = page["letters"].as_array().unwrap();
        letters.iter().map(|letter| letter["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&page), ["requests:1:1", "requests:1:2"]);
    assert_eq!(page["next"], "requests:1:2");
    let rest = get(&stage, "?limit=2&after=requests:1:2").await.json();
    assert_eq!((ids(&rest), rest.get("next")), (vec!["requests:1:3".to_owned()], None));
    let text = concat!(
        r#"{"id":"requests:1:1","type":"account","aggregateId":"a","requestId":"r","#,
        r#""command":"deposit","code":"RULE_CRASHED","why":"a \"panic\"","#,
        r#""time":"1970-01-01T00:00:00.000000000Z","retries":[],"retryable":true,"data":{ }}"#
    );
    assert_eq!(get(&stage, "/requests:1:1").await.text(), text);
    assert_eq!(get(&stage, "/requests:1:9").await.problem().1, "UNKNOWN_LETTER");
    assert_eq!(get(&stage, "/nonsense").await.problem(), (400, "BAD_ID".to_owned()));
    assert_eq!(get(&stage, "?after=nonsense").await.problem().1, "BAD_QUERY");
}

#[tokio::test]
async fn a_record_that_is_no_json_is_shown_as_base64() {
    let unnamed = DeadLetter { named: None, command: None, ..letter(1, b"\xff\0") };
    let stage = stage(vec![unnamed]).await;
    let shown = get(&stage, "/requests:1:1").await.json();
    assert_eq!((&shown["bytes"], &shown["retryable"]), (&json!("/wA="), &json!(false)));
    assert_eq!(shown.get("type"), None);
}

#[tokio::test]
async fn only_what_names_its_command_can_be_sent_again() {
    let unnamed = DeadLetter { command: None, ..letter(1, b"{}") };
    let stage = stage(vec![unnamed]).await;
    assert_eq!(retry(&stage).await.problem(), (409, "NOT_RETRYABLE".to_owned()));
    assert_eq!(stage.log.count(), 0);
}

#[tokio::test]
async fn a_retry_is_noted_before_it_is_sent_and_answered_with_its_outcome() {
    let stage = stage(vec![letter(1, br#"{"amount":1}"#)]).await;
    let worker = async {
        let command = stage.log.appended(1).await;
        let noted = stage.letters.get(&letter(1, b"").id).await.unwrap().unwrap();
        assert_eq!(noted.retries, std::slice::from_ref(&command.request));
        stage.log.deliver(1, Delivered::At(Position { partition: 0, offset: 0 }));
        let commit = stage.outcomes.store(&command);
        stage.replies.answer(&command, ordain_ports::Answer::Commit(commit));
        command
    };
    let (read, command) = tokio::join!(retry(&stage), worker);
    assert_eq!(read.status, 200);
    assert_eq!(read.json()["requestId"], command.request.as_str());
    assert_eq!(read.header("idempotency-key"), Some(command.request.as_str()));
    assert_ne!(command.request.as_str(), "r");
    assert_eq!(command.data.as_str(), r#"{"amount":1}"#);
    // Whoever sends it again wants it done now, on the aggregate as it is.
    assert_eq!((command.deadline, command.expected_sequence), (None, None));
}

#[tokio::test]
async fn an_attempt_that_succeeded_or_is_unknown_is_not_followed_by_another() {
    let stage = stage(vec![letter(1, br#"{"amount":1}"#)]).await;
    let mut ids = Vec::new();
    for sending in 1..=2 {
        let worker = async {
            let command = stage.log.appended(sending).await;
            stage.log.deliver(sending, Delivered::At(Position { partition: 0, offset: 0 }));
            let commit = stage.outcomes.store(&command);
            stage.replies.answer(&command, ordain_ports::Answer::Commit(commit));
            command.request
        };
        let (read, request) = tokio::join!(retry(&stage), worker);
        assert_eq!(read.status, 200);
        ids.push(request);
    }
    assert_eq!(ids[0], ids[1]);
    let noted = stage.letters.get(&letter(1, b"").id).await.unwrap().unwrap();
    assert_eq!(noted.retries.len(), 1);
}
