//! The accounts, before and after the load: opened, and asked what they hold.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::task::JoinSet;

use crate::client::{Line, Link, Missing, is_success, lines};
use crate::http::Answer;
use crate::plan::Plan;
use crate::recorder::Unsettled;
use crate::run::Error;
use crate::text::{Deposit, Texts};

/// Connections that open accounts and ask for them.
const CONNECTIONS_MAX: u32 = 16;
/// Accounts that one request opens.
const OPENED_AT_ONCE: u32 = 500;
/// For how long a command is sent again of which it is not known whether it took effect.
const SETTLED_WITHIN: Duration = Duration::from_secs(120);
/// For how long is asked that must be answered.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// The accounts of a run.
#[derive(Debug, Clone)]
pub(crate) struct Accounts {
    address: String,
    name: String,
    run: String,
    count: u32,
}

#[derive(Deserialize)]
struct Account {
    state: Funds,
}

#[derive(Deserialize)]
struct Funds {
    funds: u64,
}

#[derive(Deserialize)]
struct Rows {
    rows: Vec<Row>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    key: String,
    row: Funds,
}

impl Accounts {
    pub(crate) fn new(plan: &Plan, run: &str) -> Self {
        Self {
            address: plan.address.clone(),
            name: plan.name.clone(),
            run: run.to_owned(),
            count: plan.accounts,
        }
    }

    fn texts(&self) -> Texts {
        Texts { host: self.address.clone(), name: self.name.clone(), run: self.run.clone() }
    }

    /// Opens those that are not open.
    pub(crate) async fn open(&self, done: impl FnMut(u32)) -> Result<(), Error> {
        let each = async |accounts: Self, (from, to)| accounts.open_some(from, to).await;
        self.in_parts(OPENED_AT_ONCE, each, done).await.map(drop)
    }

    /// Sends openings until each was answered for good: a server may have too much to do.
    async fn open_some(self, from: u32, to: u32) -> Result<Vec<u64>, Error> {
        const ASKED: &str = "accounts were to be opened";
        let until = Instant::now() + SETTLED_WITHIN;
        let (mut asking, mut request) = (Asking::new(&self.address), Vec::new());
        let mut left: Vec<u32> = (from..to).collect();
        while !left.is_empty() {
            if Instant::now() > until {
                return Err(Error::Unsettled(left.len()));
            }
            self.texts().openings(&mut request, left.iter().copied());
            let answer = asking.ask(&request, ASKED).await?;
            let mut open = HashSet::new();
            for text in lines(answer.body) {
                let unlike = || Error::unlike(ASKED, answer.status, text);
                let line: Line = serde_json::from_slice(text).map_err(|_| unlike())?;
                match line.status {
                    // 409: it has been open before.
                    200 | 201 | 409 => open.insert(line.index),
                    429 | 503 | 504 => continue,
                    _ => return Err(unlike()),
                };
            }
            let mut index = 0..;
            left.retain(|_| index.next().is_some_and(|index| !open.contains(&index)));
        }
        Ok(Vec::new())
    }

    /// What each of them holds.
    pub(crate) async fn funds(&self, done: impl FnMut(u32)) -> Result<Vec<u64>, Error> {
        let each = async |accounts: Self, (from, to)| accounts.funds_of(from, to).await;
        self.in_parts(OPENED_AT_ONCE, each, done).await
    }

    async fn funds_of(self, from: u32, to: u32) -> Result<Vec<u64>, Error> {
        const ASKED: &str = "an account was asked for";
        let (mut asking, mut request) = (Asking::new(&self.address), Vec::new());
        let texts = self.texts();
        let mut funds = Vec::with_capacity((to - from) as usize);
        for account in from..to {
            texts.account(&mut request, account);
            let answer = asking.ask(&request, ASKED).await?;
            let account: Account = serde_json::from_slice(answer.body)
                .map_err(|_| Error::unlike(ASKED, answer.status, answer.body))?;
            funds.push(account.state.funds);
        }
        Ok(funds)
    }

    /// Does something with all accounts, a part of them at a time, and gives what that gave, in
    /// the order of the accounts.
    async fn in_parts<F>(
        &self,
        size: u32,
        each: impl Fn(Self, (u32, u32)) -> F,
        mut done: impl FnMut(u32),
    ) -> Result<Vec<u64>, Error>
    where
        F: Future<Output = Result<Vec<u64>, Error>> + Send + 'static,
    {
        let mut parts = (0..self.count).step_by(size as usize).enumerate();
        let mut under_way = JoinSet::new();
        let mut given = Vec::new();
        loop {
            while under_way.len() < CONNECTIONS_MAX as usize
                && let Some((number, from)) = parts.next()
            {
                let work = each(self.clone(), (from, self.count.min(from.saturating_add(size))));
                given.push(Vec::new());
                under_way.spawn(async move { (number, work.await) });
            }
            let Some(part) = under_way.join_next().await else {
                return Ok(given.concat());
            };
            let (number, part) = part.map_err(|_| Error::Failed)?;
            if let Some(place) = given.get_mut(number) {
                *place = part?;
            }
            let finished = (given.len() - under_way.len()) as u32;
            done(self.count.min(finished.saturating_mul(size)));
        }
    }

