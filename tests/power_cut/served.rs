//! A real server under the tracer, with clients that send commands and read.

use std::path::Path;
use std::time::Duration;

use ordain_tests::{Client, Server, ServerOptions, Told};
use serde_json::json;
use tokio::task::JoinSet;

use crate::KILL;
use crate::full::SmallDisk;
use crate::traced::{Driven, Step, tracer, was_killed};

const CLIENTS: usize = 8;
const ACCOUNTS: usize = 4;

/// A command that was sent, and its definite answer.
pub(crate) struct Sent {
    path: String,
    request: String,
    body: String,
    answer: Told,
}

fn options(wrapper: Vec<String>) -> ServerOptions {
    ServerOptions { wrapper, ..ServerOptions::partitions(2) }
}

/// How a server ends in the middle of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It is killed between a write and its sync.
    Killed,
    /// A sync fails.
    FailedSync,
}

/// Runs a server on a directory, has clients work with it, and waits for its end.
pub(crate) async fn serve_until(driven: &mut Driven, end: End) -> (Vec<Sent>, Vec<Step>) {
    let trace = driven.trace();
    let inject = match end {
        End::Killed => "fdatasync:signal=SIGKILL:when=250",
        End::FailedSync => "fdatasync:error=EIO:when=100",
    };
    let tracer = tracer(&trace, Some(inject));
    let mut server = Server::start(&driven.directory(), &options(tracer)).await;
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(work(server.client(), number));
    }
    let status = server.ended().await;
    let as_told = match end {
        End::Killed => was_killed(status, KILL),
        End::FailedSync => status.code().is_some_and(|code| code != 0),
    };
    assert!(as_told, "{status}: {}", server.log());
    let mut sent = Vec::new();
    while let Some(client) = clients.join_next().await {
        sent.extend(client.expect("a client ends with its server"));
    }
    assert!(!sent.is_empty(), "nothing was answered before the end");
    (sent, driven.steps(&trace))
}

/// Fills a small disk with commands until it is full, gives it room, and sends everything again:
/// what was answered is answered the same, and of what was refused nothing is known.
pub(crate) async fn fill_and_grow(disk: &SmallDisk) {
    let mut options = options(Vec::new());
    for (name, value) in [("FREE_BYTES_MIN_COMMANDS", 4 << 20), ("FREE_BYTES_MIN", 2 << 20)] {
        options.environment.push((format!("ORDAIN_EMBEDDED__{name}"), value.to_string()));
    }
    let server = Server::start(&disk.path().join("data"), &options).await;
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(create_until_refused(server.client(), number));
    }
    let (mut sent, mut refused) = (Vec::new(), Vec::new());
    while let Some(client) = clients.join_next().await {
        let (more, none) = client.expect("a client ends by itself");
        sent.extend(more);
        refused.extend(none);
    }
    assert!(!sent.is_empty() && !refused.is_empty(), "{} and {}", sent.len(), refused.len());
    // More than a server wants to have free when nobody says how much.
    disk.grow("2g");
    let client = server.client();
    for path in refused {
        let outcome = client.get(&path).await.expect("an answer");
        assert_eq!(outcome.status, 404, "{path} was refused: {}", outcome.body);
    }
    assert_answered_again(&client, &sent).await;
    let after = client.send("/v1/account/later/open", "later", "{}").await.expect("an answer");
    assert_eq!(after.status, 201, "with room again: {}", after.body);
    server.kill().await;
    assert_same_answers(&disk.path().join("data"), &sent).await;
}

/// Creates large jobs until some are refused; gives what was answered, and where the outcomes of
/// those would be that were refused.
async fn create_until_refused(client: Client, number: usize) -> (Vec<Sent>, Vec<String>) {
    const REFUSED_ENOUGH: usize = 3;
    let name = "x".repeat(100);
    let tasks: Vec<_> = (0..100).map(|id| json!({"id": id.to_string(), "name": name})).collect();
    let body = json!({"cleaners": ["ann"], "tasks": tasks}).to_string();
    let (mut sent, mut refused) = (Vec::new(), Vec::new());
    for round in 0.. {
        let (job, request) = (format!("/v1/job-request/f{number}-{round}"), "r".to_owned());
        let path = format!("{job}/create");
        let answer = client.send(&path, &request, &body).await.expect("an answer");
        match answer.status {
            201 => sent.push(Sent { path, request, body: body.clone(), answer }),
            503 => refused.push(format!("{job}/requests/{request}")),
            // It is accepted, and waits for room.
            504 => {}
            _ => panic!("{}: {}", answer.status, answer.body),
        }
        if refused.len() == REFUSED_ENOUGH {
            break;
        }
    }
    (sent, refused)
}

/// Commands of a few kinds, and reads of what they have done; ends when the server is gone.
async fn work(client: Client, number: usize) -> Vec<Sent> {
    let mut sent = Vec::new();
    for round in 0.. {
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
    assert_answered_again(&server.client(), sent).await;
    server.kill().await;
}

async fn assert_answered_again(client: &Client, sent: &[Sent]) {
    for Sent { path, request, body, answer } in sent {
        let again = tokio::time::timeout(Duration::from_secs(30), client.send(path, request, body));
        let again = again.await.expect("an answer in time").expect("an answer");
        // The answer to a refusal speaks of the request alone; a created one was 201 then too.
        assert_eq!(again.body, answer.body, "{request} to {path}");
        assert_eq!(again.header("idempotency-replayed"), "true", "{request} to {path}");
    }
}
