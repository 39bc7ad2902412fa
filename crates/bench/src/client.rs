//! One client: a connection, and what it sends over it.

mod draw;
mod link;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::Deserialize;

use crate::arrivals::Arrivals;
use crate::http::Answer;
use crate::plan::{Plan, Workload};
use crate::recorder::{Recorder, Told, Unsettled};
use crate::text::{Deposit, Texts};
use draw::Draw;
pub(crate) use link::{Link, Missing};

/// So many earlier commands a client can repeat.
const EARLIER_MAX: usize = 1_024;
/// How long is asked for the outcome of a command that was accepted.
const OUTCOME_MAX: Duration = Duration::from_secs(30);
/// Between questions that were not answered.
const PAUSE: Duration = Duration::from_millis(20);

/// One client.
#[derive(Debug)]
pub(crate) struct Client {
    link: Link,
    texts: Rc<Texts>,
    recorder: Rc<RefCell<Recorder>>,
    workload: Workload,
    batch: usize,
    draw: Draw,
    random: SmallRng,
    connection: u32,
    number: u64,
    earlier: VecDeque<Earlier>,
    repeats_next: bool,
    request: Vec<u8>,
}

/// A command that was answered, and the hash of what was answered.
#[derive(Debug, Clone, Copy)]
struct Earlier {
    deposit: Deposit,
    answer: u64,
}

/// A line of the answer to a batch; it says more, which does not matter here.
#[derive(Debug, Deserialize)]
pub(crate) struct Line {
    pub(crate) index: usize,
    pub(crate) status: u16,
}

/// An outcome; it says more, too.
#[derive(Debug, Deserialize)]
struct Outcome<'a> {
    outcome: &'a str,
}

impl Client {
    pub(crate) fn new(
        plan: &Plan,
        connection: u32,
        texts: Rc<Texts>,
        recorder: Rc<RefCell<Recorder>>,
    ) -> Self {
        Self {
            link: Link::new(&plan.address),
            texts,
            recorder,
            workload: plan.workload,
            batch: plan.batch,
            draw: Draw::new(plan.workload, plan.accounts),
            random: SmallRng::seed_from_u64(u64::from(connection)),
            connection,
            number: 0,
            earlier: VecDeque::new(),
            repeats_next: false,
            request: Vec::with_capacity(512),
        }
    }

    /// Sends what arrives, until it is over.
    pub(crate) async fn run(mut self, arrivals: Arc<Arrivals>) {
        while let Some(planned) = arrivals.next().await {
            match self.workload {
                Workload::DepositUniform | Workload::DepositZipf | Workload::HotKey => {
                    self.deposit(planned).await;
                }
                Workload::Retries => self.deposit_or_repeat(planned).await,
                Workload::Async => self.deposit_and_ask(planned).await,
                Workload::Batch => self.deposits(planned).await,
            }
        }
    }

    fn next(&mut self) -> Deposit {
        self.number += 1;
        let account = self.draw.account(&mut self.random);
        Deposit { account, connection: self.connection, number: self.number }
    }

    async fn deposit(&mut self, planned: Instant) {
        let deposit = self.next();
        self.texts.deposit(&mut self.request, &deposit, false);
        let answer = self.link.exchange(&self.request).await;
        let mut recorder = self.recorder.borrow_mut();
        let told = told(&answer, &mut recorder);
        recorder.latency(planned, told, 1);
        recorder.deposit(deposit, planned, told);
        if let (Told::Success, Workload::Retries, Ok(answer)) = (told, self.workload, &answer) {
            self.earlier.truncate(EARLIER_MAX - 1);
            self.earlier.push_front(Earlier { deposit, answer: hash(answer.body) });
        }
    }

    async fn deposit_or_repeat(&mut self, planned: Instant) {
        self.repeats_next = !self.repeats_next && !self.earlier.is_empty();
        if !self.repeats_next {
            return self.deposit(planned).await;
        }
        let any = self.random.random_range(0..self.earlier.len());
        if let Some(&earlier) = self.earlier.get(any) {
            self.repeat(earlier, planned).await;
        }
    }

    async fn repeat(&mut self, earlier: Earlier, planned: Instant) {
        self.texts.deposit(&mut self.request, &earlier.deposit, false);
        let answer = self.link.exchange(&self.request).await;
        let mut recorder = self.recorder.borrow_mut();
        let told = told(&answer, &mut recorder);
        let is_same = |answer: &Answer<'_>| answer.replayed && hash(answer.body) == earlier.answer;
        let same = answer.is_ok_and(|answer| is_same(&answer));
        recorder.latency(planned, told, 1);
        recorder.repeat(planned, told, same);
    }

