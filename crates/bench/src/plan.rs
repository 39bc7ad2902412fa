//! What load is wanted.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A load, and the server that it is meant for.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server, `host:port`; spoken to over HTTP/1.1 without TLS.
    pub address: String,
    /// What is sent.
    pub workload: Workload,
    /// Connections, each with one request in flight.
    pub connections: usize,
    /// Requests a second that arrive whether or not those before them were answered (an open
    /// loop). Without it every connection sends its next request when the last was answered (a
    /// closed loop).
    pub rate: Option<f64>,
    /// How long is measured.
    pub duration: Duration,
    /// How long the same load runs before that.
    pub warm_up: Duration,
    /// How many accounts there are.
    pub accounts: u32,
    /// The accounts' ids begin with it.
    pub name: String,
    /// Commands in a request of the workload `batch`.
    pub batch: usize,
    /// How long after the last answer the view of accounts may be behind.
    pub views_within: Duration,
}

/// What is sent: deposits of 1, each under a request id of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// To accounts drawn evenly.
    DepositUniform,
    /// To accounts of which a few are much more popular: Zipf's law, with exponent 0.99.
    DepositZipf,
    /// To one account.
    HotKey,
    /// Every second request repeats an earlier one, under its id; accounts drawn evenly.
    Retries,
    /// Answered when they are durable (`Prefer: respond-async`); then the outcome is asked for.
    /// Accounts drawn evenly.
    Async,
    /// Many in one request, as lines of JSON; accounts drawn evenly.
    Batch,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::DepositUniform,
        Self::DepositZipf,
        Self::HotKey,
        Self::Retries,
        Self::Async,
        Self::Batch,
    ];

    /// Its name, as people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DepositUniform => "deposit-uniform",
            Self::DepositZipf => "deposit-zipf",
            Self::HotKey => "hot-key",
            Self::Retries => "retries",
            Self::Async => "async",
            Self::Batch => "batch",
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Workload {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let names = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|workload| workload.name() == text)
            .ok_or_else(|| format!("a workload is one of {}", names()))
    }
}
