//! The probe: commands sent at fixed times, whatever became of those before; or, by so many
//! clients, each as soon as the one before is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ordain_model::AggregateKey;
use ordain_ports::partition_of;
use ordain_tests::{Client, Server, until};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, interval, sleep};

/// How long from one command to the next.
const EVERY: Duration = Duration::from_millis(10);
const ACCOUNTS: u64 = 64;
/// How long until what got no definite answer is sent again.
const AGAIN: Duration = Duration::from_millis(20);

/// What became of one command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    account: u64,
    pub(crate) planned: Instant,
    pub(crate) answered: Instant,
    /// How many of its calls were answered TIMEOUT.
    pub(crate) timeouts: u32,
}

impl Sent {
    pub(crate) fn wait(&self) -> Duration {
        self.answered - self.planned
    }

    #[expect(clippy::expect_used, reason = "these names are keys")]
    pub(crate) fn partition(&self, partitions: u32) -> u32 {
        let key = AggregateKey::new("default", "account", &name(self.account)).expect("a key");
        partition_of(&key, partitions)
    }
}

fn name(account: u64) -> String {
    format!("probe{account}")
}

/// Deposits of one each, to one account after the other, through APIs that stay where they are.
#[derive(Clone)]
pub(crate) struct Probe {
    apis: Arc<Vec<Client>>,
    /// How many there were.
    count: Arc<AtomicU64>,
}

/// Commands that are being sent.
pub(crate) struct Sending {
    stop: Arc<AtomicBool>,
    sent: JoinHandle<Vec<Sent>>,
}

impl Probe {
    /// Opens the accounts.
    pub(crate) async fn open(server: &Server) -> Self {
        let probe = Self { apis: Arc::new(server.clients()), count: Arc::default() };
        for account in 0..ACCOUNTS {
            let path = format!("/v1/account/{}/open", name(account));
            probe.answered(account, (&path, "open", "{}")).await;
        }
        probe
    }

    /// Sends at fixed times from now on.
    pub(crate) fn begin(&self) -> Sending {
        let (probe, stop) = (self.clone(), Arc::<AtomicBool>::default());
        let is_over = Arc::clone(&stop);
        let sent = tokio::spawn(async move {
            let (mut sent, mut times) = (JoinSet::new(), interval(EVERY));
            while !is_over.load(Ordering::SeqCst) {
                let planned = times.tick().await;
                let probe = probe.clone();
                sent.spawn(async move { probe.deposit(planned).await });
            }
            sent.join_all().await
        });
        Sending { stop, sent }
    }

    /// So many clients deposit for this time; gives how many commands were answered in a second.
    pub(crate) async fn press(&self, clients: usize, until: impl Future<Output = ()>) -> f64 {
        let begun = Instant::now();
        let before = self.count.load(Ordering::SeqCst);
        let stop = Arc::<AtomicBool>::default();
        let mut pressing = JoinSet::new();
        for _ in 0..clients {
            let (probe, stop) = (self.clone(), Arc::clone(&stop));
            pressing.spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    probe.deposit(Instant::now()).await;
                }
            });
        }
        until.await;
        let (sent, took) = (self.count.load(Ordering::SeqCst) - before, begun.elapsed());
        stop.store(true, Ordering::SeqCst);
        pressing.join_all().await;
        // Each client waits for one of them.
        sent.saturating_sub(clients as u64) as f64 / took.as_secs_f64()
    }

    async fn deposit(&self, planned: Instant) -> Sent {
        let number = self.count.fetch_add(1, Ordering::SeqCst);
        let account = number % ACCOUNTS;
        let path = format!("/v1/account/{}/deposit", name(account));
        let command = (path.as_str(), format!("d{number}"), r#"{"amount":1}"#);
        let timeouts = self.answered(number, (command.0, &command.1, command.2)).await;
        Sent { account, planned, answered: Instant::now(), timeouts }
    }

    /// Sends until there is an outcome; says how many calls were answered TIMEOUT. What is refused,
    /// or does not reach an API, goes to the next.
    async fn answered(&self, number: u64, (path, request, body): (&str, &str, &str)) -> u32 {
        let (first, mut timeouts) = (number as usize, 0);
        for attempt in first.. {
            let api = &self.apis[attempt % self.apis.len()];
            match api.send(path, request, body).await.map(|told| told.status) {
                Ok(200 | 201) => break,
                Ok(504) => timeouts += 1,
                Ok(status) => assert_eq!(status, 503, "{path}"),
                Err(_) => {}
            }
            sleep(AGAIN).await;
        }
        timeouts
    }

    /// Whether every account has as much as was deposited.
    pub(crate) async fn is_whole(&self) -> bool {
        let count = self.count.load(Ordering::SeqCst);
        for account in 0..ACCOUNTS {
            let path = format!("/v1/account/{}", name(account));
            let read = until("an account", || async {
                let told = self.apis.first()?.get(&path).await.ok()?;
                (told.status == 200).then_some(told)
            });
            let expected = (count + ACCOUNTS - 1 - account) / ACCOUNTS;
            let funds = read.await.at("/state/funds");
            if funds != expected {
                eprintln!("{path} has {funds}, and {expected} was deposited");
                return false;
            }
        }
        true
    }
}

impl Sending {
    /// Sends no more, and gives what became of each once all are answered.
    #[expect(clippy::expect_used, reason = "a probe that failed has measured nothing")]
    pub(crate) async fn end(self) -> Vec<Sent> {
        self.stop.store(true, Ordering::SeqCst);
        self.sent.await.expect("a probe that does not fail")
    }
}
