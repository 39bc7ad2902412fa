//! Clients at work while things fail: each sends again under the same id until it has a definite
//! answer, through whichever API, and all that it sees is written down.

mod calls;
pub(super) mod reads;
mod wishes;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ordain_checker::history::Operation;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Memory;
use crate::{Client, Server};
use reads::Receipt;

const ACCOUNTS: u64 = 10;
/// Accounts that money moves between.
const HOT_ACCOUNTS: u64 = 3;
/// Aggregates whose rules misbehave when they are asked to.
const BROKEN: u64 = 4;
/// How long the clients may take to finish what they have begun, once nothing fails any more.
const FINISH_MAX: Duration = Duration::from_secs(120);

/// Clients at work.
#[derive(Debug)]
pub struct Clients {
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
                receipt: None,
            };
            tasks.spawn(one.work());
        }
        Self { apis, stop, tasks }
    }

    /// One client more, who does nothing by itself.
    pub(super) fn another(&self, number: u32, memory: &Arc<Memory>) -> One {
        One {
            number,
            random: fastrand::Rng::with_seed(u64::from(number)),
            memory: Arc::clone(memory),
            apis: self.apis.subscribe(),
            stop: Arc::clone(&self.stop),
            jobs: Arc::default(),
            sent: 0,
            receipt: None,
        }
    }

    /// From now on the clients talk to this server, through any of its APIs.
    pub fn serve(&self, server: &Server) {
        self.apis.send_replace(server.clients());
    }

    /// Lets every client finish what it has begun; then nothing is unknown.
    ///
    /// # Panics
    /// When one saw what must not be, or does not finish.
    pub async fn finish(&mut self) {
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
pub(super) struct One {
    number: u32,
    random: fastrand::Rng,
    memory: Arc<Memory>,
    apis: watch::Receiver<Vec<Client>>,
    stop: Arc<AtomicBool>,
    /// Counts the wishes for jobs; a few in a row are for the same one.
    jobs: Arc<AtomicU64>,
    /// Counts what this client has asked for.
    sent: u64,
    /// Of its last success that has a row in a view.
    receipt: Option<Receipt>,
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
            match self.random.u32(..19) {
                0..3 => self.deposit(Manner::Waits).await,
                3 => self.withdraw().await,
                4 | 5 => self.job().await,
                6 | 7 => self.transfer().await,
                8 => self.deposit(Manner::LooksUp).await,
                9 => self.lone().await,
                10 => self.reuse().await,
                11 => self.batch().await,
                12 => self.create().await,
                13 => self.hurry().await,
                14 => self.expect().await,
                15 => self.read_own().await,
                16 => self.misbehave().await,
                _ => self.read().await,
            }
        }
    }

    /// A name for a command that nobody has used before.
    fn request(&mut self) -> String {
        self.sent += 1;
        format!("c{}-{}", self.number, self.sent)
    }

    /// An account that many use.
    fn shared_account(&mut self) -> String {
        format!("a{}", self.random.u64(..ACCOUNTS))
    }

    /// Any of the APIs; none when there will be none any more.
    async fn api(&mut self) -> Option<Client> {
        let apis = self.apis.wait_for(|apis| !apis.is_empty()).await.ok()?;
        self.random.choice(apis.iter()).cloned()
    }
}

/// How a client goes about a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// It waits for the outcome.
    Waits,
    /// It does not wait for the outcome, and looks it up.
    LooksUp,
    /// It waits, and says no id of the aggregate, which the server makes.
    NamesNone,
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
