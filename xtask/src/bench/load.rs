//! The load: closed loop, one request in flight per connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use uuid::Uuid;

use super::connection::Connection;

/// The load on one server.
pub(crate) struct Load {
    address: Arc<str>,
    accounts: usize,
}

/// What a measurement found.
pub(crate) struct Measured {
    sorted: Vec<Duration>,
    took: Duration,
}

impl Measured {
    pub(crate) fn count(&self) -> usize {
        self.sorted.len()
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.count() as f64 / self.took.as_secs_f64()
    }

    pub(crate) fn milliseconds(&self, quantile: f64) -> f64 {
        let last = self.count().saturating_sub(1);
        let index = (quantile * last as f64).round() as usize;
        self.sorted.get(index).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
    }
}

impl Load {
    pub(crate) fn new(address: &str, accounts: usize) -> Self {
        Self { address: address.into(), accounts }
    }

    /// Opens every account.
    pub(crate) async fn open_accounts(&self, connections: usize) -> anyhow::Result<()> {
        let each = |mut connection: Connection, account: usize| async move {
            let path = format!("/v1/account/a{account}/open");
            let status = connection.command(&path, "open", "{}").await?;
            anyhow::ensure!(status == 201, "opening an account was answered {status}");
            Ok((connection, 0))
        };
        self.every_account(connections, each).await.map(drop)
    }

    /// All funds together.
    pub(crate) async fn funds(&self, connections: usize) -> anyhow::Result<u64> {
        let each = |mut connection: Connection, account: usize| async move {
            let document = connection.get(&format!("/v1/account/a{account}")).await?;
            let funds = document.pointer("/state/funds").and_then(serde_json::Value::as_u64);
            Ok((connection, funds.unwrap_or(0)))
        };
        self.every_account(connections, each).await
    }

    /// Deposits 1 to one account after the other, for so many seconds.
    pub(crate) async fn deposit(
        &self,
        connections: usize,
        seconds: u64,
    ) -> anyhow::Result<Measured> {
        let began = Instant::now();
        let until = began + Duration::from_secs(seconds);
        let mut tasks = JoinSet::new();
        for number in 0..connections {
            let (address, accounts) = (Arc::clone(&self.address), self.accounts);
            tasks.spawn(async move {
                let mut connection = Connection::open(&address).await?;
                let mut latencies = Vec::new();
                let mut account = number * accounts / connections.max(1);
                while Instant::now() < until {
                    // A stride that is coprime to the number of accounts visits all of them.
                    account = (account + 7_919) % accounts;
                    let path = format!("/v1/account/a{account}/deposit");
                    let request = Uuid::now_v7().to_string();
                    let sent = Instant::now();
                    let status = connection.command(&path, &request, r#"{"amount":1}"#).await?;
                    latencies.push(sent.elapsed());
                    anyhow::ensure!(status == 200, "a deposit was answered {status}");
                }
                anyhow::Ok(latencies)
            });
        }
        let mut sorted = Vec::new();
        while let Some(latencies) = tasks.join_next().await {
            sorted.extend(latencies??);
        }
        let took = began.elapsed();
        sorted.sort_unstable();
        Ok(Measured { sorted, took })
    }

    /// Does something with every account once; gives the sum of what that gave.
    async fn every_account<F, Fut>(&self, connections: usize, each: F) -> anyhow::Result<u64>
    where
        F: Fn(Connection, usize) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = anyhow::Result<(Connection, u64)>> + Send,
    {
        let next = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for _ in 0..connections {
            let (address, accounts) = (Arc::clone(&self.address), self.accounts);
            let (next, each) = (Arc::clone(&next), each.clone());
            tasks.spawn(async move {
                let mut connection = Connection::open(&address).await?;
                let mut sum = 0;
                loop {
                    let account = next.fetch_add(1, Ordering::Relaxed);
                    if account >= accounts {
                        return anyhow::Ok(sum);
                    }
                    let (back, value) = each(connection, account).await?;
                    connection = back;
                    sum += value;
                }
            });
        }
        let mut sum = 0;
        while let Some(part) = tasks.join_next().await {
            sum += part??;
        }
        Ok(sum)
    }
}
