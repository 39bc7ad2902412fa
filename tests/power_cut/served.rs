//! A real server under the tracer, with clients that send commands and read.

use std::path::Path;
use std::time::Duration;

use ordain_tests::{Client, Server, ServerOptions, Told};
use tokio::task::JoinSet;

use crate::traced::{Driven, Step, tracer};

const CLIENTS: usize = 8;
const ROUNDS: usize = 6;
const ACCOUNTS: usize = 4;

/// A command that was sent, and its definite answer.
pub(crate) struct Sent {
    path: String,
    request: String,
    body: String,
    answer: Told,
}

/// Runs a server on a directory, has clients work with it, and kills it in the middle of that.
pub(crate) async fn serve_and_kill(driven: &mut Driven) -> (Vec<Sent>, Vec<Step>) {
    let trace = driven.trace();
    let options = ServerOptions {
        arguments: ["--partitions", "2"].map(str::to_owned).to_vec(),
        wrapper: tracer(&trace, None),
        ..ServerOptions::default()
    };
    let server = Server::start(&driven.directory(), &options).await;
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(work(server.client(), number));
    }
    let mut sent = Vec::new();
    while let Some(client) = clients.join_next().await {
        sent.extend(client.expect("a client ends by itself"));
    }
    // Something is always under way when it is killed.
    for number in 0..CLIENTS {
        clients.spawn(work(server.client(), CLIENTS + number));
    }
    let client = server.client();
    ordain_tests::until("a late command to be answered", || async {
        let path = format!("/v1/job-request/j{CLIENTS}-0");
        let told = client.get(&path).await.ok()?;
        (told.status == 200).then_some(())
    })
    .await;
    server.kill().await;
    clients.shutdown().await;
    (sent, driven.steps(&trace))
}

/// Commands of a few kinds, and reads of what they have done; ends when the server is gone.
async fn work(client: Client, number: usize) -> Vec<Sent> {
    let mut sent = Vec::new();
    for round in 0..ROUNDS {
        let account = format!("/v1/account/a{}", (number + round) % ACCOUNTS);
        let job = format!("/v1/job-request/j{number}-{round}");
        let create = r#"{"cleaners":["ann","bob"],"tasks":[]}"#;
        let commands = [
            (format!("{account}/open"), "{}".to_owned()),
            (format!("{account}/deposit"), format!("{{\"amount\":{}}}", round + 1)),
            (format!("{account}/withdraw"), format!("{{\"amount\":{}}}", number + 1)),
            (format!("{job}/create"), create.to_owned()),
            (format!("{job}/accept"), r#"{"cleanerId":"ann"}"#.to_owned()),
            (format!("{job}/accept"), r#"{"cleanerId":"bob"}"#.to_owned()),
        ];
        for (at, (path, body)) in commands.into_iter().enumerate() {
            let request = format!("r{number}-{round}-{at}");
            let Ok(answer) = client.send(&path, &request, &body).await else { return sent };
            if matches!(answer.status, 200 | 201 | 409) {
                sent.push(Sent { path, request, body, answer });
            }
        }
        let view = account.replace("/v1/account/", "/v1/views/accounts/");
        for path in [&account, &view, &job] {
            if client.get(path).await.is_err() {
                return sent;
            }
        }
    }
    sent
}

/// Starts a server on an image and sends every command again: each gets the answer it had.
pub(crate) async fn assert_same_answers(image: &Path, sent: &[Sent]) {
    let server = Server::start(image, &ServerOptions::default()).await;
    let client = server.client();
    for Sent { path, request, body, answer } in sent {
        let again = tokio::time::timeout(Duration::from_secs(30), client.send(path, request, body));
        let again = again.await.expect("an answer in time").expect("an answer");
        // The answer to a refusal speaks of the request alone; a created one was 201 then too.
        assert_eq!(again.body, answer.body, "{request} to {path}");
        assert_eq!(again.header("idempotency-replayed"), "true", "{request} to {path}");
    }
    server.kill().await;
}
