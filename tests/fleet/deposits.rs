//! Clients that deposit without end while processes come and go around them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ordain_tests::{Client, Told, until};
use tokio::task::JoinSet;

/// How many clients deposit.
pub(crate) const CLIENTS: usize = 16;
/// How soon a client that was refused tries again, so that it sees when it no longer is.
const RETRY: Duration = Duration::from_millis(100);
/// How long a client may be refused before one of its commands is taken.
const REFUSED_MAX: Duration = Duration::from_secs(60);

/// Clients that deposit 1 again and again, each into an account of its own.
pub(crate) struct Deposits {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    clients: JoinSet<()>,
}

/// One client, and the servers that it may ask.
struct Depositor {
    servers: Vec<Client>,
    /// Which of them it asks.
    server: usize,
    /// How often all clients were refused.
    refused: Arc<AtomicU64>,
}

impl Deposits {
    /// Begins, at servers that all serve the same. A client whose server is gone or refuses goes to
    /// the next; a refusal says that nothing was accepted, so it tries again until it is.
    pub(crate) fn begin(addresses: &[&str]) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let refused = Arc::new(AtomicU64::new(0));
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let servers = addresses.iter().map(|address| Client::new(address)).collect();
            let refused = Arc::clone(&refused);
            let mut depositor = Depositor { servers, server: number, refused };
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            clients.spawn(async move {
                depositor.send(&format!("/v1/account/c{number}/open"), "o", "{}").await;
                let path = format!("/v1/account/c{number}/deposit");
                let mut sent = 0;
                while !stop.load(Ordering::Relaxed) {
                    depositor.send(&path, &format!("d{sent}"), r#"{"amount":1}"#).await;
                    answered.fetch_add(1, Ordering::Relaxed);
                    sent += 1;
                }
            });
        }
        Self { stop, answered, refused, clients }
    }

    /// Waits until so many more were answered.
    pub(crate) async fn go_on(&self, more: u64) {
        let before = self.answered.load(Ordering::Relaxed);
        until("answers", || async {
            (self.answered.load(Ordering::Relaxed) >= before + more).then_some(())
        })
        .await;
    }

    /// Ends, and checks that every account holds what was answered.
    pub(crate) async fn end(mut self, client: &Client) {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended.unwrap();
        }
        let refused = self.refused.load(Ordering::Relaxed);
        println!("{CLIENTS} clients that deposit were refused {refused} times");
        let mut funds = 0;
        for number in 0..CLIENTS {
            let state = client.get(&format!("/v1/account/c{number}")).await.unwrap();
            funds += state.at("/state/funds").as_u64().unwrap();
        }
        assert_eq!(funds, self.answered.load(Ordering::Relaxed), "each deposit once");
    }
}

impl Depositor {
    /// Sends until there is an answer, which says that it succeeded and nothing else.
    async fn send(&mut self, path: &str, id: &str, body: &str) {
        let until = Instant::now() + REFUSED_MAX;
        loop {
            let told = self.ask(path, id, body).await;
            if told.status == 503 {
                assert!(Instant::now() < until, "{path} {id}: refused for good: {}", told.body);
                self.refused.fetch_add(1, Ordering::Relaxed);
                self.server += 1;
                tokio::time::sleep(RETRY).await;
                continue;
            }
            assert_eq!(told.at("/outcome"), "SUCCESS", "{path} {id}: {}", told.body);
            return;
        }
    }

    /// Sends to its server, or to the next when that one is gone.
    async fn ask(&mut self, path: &str, id: &str, body: &str) -> Told {
        // Long enough for any takeover: what is answered later than that was not answered in time.
        let headers = [("idempotency-key", id), ("prefer", "wait=25")];
        for _ in 0..=self.servers.len() {
            let server = &self.servers[self.server % self.servers.len()];
            match server.send_with(path, &headers, body).await {
                Ok(told) => return told,
                Err(_) if self.servers.len() > 1 => self.server += 1,
                Err(error) => panic!("{path} {id}: {error}"),
            }
        }
        panic!("{path} {id}: no server takes it")
    }
}
