//! Clients at work while things fail: each sends again under the same id until it has a definite
//! answer, through whichever API, and all that it sees is written down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ordain_checker::history::{Line, Operation, StateRead, Transfer, ViewRead, Way};
use ordain_checker::{Outcome, Told as Document};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Memory;
use crate::{Client, Server, Told};

const ACCOUNTS: u64 = 10;
/// Accounts that money moves between.
const HOT_ACCOUNTS: u64 = 3;
/// So many clients want one job.
const RIVALS: u64 = 6;
/// How long a client waits before it sends again what got no definite answer: first, and at most.
const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// How long the clients may take to finish what they have begun, once nothing fails any more.
const FINISH_MAX: Duration = Duration::from_secs(120);

/// Clients at work.
#[derive(Debug)]
pub struct Clients {
    memory: Arc<Memory>,
    apis: watch::Sender<Vec<Client>>,
    stop: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

impl Clients {
    /// Starts so many, whose choices follow from the seed. They wait until there is a server.
    #[must_use]
    pub fn start(count: u32, seed: u64, memory: &Arc<Memory>) -> Self {
        let (apis, _) = watch::channel(Vec::new());
        let (stop, jobs) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let one = One {
                number,
                random: fastrand::Rng::with_seed(seed ^ (u64::from(number) << 32)),
                memory: Arc::clone(memory),
                apis: apis.subscribe(),
                stop: Arc::clone(&stop),
                jobs: Arc::clone(&jobs),
                sent: 0,
            };
            tasks.spawn(one.work());
        }
        Self { memory: Arc::clone(memory), apis, stop, tasks }
    }

    /// From now on the clients talk to this server, through any of its APIs.
    pub fn serve(&self, server: &Server) {
        self.apis.send_replace(server.clients());
    }

    /// Waits until so many more answers are written down.
    ///
    /// # Panics
    /// When they do not come.
    pub async fn progress(&self, answers: u64) {
        let wanted = self.memory.outcomes() + answers;
        let is_reached = || async { (self.memory.outcomes() >= wanted).then_some(()) };
        crate::until("answers", is_reached).await;
    }

    /// Lets every client finish what it has begun; then nothing is unknown.
    ///
    /// # Panics
    /// When one saw what must not be, or does not finish.
    pub async fn finish(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let finished = timeout(FINISH_MAX, async {
            #[expect(clippy::expect_used, reason = "a client that saw it has failed")]
            while let Some(client) = self.tasks.join_next().await {
                client.expect("a client saw nothing that must not be");
            }
        });
        assert!(finished.await.is_ok(), "every client gets a definite answer in time");
    }
}

/// One client.
struct One {
    number: u32,
    random: fastrand::Rng,
    memory: Arc<Memory>,
    apis: watch::Receiver<Vec<Client>>,
    stop: Arc<AtomicBool>,
    /// Counts the wishes for jobs; a few in a row are for the same one.
    jobs: Arc<AtomicU64>,
    /// Counts what this client has asked for.
    sent: u64,
}

impl One {
    async fn work(mut self) {
        for account in 0..ACCOUNTS {
            self.open(&format!("a{account}")).await;
        }
        for account in 0..HOT_ACCOUNTS {
            self.open(&format!("h{account}")).await;
        }
        while !self.stop.load(Ordering::Relaxed) {
            match self.random.u32(..12) {
                0..3 => self.deposit(Way::Send).await,
                3 => self.withdraw().await,
                4 | 5 => self.job().await,
                6 | 7 => self.transfer().await,
                8 => self.deposit(Way::LookUp).await,
                9 => self.lone().await,
                10 => self.reuse().await,
                _ => self.read().await,
            }
        }
    }

    /// Every client asks for the same, under the same id.
    async fn open(&mut self, account: &str) {
        let operation = operation(("account", account), "open", format!("open-{account}"), "{}");
        self.until_definite(&operation, Way::Send).await;
    }

    fn request(&mut self) -> String {
        self.sent += 1;
        format!("c{}-{}", self.number, self.sent)
    }

    /// Waits for the outcome, or does not and looks it up.
    async fn deposit(&mut self, way: Way) {
        let account = format!("a{}", self.random.u64(..ACCOUNTS));
        let amount = self.random.u32(1..50);
        self.account((&account, "deposit"), amount, way).await;
    }