    /// The latency is that of the answer "accepted"; success is counted when the outcome is known.
    async fn deposit_and_ask(&mut self, planned: Instant) {
        let deposit = self.next();
        self.texts.deposit(&mut self.request, &deposit, true);
        let answer = self.link.exchange(&self.request).await;
        if answer.as_ref().is_ok_and(|answer| answer.status == 202) {
            self.recorder.borrow_mut().latency(planned, Told::Success, 1);
            self.ask(deposit, planned).await;
            return;
        }
        let mut recorder = self.recorder.borrow_mut();
        let told = told(&answer, &mut recorder);
        recorder.latency(planned, told, 1);
        recorder.deposit(deposit, planned, told);
    }

    /// Asks what became of a command that was accepted.
    async fn ask(&mut self, deposit: Deposit, planned: Instant) {
        let until = Instant::now() + OUTCOME_MAX;
        self.texts.outcome(&mut self.request, &deposit);
        while Instant::now() < until {
            let answer = self.link.exchange(&self.request).await;
            let told =
                answer.ok().and_then(|answer| outcome(&answer, &mut self.recorder.borrow_mut()));
            if let Some(told) = told {
                let mut recorder = self.recorder.borrow_mut();
                recorder.outcome(planned);
                return recorder.deposit(deposit, planned, told);
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.recorder.borrow_mut().unsettled(Unsettled { deposit, accepted: true }, planned);
    }

    async fn deposits(&mut self, planned: Instant) {
        let deposits: Vec<_> = (0..self.batch).map(|_| self.next()).collect();
        self.texts.deposits(&mut self.request, &deposits);
        let answer = self.link.exchange(&self.request).await;
        let mut recorder = self.recorder.borrow_mut();
        let whole = told(&answer, &mut recorder);
        // Of a line that is missing nothing is known.
        let of_each = if whole == Told::Success { Told::NoAnswer } else { whole };
        let mut told_of = vec![of_each; deposits.len()];
        if let (Told::Success, Ok(answer)) = (whole, &answer) {
            for line in lines(answer.body) {
                let read: Option<Line> = serde_json::from_slice(line).ok();
                let place = read.and_then(|line| Some((told_of.get_mut(line.index)?, line.status)));
                match place {
                    Some((place, status)) => *place = of_status(status, line, &mut recorder),
                    None => recorder.unexpected(200, line),
                }
            }
        }
        let with_latency = |told: &&Told| matches!(told, Told::Success | Told::Timeout);
        let count = told_of.iter().filter(with_latency).count() as u64;
        recorder.latency(planned, Told::Success, count);
        for (deposit, told) in deposits.into_iter().zip(told_of) {
            recorder.deposit(deposit, planned, told);
        }
    }
}

/// The lines of an answer to a batch.
pub(crate) fn lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// What an answer says about a deposit of 1 to an open account, which no rule refuses.
fn told(answer: &Result<Answer<'_>, Missing>, recorder: &mut Recorder) -> Told {
    match answer {
        Ok(answer) => of_status(answer.status, answer.body, recorder),
        Err(Missing::NotReached(why)) => {
            recorder.not_reached(why);
            Told::NotReached
        }
        Err(Missing::NoAnswer) => Told::NoAnswer,
    }
}

fn of_status(status: u16, body: &[u8], recorder: &mut Recorder) -> Told {
    Told::of_status(status).unwrap_or_else(|| {
        recorder.unexpected(status, body);
        Told::Refused
    })
}

/// What the answer to a question says that was asked about a command which had been accepted; none
/// when it says that there is no outcome yet, or that the server cannot tell.
fn outcome(answer: &Answer<'_>, recorder: &mut Recorder) -> Option<Told> {
    match answer.status {
        200 if is_success(answer.body) => Some(Told::Success),
        202 | 429 | 503 => None,
        // Another outcome; or 404: what was accepted is not known any more.
        status => {
            recorder.unexpected(status, answer.body);
            Some(Told::Refused)
        }
    }
}

/// Whether an outcome is SUCCESS.
pub(crate) fn is_success(body: &[u8]) -> bool {
    matches!(serde_json::from_slice(body), Ok(Outcome { outcome: "SUCCESS" }))
}

fn hash(body: &[u8]) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(body)
}
