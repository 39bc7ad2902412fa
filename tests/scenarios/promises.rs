//! The promises that need a whole process and are not shown elsewhere, by name.

use ordain_tests::ServerOptions;

use crate::Home;

#[tokio::test(flavor = "multi_thread")]
async fn never_late() {
    let home = Home::new();
    let options =
        ServerOptions { failpoints: "C4=1*sleep(1000)".to_owned(), ..ServerOptions::partitions(1) };
    let server = home.serve(&options).await;
    let client = server.client();
    let soon = std::time::SystemTime::now() + std::time::Duration::from_millis(400);
    let since = soon.duration_since(std::time::UNIX_EPOCH).unwrap();
    let deadline = ordain_model::Timestamp::from_nanoseconds(since.as_nanos() as i64).to_string();
    let headers = [("idempotency-key", "r"), ("ordain-deadline", deadline.as_str())];
    // Decided in time, but the lane stands still until the deadline is over.
    let told = client.send_with("/v1/account/a/open", &headers, "{}").await.unwrap();
    assert_eq!((told.status, told.at("/code")), (409, "EXPIRED".into()), "{}", told.body);
    assert_eq!(client.get("/v1/account/a").await.unwrap().status, 404);
    server.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn timeout_is_honest() {
    let home = Home::new();
    let options =
        ServerOptions { failpoints: "C4=1*sleep(2500)".to_owned(), ..ServerOptions::partitions(1) };
    let server = home.serve(&options).await;
    let client = server.client();
    let headers = [("idempotency-key", "r"), ("prefer", "wait=1")];
    let unknown = client.send_with("/v1/account/a/open", &headers, "{}").await.unwrap();
    assert_eq!(unknown.status, 504, "{}", unknown.body);
    assert!(!unknown.header("retry-after").is_empty());
    let pending = client.get("/v1/account/a/requests/r?wait=0").await.unwrap();
    assert_eq!((pending.status, pending.at("/state")), (202, "PENDING".into()));
    let again = client.send("/v1/account/a/open", "r", "{}").await.unwrap();
    assert_eq!(again.status, 201, "asked again with the same id: {}", again.body);
    server.terminate().await;
}
