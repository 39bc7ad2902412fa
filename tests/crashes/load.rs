//! Load that remembers: clients on 64 connections, every request sent twice, each sending again
//! under the same id until there is a definite answer; all that was answered is written down.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ordain_tests::{Client, Server, Told};
use tokio::sync::watch;
use tokio::task::JoinSet;

const CONNECTIONS: usize = 64;
const ACCOUNTS: usize = 20;
/// How long a client waits before it sends again what got no definite answer.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// A request by its path (`/v1/type/id/command`), its id and its body.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) request: String,
    pub(crate) body: String,
}

impl Asked {
    fn new(path: String, request: String, body: String) -> Self {
        Self { path, request, body }
    }

    /// `/v1/type/id`
    pub(crate) fn aggregate(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(aggregate, _)| aggregate)
    }
}

/// What was definitely answered: the status and the outcome document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) outcome: serde_json::Value,
}

impl Answered {
    /// The definite answer in what was told, if it is one.
    pub(crate) fn of(told: &Told) -> Option<Self> {
        match told.status {
            200 | 201 => Some(Self { status: told.status, outcome: told.json() }),
            409 | 412 => Some(Self { status: told.status, outcome: told.at("/result") }),
            503 | 504 => None,
            other => panic!("an answer that must not be: {other} {}", told.body),
        }
    }
}

/// Everything that was ever answered.
#[derive(Debug, Default)]
pub(crate) struct History {
    answers: Mutex<BTreeMap<Asked, Answered>>,
    count: AtomicUsize,
}

impl History {
    /// Writes an answer down. A request that was answered before must be answered the same.
    pub(crate) fn answered(&self, asked: &Asked, answer: &Answered) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let before = &*answers.entry(asked.clone()).or_insert_with(|| answer.clone());
        assert_eq!(before, answer, "{asked:?} was answered twice, differently");
    }

    pub(crate) fn answers(&self) -> BTreeMap<Asked, Answered> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

/// Clients at work.
pub(crate) struct Load {
    pub(crate) history: Arc<History>,
    server: watch::Sender<Option<Client>>,
    stop: Arc<AtomicBool>,
    clients: JoinSet<()>,
}

impl Load {
    /// Starts the clients. They wait until there is a server.
    pub(crate) fn start(seed: &str) -> Self {
        let history = Arc::new(History::default());
        let server = watch::Sender::new(None);
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for number in 0..CONNECTIONS {
            let worker = LoadClient {
                history: Arc::clone(&history),
                server: server.subscribe(),
                stop: Arc::clone(&stop),
                name: format!("{seed}-{number}"),
                number,
            };
            clients.spawn(worker.run());
        }
        Self { history, server, stop, clients }
    }

    /// From now on the clients talk to this server.
    pub(crate) fn serve(&self, server: &Server) {
        self.server.send_replace(Some(server.client()));
    }

    /// Waits until so many more answers are written down.
    pub(crate) async fn progress(&self, answers: usize) {
        let wanted = self.history.count() + answers;
        ordain_tests::until("answers", || async { (self.history.count() >= wanted).then_some(()) })
            .await;
    }

    /// Lets every client finish what it has begun; then nothing is unknown.
    pub(crate) async fn stop(mut self) -> Arc<History> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(client) = self.clients.join_next().await {
            client.expect("a client saw nothing that must not be");
        }
        self.history
    }
}

struct LoadClient {
    history: Arc<History>,
    server: watch::Receiver<Option<Client>>,
    stop: Arc<AtomicBool>,
    name: String,
    number: usize,
}

impl LoadClient {
    async fn run(mut self) {
        for round in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            for asked in self.requests(round) {
                // Two sendings of each request, one after the other or both at once.
                if round % 2 == 0 {
                    self.until_definite(&asked).await;
                    self.until_definite(&asked).await;
                } else {
                    let mut twin = self.twin();
                    tokio::join!(self.until_definite(&asked), twin.until_definite(&asked));
                }
            }
        }
    }

    fn twin(&self) -> Self {
        Self {
            history: Arc::clone(&self.history),
            server: self.server.clone(),
            stop: Arc::clone(&self.stop),
            name: self.name.clone(),
            number: self.number,
        }
    }

    /// Deposits and withdrawals that are sometimes refused, and a job that two want.
    fn requests(&self, round: usize) -> Vec<Asked> {
        let name = format!("{}-{round}", self.name);
        let account = format!("/v1/account/a{}", (self.number * 7 + round) % ACCOUNTS);
        let job = format!("/v1/job-request/{name}");
        let unwanted = format!("/v1/job-request/{name}-unwanted");
        let amount = round % 5 + 1;
        let create = r#"{"cleaners":["ann","bob"],"tasks":[{"id":"t","name":"sweep"}]}"#;
        let ask = |path: &str, request: &str, body: String| {
            Asked::new(path.to_owned(), format!("{request}-{name}"), body)
        };
        vec![
            ask(&format!("{account}/open"), "open", "{}".to_owned()),
            ask(&format!("{account}/deposit"), "deposit", format!(r#"{{"amount":{amount}}}"#)),
            ask(
                &format!("{account}/withdraw"),
                "withdraw",
                format!(r#"{{"amount":{}}}"#, amount + 2),
            ),
            ask(&format!("{job}/create"), "create", create.to_owned()),
            ask(&format!("{job}/accept"), "ann", r#"{"cleanerId":"ann"}"#.to_owned()),
            ask(&format!("{job}/accept"), "bob", r#"{"cleanerId":"bob"}"#.to_owned()),
            ask(&format!("{job}/start"), "start", "{}".to_owned()),
            ask(
                &format!("{unwanted}/create"),
                "create",
                r#"{"cleaners":["ann"],"tasks":[]}"#.to_owned(),
            ),
            // Two events in one commit.
            ask(&format!("{unwanted}/decline"), "decline", r#"{"cleanerId":"ann"}"#.to_owned()),
        ]
    }

    async fn until_definite(&mut self, asked: &Asked) {
        loop {
            let client = self.server.wait_for(Option::is_some).await.map(|client| client.clone());
            let Ok(Some(client)) = client else { return };
            if let Ok(told) = client.send(&asked.path, &asked.request, &asked.body).await
                && let Some(answer) = Answered::of(&told)
            {
                return self.history.answered(asked, &answer);
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }
}