    /// Often more than there is.
    async fn withdraw(&mut self) {
        let account = format!("a{}", self.random.u64(..ACCOUNTS));
        let amount = self.random.u32(1..400);
        self.account((&account, "withdraw"), amount, Way::Send).await;
    }

    async fn account(&mut self, (account, command): (&str, &str), amount: u32, way: Way) {
        let (request, data) = (self.request(), format!(r#"{{"amount":{amount}}}"#));
        let operation = operation(("account", account), command, request, &data);
        self.until_definite(&operation, way).await;
    }

    /// An account and a job that nobody ever asks for again; the last command has two events.
    async fn lone(&mut self) {
        let name = format!("lone-{}", self.request());
        self.open(&name).await;
        let created = r#"{"cleaners":["ann"],"tasks":[]}"#;
        for (command, data) in [("create", created), ("decline", r#"{"cleanerId":"ann"}"#)] {
            let request = self.request();
            let operation = operation(("job-request", &name), command, request, data);
            self.until_definite(&operation, Way::Send).await;
        }
    }

    /// Sends two commands under one id, at once or one behind the other: the second to come is
    /// told so.
    async fn reuse(&mut self) {
        let account = format!("a{}", self.random.u64(..ACCOUNTS));
        let request = self.request();
        let deposit = |amount| {
            let data = format!(r#"{{"amount":{amount}}}"#);
            operation(("account", &account), "deposit", request.clone(), &data)
        };
        let (one, other) = (deposit(1), deposit(2));
        if self.random.bool()
            && let Some(api) = self.api().await
        {
            let way = (Way::Send, Way::Send);
            let both = (self.call_at(&api, &one, (way, 1)), self.call_at(&api, &other, (way, 1)));
            tokio::join!(both.0, both.1);
        }
        self.settled(&one, Way::Send).await;
        self.settled(&other, Way::Send).await;
    }

    /// Creates the job that others want too, and tries to get it.
    async fn job(&mut self) {
        let wish = self.jobs.fetch_add(1, Ordering::Relaxed);
        let job = format!("j{}", wish / RIVALS);
        let cleaner = format!("ann{}", wish % RIVALS);
        let cleaners: Vec<String> = (0..RIVALS).map(|rival| format!(r#""ann{rival}""#)).collect();
        let created = format!(r#"{{"cleaners":[{}],"tasks":[]}}"#, cleaners.join(","));
        let named = format!(r#"{{"cleanerId":"{cleaner}"}}"#);
        let answer = if self.random.bool() { "accept" } else { "decline" };
        for (command, data) in [("create", created.as_str()), (answer, &named), ("start", &named)] {
            let request = self.request();
            let operation = operation(("job-request", &job), command, request, data);
            self.until_definite(&operation, Way::Send).await;
        }
    }

    /// A withdrawal, and when it has succeeded a deposit, with ids derived from one.
    async fn transfer(&mut self) {
        let from = self.random.u64(..HOT_ACCOUNTS);
        let to = (from + self.random.u64(1..HOT_ACCOUNTS)) % HOT_ACCOUNTS;
        let (from, to) = (format!("h{from}"), format!("h{to}"));
        // Money that is moved has to come from somewhere.
        self.account((&from, "deposit"), 20, Way::Send).await;
        let (request, amount) = (self.request(), self.random.u32(1..60));
        let data = format!(r#"{{"amount":{amount}}}"#);
        let side = |account: &str, command: &str| {
            operation(("account", account), command, format!("{request}-{command}"), &data)
        };
        let (withdrawal, deposit) = (side(&from, "withdraw"), side(&to, "deposit"));
        let named = |operation: &Operation| (operation.aggregate(), operation.request.clone());
        let (from, to) = (named(&withdrawal), named(&deposit));
        self.memory.write(&Line::Transfer(Transfer { from, to, amount: amount.into() }));
        let withdrawn = self.until_definite(&withdrawal, Way::Send).await;
        if withdrawn.outcome == Outcome::Success {
            self.until_definite(&deposit, Way::Send).await;
        }
    }

    async fn read(&mut self) {
        let account = format!("a{}", self.random.u64(..ACCOUNTS));
        let Some(api) = self.api().await else { return };
        let called = self.memory.now();
        let path = format!("/v1/views/accounts/{account}");
        if let Ok(told) = api.get(&path).await
            && matches!(told.status, 200 | 404)
        {
            self.memory.write(&Line::ViewRead(ViewRead {
                called,
                at: self.memory.now(),
                session: self.number,
                view: "accounts".to_owned(),
                key: account.clone(),
                sequence: told.at("/sequence").as_u64(),
                reached: None,
            }));
        }
        if let Ok(told) = api.get(&format!("/v1/account/{account}")).await {
            let state = state(&told, format!("default/account/{account}"), self.memory.now());
            state.into_iter().for_each(|state| self.memory.write(&Line::StateRead(state)));
        }
    }

    /// Calls until there is an outcome.
    async fn until_definite(&mut self, operation: &Operation, way: Way) -> Document {
        match self.settled(operation, way).await {
            Some(document) => document,
            #[expect(clippy::panic, reason = "a test that meets what must not be has failed")]
            None => panic!("KEY_REUSED of an id that names one command: {operation:?}"),
        }
    }

    /// Calls until there is an outcome, or the id is known to name another command. One who does
    /// not wait looks up what it sent, until it is told that this is unknown.
    async fn settled(&mut self, operation: &Operation, way: Way) -> Option<Document> {
        let (mut pause, mut attempt, mut next) = (PAUSE_FIRST, 0, Way::Send);
        loop {
            attempt += 1;
            let called = self.call(operation, (way, next), attempt).await;
            match called {
                Called::Definite(document) => return Some(document),
                Called::Reused => return None,
                Called::Accepted => next = Way::LookUp,
                Called::Unknown => next = Way::Send,
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn call(&mut self, operation: &Operation, ways: (Way, Way), attempt: u32) -> Called {
        match self.api().await {
            Some(api) => self.call_at(&api, operation, (ways, attempt)).await,
            None => Called::Unknown,
        }
    }

    async fn call_at(
        &self,
        api: &Client,
        operation: &Operation,
        (ways, attempt): ((Way, Way), u32),
    ) -> Called {
        let Operation { kind, id, command, data, request, .. } = operation;
        let (wanted, way) = ways;
        if way == Way::LookUp {
            let asked =
                Operation { command: String::new(), data: String::new(), ..operation.clone() };
            let call = self.memory.call(self.number, (way, attempt), &asked);
            let told = api.get(&format!("/v1/{kind}/{id}/requests/{request}?wait=2")).await.ok();
            return self.answered(call, told.as_ref());
        }
        let mut headers = vec![("idempotency-key", request.as_str())];
        if wanted == Way::LookUp {
            headers.push(("prefer", "respond-async"));
        }
        let call = self.memory.call(self.number, (way, attempt), operation);
        let told = api.send_with(&format!("/v1/{kind}/{id}/{command}"), &headers, data).await;
        self.answered(call, told.ok().as_ref())
    }

    fn answered(&self, call: u64, told: Option<&Told>) -> Called {
        let document = self.memory.answer(call, told);
        match (document, told.map(|told| told.status)) {
            (Some(document), _) => Called::Definite(document),
            (None, Some(202)) => Called::Accepted,
            (None, Some(422)) => Called::Reused,
            (None, None | Some(404 | 500 | 503 | 504)) => Called::Unknown,
            #[expect(clippy::panic, reason = "a test that meets what must not be has failed")]
            (None, Some(other)) => panic!("an answer that must not be: {other}: {told:?}"),
        }
    }

    /// Any of the APIs; none when there will be none any more.
    async fn api(&mut self) -> Option<Client> {
        let apis = self.apis.wait_for(|apis| !apis.is_empty()).await.ok()?;
        self.random.choice(apis.iter()).cloned()
    }
}

/// What a call came to.
enum Called {
    /// The outcome.
    Definite(Document),
    /// The id names another command.
    Reused,
    /// Accepted, and not decided yet.
    Accepted,
    /// Nobody knows, or certainly not accepted: to be sent again.
    Unknown,
}

fn operation((kind, id): (&str, &str), command: &str, request: String, data: &str) -> Operation {
    Operation {
        tenant: None,
        kind: kind.to_owned(),
        id: id.to_owned(),
        request,
        command: command.to_owned(),
        data: data.to_owned(),
        expected_sequence: None,
        deadline: None,
    }
}

fn state(told: &Told, aggregate: String, at: u64) -> Option<StateRead> {
    #[derive(Deserialize)]
    struct Read<'a> {
        revision: u64,
        sequence: u64,
        #[serde(borrow)]
        state: &'a RawValue,
    }
    let Read { revision, sequence, state } = serde_json::from_str(&told.body).ok()?;
    Some(StateRead { at, aggregate, revision, sequence, state: state.get().to_owned() })
}
