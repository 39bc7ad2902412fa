//! A correct system with many clients at once, simulated from a seed: calls that are refused, lost
//! or never answered, retries, late decisions, repeats in the log of events.

use std::collections::VecDeque;

use fastrand::Rng;
use ordain_checker::Outcome;
use ordain_checker::evidence::{Happened, Item, Request};
use ordain_checker::history::{Line, Operation, Transfer, Way};

use crate::run::{Nonce, Run, account, job};

/// How large it is.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    /// Operations; each is sent once at least.
    pub(crate) operations: usize,
    pub(crate) clients: usize,
    pub(crate) accounts: usize,
}

/// The system and its clients.
pub(crate) struct Simulation {
    pub(crate) run: Run,
    random: Rng,
    size: Size,
    begun: usize,
    clients: Vec<Client>,
    /// Records that no worker has come to yet.
    log: VecDeque<Request>,
    /// Events that are published again now and then.
    published: VecDeque<(Operation, Happened)>,
}

#[derive(Default)]
struct Client {
    number: usize,
    /// What it has to do, one after the other.
    script: VecDeque<Step>,
    /// What it sends until there is a definite answer.
    current: Option<Operation>,
    /// The call that it waits for, and the record that came of it.
    waiting: Option<(u64, Option<Request>)>,
}

/// Something to do.
struct Step {
    operation: Operation,
    /// What it says beforehand.
    says: Option<Line>,
    /// It is only done when this has succeeded.
    after: Option<Operation>,
}

impl From<Operation> for Step {
    fn from(operation: Operation) -> Self {
        Self { operation, says: None, after: None }
    }
}

impl Simulation {
    pub(crate) fn new(seed: u64, size: Size) -> Self {
        let clients = (0..size.clients).map(|number| Client { number, ..Client::default() });
        Self {
            run: Run::default(),
            random: Rng::with_seed(seed),
            size,
            begun: 0,
            clients: clients.collect(),
            log: VecDeque::new(),
            published: VecDeque::new(),
        }
    }

    /// Goes one step on. False when all is done and nothing is in the log.
    pub(crate) fn step(&mut self) -> bool {
        if self.random.u8(0..10) < 4 {
            self.work();
        }
        let mut client = std::mem::take(self.pick());
        let number = client.number;
        self.act(&mut client);
        self.clients[number] = client;
        let is_done = |client: &Client| client.current.is_none() && client.script.is_empty();
        self.begun < self.size.operations
            || !self.log.is_empty()
            || !self.clients.iter().all(is_done)
    }

    fn pick(&mut self) -> &mut Client {
        let number = self.random.usize(0..self.clients.len());
        &mut self.clients[number]
    }

    /// A worker takes the next record.
    fn work(&mut self) {
        // Partitions are worked side by side: any of the oldest may be the next.
        let reach = self.log.len().min(4);
        if reach == 0 {
            return;
        }
        let oldest = self.random.usize(0..reach);
        let Some(request) = self.log.remove(oldest) else { return };
        let before = self.run.items.len();
        self.run.decides(&request);
        for item in &self.run.items[before..] {
            if let Item::Event(event) = item {
                let operation = Operation {
                    id: event.aggregate.rsplit('/').next().unwrap_or_default().to_owned(),
                    kind: event.aggregate.split('/').nth(1).unwrap_or_default().to_owned(),
                    ..account("", &event.request, "", 1)
                };
                self.published.push_back((operation, event.event.clone()));
            }
        }
        if self.published.len() > 20 {
            self.published.drain(..10);
        }
        if self.random.u8(0..10) == 0
            && let Some((of, event)) = self.random.choice(self.published.make_contiguous())
        {
            let (of, event) = (of.clone(), event.clone());
            self.run.publishes(&of.aggregate(), &of.request, &[event]);
        }
    }

    fn act(&mut self, client: &mut Client) {
        match (client.waiting.take(), client.current.clone()) {
            (Some(waiting), Some(operation)) => self.wait(client, waiting, &operation),
            (None, Some(operation)) => self.send(client, &operation),
            (_, None) => self.next(client),
        }
    }

    fn send(&mut self, client: &mut Client, operation: &Operation) {
        let number = u32::try_from(client.number).unwrap_or_default();
        let call = self.run.call(number, Way::Send, operation);
        match self.random.u8(0..20) {
            0 => self.run.ends(call, 503),
            1 => client.waiting = Some((call, None)),
            _ => {
                let request = self.run.appends(operation);
                self.log.push_back(request.clone());
                client.waiting = Some((call, Some(request)));
            }
        }
    }

