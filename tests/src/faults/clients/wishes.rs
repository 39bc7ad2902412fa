//! What clients want.

use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use ordain_checker::Outcome;
use ordain_checker::history::{Line, Operation, Transfer, Way};
use uuid::{Uuid, uuid};

use super::calls::Called;
use super::{BROKEN, HOT_ACCOUNTS, Manner, One, operation};

/// So many clients want one job.
const RIVALS: u64 = 6;
/// So many commands stand in a batch at most.
const BATCH_MAX: usize = 8;
/// The namespace of the ids that servers make.
const CREATED: Uuid = uuid!("5b0cf0ae-3a52-5c1a-9d3c-7c1b1d0c8a54");
/// How long a client in a hurry gives the server, in milliseconds, and how long one that is not.
const HURRIES_MS: [i64; 4] = [1, 5, 30, 60_000];

impl One {
    /// Every client asks for the same, under the same id.
    pub(super) async fn open(&mut self, account: &str) {
        let operation = operation(("account", account), "open", format!("open-{account}"), "{}");
        self.settled(&operation, Manner::Waits).await;
    }

    /// Waits for the outcome, or does not and looks it up.
    pub(super) async fn deposit(&mut self, manner: Manner) {
        let (account, amount) = (self.shared_account(), self.random.u32(1..50));
        let deposit = self.moving((&account, "deposit"), amount);
        self.settled(&deposit, manner).await;
    }

    /// Often more than there is.
    pub(super) async fn withdraw(&mut self) {
        let (account, amount) = (self.shared_account(), self.random.u32(1..400));
        let withdrawal = self.moving((&account, "withdraw"), amount);
        self.settled(&withdrawal, Manner::Waits).await;
    }