    /// Learns of each of these deposits whether it took effect; gives those that did.
    pub(crate) async fn settle(&self, unsettled: &[Unsettled]) -> Result<Vec<Deposit>, Error> {
        let until = Instant::now() + SETTLED_WITHIN;
        let share = unsettled.len().div_ceil(CONNECTIONS_MAX as usize).max(1);
        let mut under_way = JoinSet::new();
        for some in unsettled.chunks(share) {
            under_way.spawn(self.clone().settle_some(some.to_vec(), until));
        }
        let (mut effective, mut unknown) = (Vec::new(), 0);
        while let Some(some) = under_way.join_next().await {
            let (took_effect, left) = some.map_err(|_| Error::Failed)??;
            effective.extend(took_effect);
            unknown += left;
        }
        if unknown == 0 { Ok(effective) } else { Err(Error::Unsettled(unknown)) }
    }

    /// Those of some deposits that took effect, and of how many it could not be learned in time.
    async fn settle_some(
        self,
        some: Vec<Unsettled>,
        until: Instant,
    ) -> Result<(Vec<Deposit>, usize), Error> {
        const ASKED: &str = "it was to be learned what became of a command";
        let (mut link, texts) = (Link::new(&self.address), self.texts());
        let (mut request, mut effective) = (Vec::new(), Vec::new());
        let count = some.len();
        for (settled, Unsettled { deposit, accepted }) in some.into_iter().enumerate() {
            if accepted {
                texts.outcome(&mut request, &deposit);
            } else {
                texts.deposit(&mut request, &deposit, false);
            }
            loop {
                if Instant::now() > until {
                    return Ok((effective, count - settled));
                }
                match link.exchange(&request).await {
                    Ok(answer) if is_success(answer.body) => break effective.push(deposit),
                    Ok(Answer { status: 202 | 429 | 503 | 504, .. }) | Err(_) => {
                        tokio::time::sleep(BETWEEN_LOOKS).await;
                    }
                    Ok(answer) => return Err(Error::unlike(ASKED, answer.status, answer.body)),
                }
            }
        }
        Ok((effective, 0))
    }

    /// Looks at the view of accounts until it shows these funds, and says after how long; none when
    /// that took longer than `within`.
    pub(crate) async fn level(
        &self,
        funds: &[u64],
        within: Duration,
    ) -> Result<Option<Duration>, Error> {
        let began = Instant::now();
        loop {
            let shown = self.shown().await?;
            let passed = began.elapsed();
            if passed > within {
                return Ok(None);
            }
            if shown == funds {
                return Ok(Some(passed));
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// What the view shows of each account; an account without a row holds nothing.
    pub(crate) async fn shown(&self) -> Result<Vec<u64>, Error> {
        const ASKED: &str = "rows were asked for";
        let (mut asking, mut request) = (Asking::new(&self.address), Vec::new());
        let texts = self.texts();
        let mut shown = vec![0; self.count as usize];
        let mut after: Option<String> = None;
        loop {
            texts.rows(&mut request, after.as_deref());
            let answer = asking.ask(&request, ASKED).await?;
            let rows: Rows = serde_json::from_slice(answer.body)
                .map_err(|_| Error::unlike(ASKED, answer.status, answer.body))?;
            for Row { key, row } in rows.rows {
                let number = key.strip_prefix(&self.name).and_then(|rest| rest.strip_prefix('-'));
                let number = number.and_then(|number| number.parse::<usize>().ok());
                if let Some(account) = number.and_then(|number| shown.get_mut(number)) {
                    *account = row.funds;
                }
            }
            match rows.next {
                Some(next) => after = Some(next),
                None => return Ok(shown),
            }
        }
    }
}

/// Whoever asks until there is an answer, for a while.
struct Asking {
    link: Link,
}

impl Asking {
    fn new(address: &str) -> Self {
        Self { link: Link::new(address) }
    }

    /// The answer, which is none of a server that has too much to do.
    async fn ask(&mut self, request: &[u8], asked: &'static str) -> Result<Answer<'_>, Error> {
        let until = Instant::now() + ANSWERED_WITHIN;
        loop {
            let missing = match self.link.exchange(request).await {
                Ok(Answer { status: 429 | 503, .. }) => "it has too much to do".to_owned(),
                Ok(_) => break,
                Err(Missing::NoAnswer) => "the connection broke".to_owned(),
                Err(Missing::NotReached(why)) => why,
            };
            if Instant::now() > until {
                return Err(Error::NoAnswer(asked, missing));
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        self.link.last().ok_or(Error::Failed)
    }
}