    fn wait(
        &mut self,
        client: &mut Client,
        (call, request): (u64, Option<Request>),
        operation: &Operation,
    ) {
        let name = (operation.aggregate(), operation.request.clone());
        let is_decided = self.run.told.contains_key(&name);
        match (&request, self.random.u8(0..20)) {
            (_, 0) => self.run.ends(call, 504),
            (_, 1) => self.run.answers(call, None, (None, None)),
            (Some(request), _) if is_decided => {
                self.run.is_told(call, operation, request.nonce());
                client.current = None;
            }
            (_, _) => client.waiting = Some((call, request)),
        }
    }

    /// Begins something else, or does nothing.
    fn next(&mut self, client: &mut Client) {
        if client.script.is_empty() && self.begun < self.size.operations {
            self.write_script(client);
        }
        let Some(Step { operation, says, after }) = client.script.pop_front() else { return };
        let has_succeeded = |of: Operation| self.run.became(&of).0.outcome == Outcome::Success;
        if after.is_some_and(|after| !has_succeeded(after)) {
            return;
        }
        if self.random.u8(0..10) == 0 {
            self.read(client, &operation);
        }
        self.run.lines.extend(says);
        client.current = Some(operation);
    }

    fn read(&mut self, client: &Client, operation: &Operation) {
        let session = u32::try_from(client.number).unwrap_or_default();
        let id = operation.id.as_str();
        self.run.reads(&operation.aggregate());
        match operation.kind.as_str() {
            "account" => self.run.views(session, "accounts", id),
            _ => {
                self.run.views(session, "job-requests", id);
                self.run.views(session, "cleaner-jobs", &format!("ann/{id}"));
            }
        }
    }

    fn write_script(&mut self, client: &mut Client) {
        let number = self.begun;
        let name = |what: &str| format!("{what}-{number}");
        let (one, other) = (self.hot(), self.hot());
        let amount = self.random.i64(1..9);
        let script: Vec<Step> = match self.random.u8(0..20) {
            0 => vec![account(&one, &name("open"), "open", 0).into()],
            1..=9 => vec![account(&one, &name("in"), "deposit", amount).into()],
            10..=13 => vec![account(&one, &name("out"), "withdraw", amount).into()],
            14..=17 => transfer((&one, &other), number, amount),
            _ => self.contest(&name("j")),
        };
        self.begun += script.len();
        client.script.extend(script);
    }

    fn hot(&mut self) -> String {
        format!("a{}", self.random.usize(0..self.size.accounts))
    }

    /// A job that two want and one does not know of, and what comes of it. The other clients may
    /// come before it is there.
    fn contest(&mut self, id: &str) -> Vec<Step> {
        let new = r#"{"cleaners":["ann","bob"],"tasks":[{"id":"t","name":"sweep"}]}"#;
        for cleaner in ["bob", "cid"] {
            let step = self.answer(id, cleaner);
            self.pick().script.push_back(step);
        }
        vec![
            job(id, "create", "create", new).into(),
            self.answer(id, "ann"),
            job(id, "start", "start", "{}").into(),
            job(id, "task", "finish-task", r#"{"taskId":"t"}"#).into(),
            job(id, "finish", "finish", r#"{"cleanerId":"ann"}"#).into(),
        ]
    }

    fn answer(&mut self, id: &str, cleaner: &str) -> Step {
        let what = if self.random.u8(0..3) > 0 { "accept" } else { "decline" };
        job(id, cleaner, what, &format!(r#"{{"cleanerId":"{cleaner}"}}"#)).into()
    }
}

/// Money that moves; the account that takes it is opened, if it was not before.
fn transfer((from, to): (&str, &str), number: usize, amount: i64) -> Vec<Step> {
    let opened = account(to, &format!("t{number}-open"), "open", 0);
    let out = account(from, &format!("t{number}-out"), "withdraw", amount);
    let back = account(to, &format!("t{number}-in"), "deposit", amount);
    let of = |operation: &Operation| (operation.aggregate(), operation.request.clone());
    let says = Some(Line::Transfer(Transfer { from: of(&out), to: of(&back), amount }));
    vec![
        opened.into(),
        Step { operation: out.clone(), says, after: None },
        Step { operation: back, says: None, after: Some(out) },
    ]
}
