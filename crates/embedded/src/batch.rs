//! One batch of the writer: everything that one sync makes durable, and what of it the next job
//! of the same batch must see.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use fjall::{OwnedWriteBatch, PersistMode, UserKey, UserValue};
use foldhash::fast::RandomState;
use ordain_model::{AggregateKey, Command};
use ordain_ports::{Position, Published};
use quick_cache::Equivalent;
use quick_cache::unsync::Cache;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::fault::Fault;
use crate::key;
use crate::log::{Entry, Log};
use crate::record::{self, Recorded};
use crate::tables::{Result, Table, Tables};

/// Something to be written that is no command.
pub(crate) trait Work: Send {
    /// How many bytes it adds to a batch, about.
    fn bytes(&self) -> usize;
    /// Checks its conditions and puts its writes into the batch. An error is the store's, and ends
    /// the writer.
    fn stage(&mut self, batch: &mut Batch) -> Result<()>;
    /// It is durable and shown: answers.
    fn finish(self: Box<Self>);
    /// Nothing of it was written or will be.
    fn refuse(self: Box<Self>);
}

/// Work that is a closure, with the answer that it gives once it is durable.
pub(crate) struct Task<F, T> {
    pub(crate) bytes: usize,
    pub(crate) run: Option<F>,
    pub(crate) result: Option<T>,
    pub(crate) answer: oneshot::Sender<std::result::Result<T, Fault>>,
    /// The right to wait in the queue.
    pub(crate) _permit: OwnedSemaphorePermit,
}

impl<F, T> Work for Task<F, T>
where
    F: FnOnce(&mut Batch) -> Result<T> + Send,
    T: Send,
{
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn stage(&mut self, batch: &mut Batch) -> Result<()> {
        if let Some(run) = self.run.take() {
            self.result = Some(run(batch)?);
        }
        Ok(())
    }

    fn finish(self: Box<Self>) {
        if let Some(result) = self.result {
            // Whoever asked may have gone.
            drop(self.answer.send(Ok(result)));
        }
    }

    fn refuse(self: Box<Self>) {
        drop(self.answer.send(Err(Fault::NoSpace)));
    }
}

/// The batch that the writer is filling, and what it knows without asking the tables.
pub(crate) struct Batch {
    tables: Arc<Tables>,
    writes: OwnedWriteBatch,
    bytes: usize,
    /// What the jobs before in this batch wrote, where a later one may ask for it.
    staged: [HashMap<UserKey, Option<UserValue>, RandomState>; Table::ALL.len()],
    requests: Appended<Command>,
    events: Appended<Published>,
    /// Whether lanes get their commands before these are durable.
    hands_over_early: bool,
    /// The partitions whose lanes have sent a decision that is in this batch.
    decided: BTreeSet<u32>,
    /// The last revision of aggregates, as of the end of this batch.
    heads: Cache<AggregateKey, u64>,
    /// The numbers of values that are written on a condition, as of the end of this batch.
    numbers: Cache<(Table, UserKey), u64>,
    /// What else to show once the batch is durable.
    shown: Vec<Box<dyn FnOnce() + Send>>,
}

/// A key of a table, as numbers are asked for.
#[derive(Hash)]
struct NumberKey<'a>(Table, &'a [u8]);

impl Equivalent<(Table, UserKey)> for NumberKey<'_> {
    fn equivalent(&self, (table, key): &(Table, UserKey)) -> bool {
        self.0 == *table && self.1 == key.as_ref()
    }
}

/// What this batch appends to a log.
struct Appended<R> {
    log: Arc<Log<R>>,
    /// The next offset of every partition.
    next: Vec<u64>,
    entries: Vec<(u32, Arc<Entry<R>>)>,
    /// The partitions in which something is shown that is not durable.
    grown: BTreeSet<u32>,
}

impl<R: Recorded> Appended<R> {
    fn new(log: Arc<Log<R>>) -> Self {
        Self { next: log.ends(), log, entries: Vec::new(), grown: BTreeSet::new() }
    }

    fn append(&mut self, partition: u32, entry: Entry<R>) -> u64 {
        let Some(next) = self.next.get_mut(partition as usize) else {
            return 0;
        };
        let offset = *next;
        *next += 1;
        self.entries.push((partition, entry.at(offset)));
        offset
    }

    fn show(&mut self) {
        if !self.entries.is_empty() {
            self.grown.append(&mut self.log.show(self.entries.drain(..)));
        }
    }

    /// All of it is durable.
    fn show_durable(&mut self) {
        self.show();
        for partition in std::mem::take(&mut self.grown) {
            self.log.trim(partition);
        }
    }
}

impl Batch {
    pub(crate) fn new(
        tables: Arc<Tables>,
        requests: Arc<Log<Command>>,
        events: Arc<Log<Published>>,
        heads_max: usize,
    ) -> Self {
        Self {
            writes: tables.database().batch(),
            tables,
            bytes: 0,
            staged: Default::default(),
            requests: Appended::new(requests),
            events: Appended::new(events),
            hands_over_early: false,
            decided: BTreeSet::new(),
            heads: Cache::new(heads_max),
            numbers: Cache::new(heads_max),
            shown: Vec::new(),
        }
    }

    /// Whether lanes get their commands before these are durable; if nobody says so, they do not.
    pub(crate) fn handing_over_early(self, hands_over_early: bool) -> Self {
        Self { hands_over_early, ..self }
    }

