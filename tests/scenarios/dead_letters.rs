//! One bad command stops nobody: it is rejected, kept as a dead letter, and can be sent again.

use ordain_tests::{Client, ServerOptions, until};

use crate::Home;

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_command_stops_nobody() {
    let home = Home::new();
    // One lane, so that every command stands behind the bad one.
    let environment = vec![("RUST_BACKTRACE".to_owned(), "1".to_owned())];
    let options = ServerOptions { environment, ..ServerOptions::partitions(1) };
    let server = home.serve(&options).await;
    let client = server.client();
    let (bad, beside) = tokio::join!(
        client.send("/v1/broken/p/panic", "bad", "{}"),
        client.send("/v1/broken/p/work", "beside", "{}"),
    );
    let (bad, beside) = (bad.unwrap(), beside.unwrap());
    assert_eq!((bad.status, bad.at("/code")), (422, "RULE_PANICKED".into()), "{}", bad.body);
    assert_eq!(beside.status, 200, "{}", beside.body);
    let again = client.send("/v1/broken/p/panic", "bad", "{}").await.unwrap();
    assert_eq!(again.body, bad.body, "the same answer");
    let operators = Client::new(&server.metrics);
    // The reply does not wait for the dead letter.
    let letter = until("the dead letter", || async {
        let letters = operators.get("/v1/admin/deadletters").await.ok()?;
        letters.at("/letters/0").as_object().cloned()
    })
    .await;
    assert_eq!(letter["requestId"], "bad", "{letter:?}");
    assert_eq!(letter["code"], "RULE_PANICKED", "{letter:?}");
    let path = format!("/v1/admin/deadletters/{}", letter["id"].as_str().unwrap());
    let retried = operators.send(&format!("{path}/retry"), "ignored", "").await.unwrap();
    assert_eq!(retried.at("/code"), "RULE_PANICKED", "no better than before: {}", retried.body);
    let letter = operators.get(&path).await.unwrap();
    assert_eq!(letter.at("/retries").as_array().map(Vec::len), Some(1), "{}", letter.body);
    // A backtrace would have kept the whole lane waiting.
    let log = server.log();
    let is_told = |line: &&str| line.contains(" panicked ") && line.contains("src/broken.rs");
    assert!(log.lines().any(|line| is_told(&line)), "{log}");
    assert!(!log.contains("stack backtrace"), "{log}");
    server.terminate().await;
}
