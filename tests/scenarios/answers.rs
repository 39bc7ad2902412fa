//! What the README says of answers.

use ordain_tests::ServerOptions;

use crate::Home;

#[tokio::test]
async fn the_same_id_gives_the_same_answer_and_another_body_is_refused() {
    let home = Home::new();
    let server = home.serve(&ServerOptions::default()).await;
    let client = server.client();
    let opened = client.send("/v1/account/a/open", "o", "{}").await.unwrap();
    assert_eq!((opened.status, opened.at("/outcome")), (201, "SUCCESS".into()));
    let body = r#"{"amount": 500}"#;
    let first = client.send("/v1/account/a/deposit", "d", body).await.unwrap();
    assert_eq!((first.status, first.header("idempotency-replayed")), (200, ""));
    let again = client.send("/v1/account/a/deposit", "d", body).await.unwrap();
    assert_eq!((again.status, again.header("idempotency-replayed")), (200, "true"));
    assert_eq!(again.body, first.body, "byte for byte");
    let spaced = client.send("/v1/account/a/deposit", "d", r#" {"amount":5e2} "#).await.unwrap();
    assert_eq!(spaced.body, first.body, "the same meaning is the same body");
    let other = client.send("/v1/account/a/deposit", "d", r#"{"amount":501}"#).await.unwrap();
    assert_eq!((other.status, other.at("/code")), (422, "KEY_REUSED".into()));
    let elsewhere = client.send("/v1/account/b/open", "d", "{}").await.unwrap();
    assert_eq!(elsewhere.status, 201, "at another aggregate it is another command");
    let state = client.get("/v1/account/a").await.unwrap();
    assert_eq!((state.at("/state/funds"), state.header("etag")), (500.into(), "\"2\""));
    let read = client.get("/v1/account/a/requests/d").await.unwrap();
    assert_eq!((read.status, &read.body), (200, &first.body));
    assert_eq!(server.terminate().await.code(), Some(0));
}

#[tokio::test]
async fn another_body_is_refused_while_the_first_is_still_in_flight() {
    let home = Home::new();
    // Every lane stops before its first insert.
    let options =
        ServerOptions { failpoints: "C4=1*sleep(1500)".to_owned(), ..ServerOptions::default() };
    let server = home.serve(&options).await;
    let client = server.client();
    let (first, other, same) = tokio::join!(
        client.send("/v1/account/a/open", "r", "{}"),
        async {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            client.send("/v1/account/a/deposit", "r", r#"{"amount":1}"#).await
        },
        async {
            tokio::time::sleep(std::time::Duration::from_millis(400)).await;
            client.send("/v1/account/a/open", "r", "{}").await
        }
    );
    let (first, other, same) = (first.unwrap(), other.unwrap(), same.unwrap());
    assert_eq!(first.status, 201, "{}", first.body);
    assert_eq!((other.status, other.at("/code")), (422, "KEY_REUSED".into()));
    assert_eq!((same.status, &same.body), (201, &first.body));
    server.terminate().await;
}

#[tokio::test]
async fn a_refusal_is_told_with_its_code_and_its_outcome() {
    let home = Home::new();
    let server = home.serve(&ServerOptions::default()).await;
    let client = server.client();
    let body = r#"{"cleaners":["ann","bob"],"tasks":[]}"#;
    let created = client.send("/v1/job-request/j/create", "c", body).await.unwrap();
    assert_eq!(created.status, 201);
    let ann = client.send("/v1/job-request/j/accept", "a", r#"{"cleanerId":"ann"}"#).await.unwrap();
    assert_eq!(ann.status, 200);
    let bob = client.send("/v1/job-request/j/accept", "b", r#"{"cleanerId":"bob"}"#).await.unwrap();
    assert_eq!((bob.status, bob.at("/code")), (409, "JOB_ALREADY_ACCEPTED".into()));
    assert_eq!(bob.at("/result/outcome"), "FAIL");
    let again =
        client.send("/v1/job-request/j/accept", "b", r#"{"cleanerId":"bob"}"#).await.unwrap();
    assert_eq!(again.body, bob.body);
    let receipt = ann.at("/receipt");
    let path = format!("/v1/views/cleaner-jobs/ann/j?receipt={}", receipt.as_str().unwrap());
    let row = client.get(&path).await.unwrap();
    assert_eq!(row.status, 200, "{}", row.body);
    let listed = client.get("/v1/views/cleaner-jobs?prefix=bob/").await.unwrap();
    assert_eq!(listed.json()["rows"].as_array().map(Vec::len), Some(1), "{}", listed.body);
    server.terminate().await;
}

#[tokio::test]
async fn an_unknown_request_is_unknown_and_an_asynchronous_one_is_found() {
    let home = Home::new();
    // The worker takes longer than the log, so that there is no outcome to answer with.
    let options =
        ServerOptions { failpoints: "C4=1*sleep(500)".to_owned(), ..ServerOptions::default() };
    let server = home.serve(&options).await;
    let client = server.client();
    let unknown = client.get("/v1/account/a/requests/nobody").await.unwrap();
    assert_eq!((unknown.status, unknown.at("/code")), (404, "UNKNOWN".into()));
    let headers = [("idempotency-key", "r"), ("prefer", "respond-async")];
    let accepted = client.send_with("/v1/account/a/open", &headers, "{}").await.unwrap();
    assert_eq!(accepted.status, 202);
    let outcome = client.get(accepted.header("location")).await.unwrap();
    assert_eq!((outcome.status, outcome.at("/outcome")), (200, "SUCCESS".into()));
    server.terminate().await;
}