    /// What stands under a key once this batch is durable.
    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Result<Option<UserValue>> {
        match self.staged[table as usize].get(key) {
            Some(staged) => Ok(staged.clone()),
            None => self.tables.get(table, key),
        }
    }

    /// The number that the value under a key begins with, once this batch is durable.
    pub(crate) fn number(&self, table: Table, key: &[u8]) -> Result<Option<u64>> {
        match self.numbers.get(&NumberKey(table, key)) {
            Some(number) => Ok(Some(*number)),
            None => Ok(self.get(table, key)?.and_then(|value| record::number(&value).ok())),
        }
    }

    /// Writes a value that begins with this number, which a later job will ask for.
    pub(crate) fn put_numbered(
        &mut self,
        table: Table,
        (key, number): (Vec<u8>, u64),
        value: impl Into<UserValue>,
    ) {
        let key = UserKey::from(key);
        self.numbers.insert((table, key.clone()), number);
        // Staged, too, for the numbers may forget it before the batch is durable.
        self.stage(table, key, value.into());
    }

    /// Whether anything stands under a key once this batch is durable.
    pub(crate) fn contains(&self, table: Table, key: &[u8]) -> Result<bool> {
        match self.staged[table as usize].get(key) {
            Some(staged) => Ok(staged.is_some()),
            None => self.tables.contains(table, key),
        }
    }

    /// Writes a value that a later job may ask for.
    pub(crate) fn put(&mut self, table: Table, key: Vec<u8>, value: impl Into<UserValue>) {
        self.numbers.remove(&NumberKey(table, &key));
        self.stage(table, UserKey::from(key), value.into());
    }

    fn stage(&mut self, table: Table, key: UserKey, value: UserValue) {
        self.staged[table as usize].insert(key.clone(), Some(value.clone()));
        self.write(table, key, value);
    }

    /// Removes a value that a later job may ask for.
    pub(crate) fn remove(&mut self, table: Table, key: Vec<u8>) {
        self.numbers.remove(&NumberKey(table, &key));
        let key = UserKey::from(key);
        self.staged[table as usize].insert(key.clone(), None);
        self.bytes += key.len();
        self.writes.remove(self.tables.keyspace(table), key);
    }

    /// Writes a value that no job of this batch asks for.
    pub(crate) fn write(&mut self, table: Table, key: impl Into<UserKey>, value: UserValue) {
        let key = key.into();
        self.bytes += key.len() + value.len();
        self.writes.insert(self.tables.keyspace(table), key, value);
    }

    /// The tables as they were before this batch.
    pub(crate) fn tables(&self) -> &Arc<Tables> {
        &self.tables
    }

    /// Appends to the log of requests; gives the offset.
    pub(crate) fn append_request(
        &mut self,
        partition: u32,
        value: Vec<u8>,
        entry: Entry<Command>,
    ) -> u64 {
        let offset = self.requests.append(partition, entry);
        let key = key::record(Position { partition, offset });
        self.write(Table::Requests, key, value.into());
        offset
    }

    /// Appends to the log of events.
    pub(crate) fn append_event(&mut self, partition: u32, value: Vec<u8>, entry: Entry<Published>) {
        let offset = self.events.append(partition, entry);
        let key = key::record(Position { partition, offset });
        self.write(Table::Events, key, value.into());
    }

    /// Whether this is the revision that follows the aggregate's last one; if so, takes it as the
    /// last one from now on.
    pub(crate) fn follows(&mut self, aggregate: &AggregateKey, revision: u64) -> Result<bool> {
        let follows = match self.heads.get(aggregate) {
            Some(head) => revision == head + 1,
            None => {
                let stored =
                    |revision| self.contains(Table::Commits, &key::commit(aggregate, revision));
                revision > 0 && !stored(revision)? && (revision == 1 || stored(revision - 1)?)
            }
        };
        if follows {
            self.heads.insert(aggregate.clone(), revision);
        }
        Ok(follows)
    }

    /// Does this once the batch is durable, before anyone is answered.
    pub(crate) fn show_then(&mut self, show: impl FnOnce() + Send + 'static) {
        self.shown.push(Box::new(show));
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Gives the lanes the commands of this batch though they are not durable: whatever a lane
    /// makes of them goes through this batch or a later one. Says how many of these lanes have not
    /// sent what they decide.
    pub(crate) fn hand_over(&mut self) -> usize {
        if !self.hands_over_early {
            return 0;
        }
        self.requests.show();
        let Appended { log, grown, .. } = &self.requests;
        grown.difference(&self.decided).filter(|partition| log.is_busy(**partition)).count()
    }

    /// The lane of this partition has sent what it decided.
    pub(crate) fn decides(&mut self, partition: u32) {
        self.decided.insert(partition);
    }

    /// Writes everything and syncs once.
    pub(crate) fn commit(&mut self, durability: PersistMode) -> Result<()> {
        let writes = std::mem::replace(&mut self.writes, self.tables.database().batch());
        self.bytes = 0;
        writes.durability(Some(durability)).commit()
    }

    /// Shows what has become durable.
    pub(crate) fn show(&mut self) {
        for staged in &mut self.staged {
            staged.clear();
        }
        self.decided.clear();
        self.requests.show_durable();
        self.events.show_durable();
        for show in self.shown.drain(..) {
            show();
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
