//! Two hundred cleaners accept one job at once.

use ordain_tests::ServerOptions;
use tokio::task::JoinSet;

use crate::Home;

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_cleaners_exactly_one_gets_the_job() {
    let home = Home::new();
    let server = home.serve(&ServerOptions::default()).await;
    let client = server.client();
    let cleaners: Vec<String> = (0..200).map(|n| format!("cleaner-{n}")).collect();
    let body = serde_json::json!({"cleaners": cleaners, "tasks": []}).to_string();
    let created = client.send("/v1/job-request/job/create", "create", &body).await.unwrap();
    assert_eq!(created.status, 201, "{}", created.body);
    let mut accepts = JoinSet::new();
    for cleaner in cleaners {
        let client = client.clone();
        accepts.spawn(async move {
            let body = serde_json::json!({"cleanerId": cleaner}).to_string();
            let told = client.send("/v1/job-request/job/accept", &cleaner, &body).await.unwrap();
            (cleaner, told)
        });
    }
    let mut winners = Vec::new();
    while let Some(told) = accepts.join_next().await {
        let (cleaner, told) = told.unwrap();
        match told.status {
            200 => winners.push(cleaner),
            409 => assert_eq!(told.at("/code"), "JOB_ALREADY_ACCEPTED"),
            other => panic!("{other}: {}", told.body),
        }
    }
    assert_eq!(winners.len(), 1);
    let state = client.get("/v1/job-request/job").await.unwrap();
    assert_eq!(state.at("/state/acceptedCleaner"), winners.remove(0));
    assert_eq!(state.at("/revision"), 201, "every refusal is an outcome too");
    server.terminate().await;
}