    /// A command that moves money into an account or out of it.
    fn moving(&mut self, (account, command): (&str, &str), amount: u32) -> Operation {
        let (request, data) = (self.request(), format!(r#"{{"amount":{amount}}}"#));
        operation(("account", account), command, request, &data)
    }

    /// An account and a job that nobody ever asks for again; the last command has two events.
    pub(super) async fn lone(&mut self) {
        let name = format!("lone-{}", self.request());
        self.open(&name).await;
        let created = r#"{"cleaners":["ann"],"tasks":[]}"#;
        for (command, data) in [("create", created), ("decline", r#"{"cleanerId":"ann"}"#)] {
            let request = self.request();
            let operation = operation(("job-request", &name), command, request, data);
            self.settled(&operation, Manner::Waits).await;
        }
    }

    /// Sends two commands under one id, at once or one behind the other: the second to come is
    /// told so.
    pub(super) async fn reuse(&mut self) {
        let (account, request) = (self.shared_account(), self.request());
        let deposit = |amount| {
            let data = format!(r#"{{"amount":{amount}}}"#);
            operation(("account", &account), "deposit", request.clone(), &data)
        };
        let (one, other) = (deposit(1), deposit(2));
        if self.random.bool()
            && let Some(api) = self.api().await
        {
            let how = (Manner::Waits, Way::Send, 1);
            tokio::join!(self.call(&api, &one, how), self.call(&api, &other, how));
        }
        self.settled(&one, Manner::Waits).await;
        self.settled(&other, Manner::Waits).await;
    }

    /// Sends several commands at once, some of them to one account, and again on its own whatever
    /// got no definite answer; now and then also what got one.
    pub(super) async fn batch(&mut self) {
        let (one, count) = (self.shared_account(), self.random.usize(2..=BATCH_MAX));
        let mut operations = Vec::with_capacity(count);
        for _ in 0..count {
            let account = if self.random.bool() { one.clone() } else { self.shared_account() };
            let command = if self.random.u8(..4) == 0 { "withdraw" } else { "deposit" };
            let amount = self.random.u32(1..50);
            operations.push(self.moving((&account, command), amount));
        }
        let Some(api) = self.api().await else { return };
        let called = self.call_in_batch(&api, &operations).await;
        let is_asking_again = self.random.u8(..8) == 0;
        for (operation, called) in operations.iter().zip(called) {
            if is_asking_again || !matches!(called, Called::Definite(..)) {
                self.settled(operation, Manner::Waits).await;
            }
        }
    }

    /// Something good where rules misbehave when they are asked to, and now and then a panic.
    pub(super) async fn misbehave(&mut self) {
        let command = if self.random.u8(..4) == 0 { "panic" } else { "work" };
        let broken = self.ask_rules(command).await;
        self.read_state(("broken", &broken)).await;
    }

    /// Asks rules that do whatever they are asked for. Gives the aggregate.
    pub(in crate::faults) async fn ask_rules(&mut self, command: &str) -> String {
        let broken = format!("b{}", self.random.u64(..BROKEN));
        let operation = operation(("broken", &broken), command, self.request(), "{}");
        self.settled(&operation, Manner::Waits).await;
        broken
    }

    /// Creates an account or a job without an id, and does something with it.
    pub(super) async fn create(&mut self) {
        let request = self.request();
        let (kind, command, data) = if self.random.bool() {
            ("account", "open", "{}")
        } else {
            ("job-request", "create", r#"{"cleaners":["ann"],"tasks":[]}"#)
        };
        let name = format!("default/{kind}/{request}");
        let id = Uuid::new_v5(&CREATED, name.as_bytes()).to_string();
        let create = operation((kind, &id), command, request, data);
        self.settled(&create, Manner::NamesNone).await;
        let (command, data) = match kind {
            "account" => ("deposit", r#"{"amount":7}"#),
            _ => ("accept", r#"{"cleanerId":"ann"}"#),
        };
        let next = operation((kind, &id), command, self.request(), data);
        self.settled(&next, Manner::Waits).await;
    }

    /// Gives the server only so long: often too little. Also on an account that is new: where a
    /// worker's clock was ahead, all later times of an account are right behind that, and show
    /// nothing of whether a deadline was kept.
    pub(super) async fn hurry(&mut self) {
        let account = if self.random.bool() {
            self.shared_account()
        } else {
            let new = format!("hurry-{}", self.request());
            self.open(&new).await;
            new
        };
        let amount = self.random.u32(1..50);
        let milliseconds = HURRIES_MS[self.random.usize(..HURRIES_MS.len())];
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
        let deadline = Some(now.saturating_add(milliseconds * 1_000_000));
        let deposit = self.moving((&account, "deposit"), amount);
        let manner = if self.random.bool() { Manner::Waits } else { Manner::LooksUp };
        self.settled(&Operation { deadline, ..deposit }, manner).await;
    }

    /// Wants the account as it has just seen it: others may be faster, and on an account of its own
    /// nobody is.
    pub(super) async fn expect(&mut self) {
        let account = if self.random.bool() {
            self.shared_account()
        } else {
            let own = format!("own-{}", self.number);
            self.open(&own).await;
            own
        };
        let Some(seen) = self.read_state(("account", &account)).await else { return };
        let amount = self.random.u32(1..50);
        // Now and then it remembers wrongly.
        let expected_sequence = Some(seen.saturating_sub(u64::from(self.random.u8(..8) == 0)));
        let deposit = self.moving((&account, "deposit"), amount);
        self.settled(&Operation { expected_sequence, ..deposit }, Manner::Waits).await;
    }

    /// Creates the job that others want too, and tries to get it.
    pub(super) async fn job(&mut self) {
        let wish = self.jobs.fetch_add(1, Ordering::Relaxed);
        let job = format!("j{}", wish / RIVALS);
        let cleaner = format!("ann{}", wish % RIVALS);
        let cleaners: Vec<String> = (0..RIVALS).map(|rival| format!(r#""ann{rival}""#)).collect();
        let created = format!(r#"{{"cleaners":[{}],"tasks":[]}}"#, cleaners.join(","));
        let named = format!(r#"{{"cleanerId":"{cleaner}"}}"#);
        let answer = if self.random.bool() { "accept" } else { "decline" };
        for (command, data) in [("create", created.as_str()), (answer, &named), ("start", &named)] {
            let operation = operation(("job-request", &job), command, self.request(), data);
            self.settled(&operation, Manner::Waits).await;
        }
    }

    /// A withdrawal, and when it has succeeded a deposit, with ids derived from one.
    pub(super) async fn transfer(&mut self) {
        let from = self.random.u64(..HOT_ACCOUNTS);
        let to = (from + self.random.u64(1..HOT_ACCOUNTS)) % HOT_ACCOUNTS;
        let (from, to) = (format!("h{from}"), format!("h{to}"));
        // Money that is moved has to come from somewhere.
        let paid = self.moving((&from, "deposit"), 20);
        self.settled(&paid, Manner::Waits).await;
        let (request, amount) = (self.request(), self.random.u32(1..60));
        let data = format!(r#"{{"amount":{amount}}}"#);
        let side = |account: &str, command: &str| {
            operation(("account", account), command, format!("{request}-{command}"), &data)
        };
        let (withdrawal, deposit) = (side(&from, "withdraw"), side(&to, "deposit"));
        let named = |operation: &Operation| (operation.aggregate(), operation.request.clone());
        let (from, to) = (named(&withdrawal), named(&deposit));
        self.memory.write(&Line::Transfer(Transfer { from, to, amount: amount.into() }));
        let withdrawn = self.settled(&withdrawal, Manner::Waits).await;
        if withdrawn.is_some_and(|withdrawn| withdrawn.outcome == Outcome::Success) {
            self.settled(&deposit, Manner::Waits).await;
        }
    }
}
