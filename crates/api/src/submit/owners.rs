//! Who owns which partition and how far it has come, as far as this process has seen; and what
//! follows for whoever wants to send: a command that would wait for longer than its caller does, or
//! that nobody would take up, is better refused before it is produced.
//!
//! Only what was seen counts. Whoever cannot read the heartbeats, or has watched them for too short
//! a time, refuses nothing.

mod table;
mod watch;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ordain_model::AggregateKey;
use ordain_ports::{Announced, CommandLog, Error, Heartbeats};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

pub(super) use table::Sent;
use table::Table;
pub(crate) use table::{Member, Partition};

use super::{Refusal, Request, SubmitLimits, SubmitPorts};
use watch::{Heard, Watch};

/// How much sooner it is read again while a partition has no owner: who waits for one shall not
/// wait for this, too.
const SOONER: u32 = 4;

/// Which part of his wait a caller may have to wait for his turn. How long that takes is estimated,
/// and whoever would be answered only just in time may as well be answered too late.
const HEADROOM: f64 = 0.9;

/// Watches the owners of partitions. One for the whole process.
pub(crate) struct Owners {
    table: Arc<RwLock<Arc<Table>>>,
    limits: Limits,
    reading: AbortHandle,
}

/// The limits that concern owners.
#[derive(Debug, Clone, Copy)]
struct Limits {
    read_every: Duration,
    read_max: Duration,
    missing_after: Duration,
    lag_max: Duration,
    lag_records_min: u64,
    retry_after_max: Duration,
}

impl From<&SubmitLimits> for Limits {
    fn from(limits: &SubmitLimits) -> Self {
        Self {
            read_every: Duration::from_millis(limits.owners_read_every_ms.max(1)),
            read_max: Duration::from_millis(limits.owners_read_ms_max.max(1)),
            missing_after: Duration::from_millis(limits.owner_missing_after_ms),
            lag_max: Duration::from_millis(limits.lag_ms_max),
            lag_records_min: limits.lag_records_min,
            retry_after_max: Duration::from_millis(limits.retry_after_ms_max.max(1_000)),
        }
    }
}

/// How long a command may have to wait for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// So long: its caller waits no longer, or its deadline comes.
    Caller(Duration),
    /// As long as any may: nobody waits for it. Its deadline, if it has one, comes after this.
    Nobody(Option<Duration>),
}

/// That a command is better not sent, and when to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) why: Refusal,
    pub(super) retry_after: Duration,
}

impl Owners {
    /// Begins to watch.
    pub(crate) fn start(ports: &SubmitPorts, limits: &SubmitLimits) -> Self {
        let limits = Limits::from(limits);
        let table = Arc::new(RwLock::new(Arc::new(Table::unread("not read yet".to_owned()))));
        let reader = Reader {
            log: Arc::clone(&ports.log),
            heartbeats: Arc::clone(&ports.heartbeats),
            own: Announced::all_of(&ports.registry).collect(),
            limits,
            table: Arc::clone(&table),
        };
        let reading = tokio::spawn(reader.run()).abort_handle();
        Self { table, limits, reading }
    }

    /// What is known now.
    pub(crate) fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a command may be sent; if so, it counts as sent until it is done or the owners are
    /// read again.
    ///
    /// # Errors
    /// Nobody would take it up, or not in time, or somebody might who does not know it.
    pub(super) fn admit(&self, request: &Request, patience: Patience) -> Result<Sent, Refused> {
        let table = self.table();
        if !table.is_announced(request) {
            let retry_after = table::spread(self.limits.missing_after);
            return Err(Refused { why: Refusal::NotAnnounced, retry_after });
        }
        let Some(partition) = table.partition_of(&request.aggregate) else {
            return Ok(Sent::default());
        };
        let max = self.limits.retry_after_max;
        if partition.is_missing {
            let retry_after = partition.promise(self.limits.missing_after, max);
            return Err(Refused { why: Refusal::NoWorker, retry_after });
        }
        let bearable = match patience {
            Patience::Caller(wait) => wait.mul_f64(HEADROOM),
            Patience::Nobody(deadline) => {
                deadline.map_or(self.limits.lag_max, |left| left.min(self.limits.lag_max))
            }
        };
        match partition.wait(table.read.elapsed()) {
            Some(wait) if wait > bearable && partition.lag() >= self.limits.lag_records_min => {
                let retry_after = partition.promise(wait, max);
                Err(Refused { why: Refusal::Overloaded, retry_after })
            }
            _ => Ok(partition.sends()),
        }
    }

    /// When all that stands before a command to this aggregate may be done, where that is known.
    pub(super) fn retry_after(&self, to: &AggregateKey) -> Option<Duration> {
        let table = self.table();
        let wait = table.partition_of(to)?.wait(table.read.elapsed())?;
        Some(table::spread(wait.min(self.limits.retry_after_max)))
    }
}

impl Drop for Owners {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Reads what owners say.
struct Reader {
    log: Arc<dyn CommandLog>,
    heartbeats: Arc<dyn Heartbeats>,
    /// The commands that this build accepts.
    own: Vec<Announced>,
    limits: Limits,
    table: Arc<RwLock<Arc<Table>>>,
}

impl Reader {
    /// Reads for ever; the task is aborted with its owner.
    async fn run(self) {
        let failed = metrics::counter!("ordain_api_failed_owner_reads");
        let missing = metrics::gauge!("ordain_api_missing_owners");
        let unannounced = metrics::gauge!("ordain_api_unannounced_commands");
        let mut watch =
            Watch::new(self.own.clone(), self.limits.missing_after, self.limits.read_every * 2);
        loop {
            let begun = Instant::now();
            let table = match self.hear().await {
                Ok(heard) => watch.hear(begun, heard),
                Err(error) => {
                    failed.increment(1);
                    tracing::warn!(error, "owners not read");
                    watch.forget(error)
                }
            };
            let without = table.partitions.iter().filter(|one| one.is_missing).count();
            missing.set(without as f64);
            unannounced.set(table.unannounced.len() as f64);
            let is_whole = table.partitions.iter().all(|one| one.owner.is_some());
            *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
            let pause = self.limits.read_every;
            sleep(if is_whole { pause } else { pause / SOONER }).await;
        }
    }

    async fn hear(&self) -> Result<Heard, String> {
        let read = async {
            let beats = self.heartbeats.beats().await?;
            // Progress first: read after the ends, it could seem to be ahead of them.
            let progress = self.log.progress().await?;
            let ends = self.log.ends().await?;
            Ok(Heard { beats, progress, ends })
        };
        match timeout(self.limits.read_max, read).await {
            Ok(heard) => heard.map_err(|error: Error| error.to_string()),
            Err(_) => Err(format!("no answer within {:?}", self.limits.read_max)),
        }
    }
}

#[cfg(test)]
mod tests;
