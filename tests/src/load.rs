//! Load that remembers: clients on 64 connections, every request sent twice, each sending again
//! under the same id until there is a definite answer, through whichever API; all that was answered
//! is written down.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::{Client, Server, Told, WAIT_MAX, until};

const CONNECTIONS: usize = 64;
const ACCOUNTS: usize = 20;
/// How long a client waits before it sends again what got no definite answer: first, and at most.
const RETRY_PAUSE_FIRST: Duration = Duration::from_millis(20);
const RETRY_PAUSE_MAX: Duration = Duration::from_millis(500);

/// A request by its path (`/v1/type/id/command`), its id and its body.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// Where it is sent.
    pub path: String,
    /// Its id.
    pub request: String,
    /// What is sent.
    pub body: String,
}

impl Asked {
    /// This request.
    #[must_use]
    pub const fn new(path: String, request: String, body: String) -> Self {
        Self { path, request, body }
    }

    /// Its aggregate, `/v1/type/id`.
    #[must_use]
    pub fn aggregate(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(aggregate, _)| aggregate)
    }
}

/// What was definitely answered: the status and the outcome document.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// The outcome document.
    pub outcome: serde_json::Value,
}

impl Answered {
    /// The definite answer in what was told, if it is one.
    ///
    /// # Panics
    /// When it is an answer that none of these requests may get.
    #[must_use]
    pub fn of(told: &Told) -> Option<Self> {
        match told.status {
            200 | 201 => Some(Self { status: told.status, outcome: told.json() }),
            409 | 412 => Some(Self { status: told.status, outcome: told.at("/result") }),
            503 | 504 => None,
            #[expect(clippy::panic, reason = "a test that meets what must not be has failed")]
            other => panic!("an answer that must not be: {other} {}", told.body),
        }
    }
}

/// Everything that was ever answered.
#[derive(Debug, Default)]
pub struct History {
    answers: Mutex<BTreeMap<Asked, Answered>>,
    /// When each answer came, repeats and all.
    times: Mutex<Vec<Instant>>,
}

impl History {
    /// Writes an answer down.
    ///
    /// # Panics
    /// When the request was answered before, and differently.
    pub fn answered(&self, asked: &Asked, answer: &Answered) {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let before = &*answers.entry(asked.clone()).or_insert_with(|| answer.clone());
        assert_eq!(before, answer, "{asked:?} was answered twice, differently");
    }

    /// All that was answered, and how.
    pub fn answers(&self) -> BTreeMap<Asked, Answered> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many answers came, repeats and all.
    pub fn count(&self) -> usize {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// When the answers came, but for so many at the beginning.
    pub fn times_since(&self, count: usize) -> Vec<Instant> {
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.get(count..).unwrap_or_default().to_vec()
    }
}

/// Clients at work.
#[derive(Debug)]
pub struct Load {
    /// What they were answered.
    pub history: Arc<History>,
    servers: watch::Sender<Vec<Client>>,
    stop: Arc<AtomicBool>,
    /// How often each client was answered.
    answered: Vec<Arc<AtomicUsize>>,
    clients: JoinSet<()>,
}

impl Load {
    /// Starts the clients. They wait until there is a server.
    #[must_use]
    pub fn start(seed: &str) -> Self {
        let history = Arc::new(History::default());
        let servers = watch::Sender::new(Vec::new());
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        let answered: Vec<_> = (0..CONNECTIONS).map(|_| Arc::<AtomicUsize>::default()).collect();
        for (number, answered) in answered.iter().enumerate() {
            let worker = LoadClient {
                history: Arc::clone(&history),
                servers: servers.subscribe(),
                stop: Arc::clone(&stop),
                answered: Arc::clone(answered),
                name: format!("{seed}-{number}"),
                number,
            };
            clients.spawn(worker.run());
        }
        Self { history, servers, stop, answered, clients }
    }

    /// From now on the clients talk to this server, through any of its APIs.
    pub fn serve(&self, server: &Server) {
        self.servers.send_replace(server.clients());
    }

    /// Waits until so many more answers are written down.
    ///
    /// # Panics
    /// When they do not come.
    pub async fn progress(&self, answers: usize) {
        let wanted = self.history.count() + answers;
        until("answers", || async { (self.history.count() >= wanted).then_some(()) }).await;
    }

    /// Waits until every client has been answered once more: then nothing stands still.
    ///
    /// # Panics
    /// When one is not.
    pub async fn all_are_answered(&self) {
        let count = |answered: &Arc<AtomicUsize>| answered.load(Ordering::Relaxed);
        let before: Vec<usize> = self.answered.iter().map(count).collect();
        until("an answer to every client", || async {
            let now = self.answered.iter().map(count);
            now.zip(&before).all(|(now, before)| now > *before).then_some(())
        })
        .await;
    }

    /// Sends one request more until there is a definite answer.
    ///
    /// # Panics
    /// When there is no server.
    pub async fn ask(&self, asked: &Asked) -> Answered {
        let answer = until_definite(&self.history, &self.servers.subscribe(), asked, 0).await;
        #[expect(clippy::expect_used, reason = "a test without a server has failed")]
        answer.expect("clients have a server")
    }

    /// Lets every client finish what it has begun; then nothing is unknown.
    ///
    /// # Panics
    /// When one saw what must not be.
    pub async fn stop(mut self) -> Arc<History> {
        self.stop.store(true, Ordering::Relaxed);
        #[expect(clippy::expect_used, reason = "a client that saw it, or hangs, has failed")]
        while let Some(client) = timeout(WAIT_MAX, self.clients.join_next())
            .await
            .expect("every client gets a definite answer in time")
        {
            client.expect("a client saw nothing that must not be");
        }
        self.history
    }
}

struct LoadClient {
    history: Arc<History>,
    servers: watch::Receiver<Vec<Client>>,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    name: String,
    number: usize,
}

impl LoadClient {
    async fn run(self) {
        for round in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            for asked in self.requests(round) {
                // Two sendings of each request, one after the other or both at once.
                if round % 2 == 0 {
                    self.until_definite(&asked, round).await;
                    self.until_definite(&asked, round).await;
                } else {
                    tokio::join!(
                        self.until_definite(&asked, round),
                        self.until_definite(&asked, round + 1)
                    );
                }
            }
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

    async fn until_definite(&self, asked: &Asked, round: usize) {
        until_definite(&self.history, &self.servers, asked, self.number + round).await;
        self.answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// Sends until there is a definite answer, and writes it down: to one API and then to the next,
/// beginning with that of this number.
async fn until_definite(
    history: &History,
    servers: &watch::Receiver<Vec<Client>>,
    asked: &Asked,
    first: usize,
) -> Option<Answered> {
    let mut servers = servers.clone();
    let mut pause = RETRY_PAUSE_FIRST;
    for attempt in first.. {
        let clients = servers.wait_for(|clients| !clients.is_empty()).await.ok()?.clone();
        let client = clients.get(attempt % clients.len())?;
        if let Ok(told) = client.send(&asked.path, &asked.request, &asked.body).await
            && let Some(answer) = Answered::of(&told)
        {
            history.answered(asked, &answer);
            return Some(answer);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY_PAUSE_MAX);
    }
    None
}
