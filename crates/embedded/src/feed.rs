//! Feeds and lanes: what a member of a group reads a log through.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use ordain_ports::{Error, Feed, Input, Lane, Position};
use tokio::sync::Notify;

use crate::fault::Fault;
use crate::group::{Grant, Group, Standing};
use crate::home::Inner;
use crate::log::{Found, Log, Share};
use crate::record::Recorded;
use crate::tables::Table;

/// A member of a group.
pub(crate) struct Member<R> {
    home: Arc<Inner>,
    log: Arc<Log<R>>,
    group: Arc<Group>,
    member: u64,
    signal: Arc<Notify>,
    left: bool,
}

impl<R> Member<R> {
    /// Joins the group.
    pub(crate) fn join(home: Arc<Inner>, log: Arc<Log<R>>, group: Arc<Group>) -> Self {
        let (member, signal) = group.join();
        Self { home, log, group, member, signal, left: false }
    }
}

#[async_trait]
impl<R: Recorded> Feed<R> for Member<R> {
    async fn lane(&mut self) -> Result<Option<Box<dyn Lane<R>>>, Error> {
        loop {
            if self.left {
                return Ok(None);
            }
            let until = match self.group.take(self.member) {
                Ok(grant) => {
                    self.log.wake_on_new(grant.partition, &grant.signal);
                    let lane = Reader {
                        home: Arc::clone(&self.home),
                        log: Arc::clone(&self.log),
                        group: Arc::clone(&self.group),
                        at: AtomicU64::new(grant.progress.unwrap_or(0)),
                        grant,
                    };
                    return Ok(Some(Box::new(lane)));
                }
                Err(until) => until,
            };
            tokio::select! {
                () = self.signal.notified() => {}
                () = sleep_until(until) => {}
                () = self.home.closed() => return Err(Fault::Closed.into()),
            }
        }
    }

    fn leave(&mut self) {
        if !std::mem::replace(&mut self.left, true) {
            self.group.leave(self.member);
        }
    }
}

impl<R> Drop for Member<R> {
    fn drop(&mut self) {
        if !self.left {
            self.group.crash(self.member);
        }
    }
}

async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until.into()).await,
        None => std::future::pending().await,
    }
}

/// A lane: reads one partition and saves its progress.
struct Reader<R> {
    home: Arc<Inner>,
    log: Arc<Log<R>>,
    group: Arc<Group>,
    grant: Grant,
    /// The next offset to read. Only the one call of `next` there is at a time changes it.
    at: AtomicU64,
}

#[async_trait]
impl<R: Recorded> Lane<R> for Reader<R> {
    fn partition(&self) -> u32 {
        self.grant.partition
    }

    fn progress(&self) -> Option<u64> {
        self.grant.progress
    }

    async fn next(&self, records_max: usize, bytes_max: usize) -> Result<Input<R>, Error> {
        let share = Share { records_max: records_max.max(1), bytes_max };
        let partition = self.grant.partition;
        loop {
            if self.is_revoked() {
                return Ok(Input::Revoked);
            }
            let records = match self.log.find(partition, self.at.load(Ordering::Relaxed), share) {
                Found::Nothing => Vec::new(),
                Found::InMemory(entries) => {
                    entries.iter().map(|entry| entry.record(partition)).collect()
                }
                Found::OnDisk(offset) => {
                    let (kind, from) = (self.log.kind(), Position { partition, offset });
                    self.home.read(move |tables| Log::read(kind, tables, from, share)).await?
                }
            };
            if let Some(last) = records.last() {
                if self.is_revoked() {
                    return Ok(Input::Revoked);
                }
                self.at.store(last.position.offset + 1, Ordering::Relaxed);
                return Ok(Input::Records(records));
            }
            tokio::select! {
                () = self.grant.signal.notified() => {}
                () = self.home.closed() => return Err(Fault::Closed.into()),
            }
        }
    }

    async fn save(&self, progress: u64) -> Result<(), Error> {
        let (partition, epoch) = (self.grant.partition, self.grant.epoch);
        let group = Arc::clone(&self.group);
        let saved = self.home.write_soon(64, move |batch| {
            // Asked here and not before: what is fenced while it waits must change nothing.
            if !group.begin_save(partition, epoch) {
                return Ok(Err(Fault::Fenced));
            }
            let key = group.key(partition);
            if batch.number(Table::Notes, &key)?.is_none_or(|before| before < progress) {
                batch.put_numbered(Table::Notes, (key, progress), progress.to_be_bytes());
            }
            batch.show_then(move || group.show_progress(partition, progress));
            Ok(Ok(()))
        });
        Ok(saved.await??)
    }

    fn is_revoked(&self) -> bool {
        self.group.standing(self.grant.partition, self.grant.epoch) != Standing::Held
    }
}

impl<R> Drop for Reader<R> {
    fn drop(&mut self) {
        self.group.release(self.grant.partition, self.grant.epoch);
    }
}
