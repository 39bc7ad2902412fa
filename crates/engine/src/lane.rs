//! A lane: one partition inside a worker. It works in order, a batch at a time, with one insert
//! in flight.

use std::future::Future;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};
use ordain_model::{AggregateKey, Command, Commit};
use ordain_ports::{Action, Announced, Error, Input, Lane as _, Record};
use tokio::sync::mpsc;

use crate::backoff::Backoff;
use crate::batch::Batch;
use crate::broken;
use crate::cache::Cache;
use crate::careful::{Careful, Marked};
use crate::decide::Decider;
use crate::finisher::{Settled, SnapshotStored};
use crate::load::Loader;
use crate::measured::Measured;
use crate::meters::Meters;
use crate::receive::{Item, Known, Received};
use crate::recent::Recent;
use crate::traced;
use crate::{Ports, Settings};

/// Why a lane ends.
#[derive(Debug)]
pub(crate) enum LaneEnd {
    /// The partition was lost: whatever was not finished is another member's.
    Lost,
    /// The lane cannot go on and must not skip: a person has to act.
    Alarm(String),
}

/// Tries until it succeeds. Gives up only when the partition is lost, or can never succeed.
pub(crate) async fn persist<T, F, Fut>(
    lane: &Measured,
    retry_ms_max: u64,
    what: &'static str,
    call: F,
) -> Result<T, LaneEnd>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<T, Error>>,
{
    let mut backoff = Backoff::new(retry_ms_max);
    loop {
        let error = match call().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        retry_later(lane, what, &error)?;
        backoff.pause().await;
    }
}

/// Says whether there is any use in trying again.
pub(crate) fn retry_later(
    lane: &Measured,
    what: &'static str,
    error: &Error,
) -> Result<(), LaneEnd> {
    metrics::counter!("ordain_engine_retries", "what" => what).increment(1);
    lane.failed(what, error);
    let partition = lane.partition();
    match error.action() {
        Action::Stop => return Err(LaneEnd::Lost),
        Action::GiveUp => return Err(LaneEnd::Alarm(format!("{what}: {error}"))),
        Action::CallPerson => tracing::error!(partition, what, %error, "a port needs a person"),
        Action::TryAgain => tracing::warn!(partition, what, %error, "a port did not answer"),
    }
    if lane.is_revoked() { Err(LaneEnd::Lost) } else { Ok(()) }
}

fn foreign(item: &Item, command: &Announced) -> LaneEnd {
    let Announced { aggregate_type, command, schema } = command;
    LaneEnd::Alarm(format!(
        "partition {} offset {}: {aggregate_type} {command} with the schema {schema} was announced \
         by another build and is not this build's to judge",
        item.position.partition, item.position.offset
    ))
}

/// One partition inside a worker.
pub(crate) struct Lane {
    pub(crate) ports: Ports,
    pub(crate) settings: Arc<Settings>,
    pub(crate) partition: Arc<Measured>,
    pub(crate) known: Known,
    pub(crate) loader: Loader,
    pub(crate) decider: Decider,
    pub(crate) cache: Cache,
    pub(crate) recent: Recent,
    pub(crate) finisher: mpsc::Sender<Settled>,
    pub(crate) snapshots_stored: mpsc::Receiver<SnapshotStored>,
    /// The record that is marked, for whoever ends the lane.
    pub(crate) marked: Marked,
    /// Whether the next batch looks its outcomes up before it decides: at the start of the lane,
    /// and while repeats are coming of what is not remembered.
    pub(crate) look_up_first: bool,
    /// Whether the rules took long the last time.
    pub(crate) decides_slowly: bool,
    pub(crate) meters: Meters,
}

impl Lane {
    /// Works until the partition is revoked.
    pub(crate) async fn run(mut self) -> Result<(), LaneEnd> {
        let mut careful = None;
        let mut backoff = Backoff::new(self.settings.retry_ms_max);
        loop {
            let (records_max, bytes_max) =
                (self.settings.batch_records_max, self.settings.batch_bytes_max);
            let records = match self.partition.next(records_max, bytes_max).await {
                Ok(Input::Records(records)) => records,
                // The log has raised the alarm: nobody can decide what is nowhere. Progress stays
                // below it until something behind it is done: what lies below counts as published.
                Ok(Input::Gone(_)) => continue,
                Ok(Input::Revoked) => return Ok(()),
                Err(error) => {
                    retry_later(&self.partition, "read records", &error)?;
                    backoff.pause().await;
                    continue;
                }
            };
            fail::fail_point!("C3");
            backoff = Backoff::new(self.settings.retry_ms_max);
            if careful.is_none() {
                let marked = self.marked.clone();
                let begun = Careful::begin(&self.ports, &self.settings, &self.partition, marked);
                careful = Some(begun.await?);
            }
            if let Some(careful) = &careful {
                self.records(records, careful).await?;
            }
        }
    }

    async fn records(
        &mut self,
        records: Vec<Record<Command>>,
        careful: &Careful,
    ) -> Result<(), LaneEnd> {
        self.meters.batch_commands.record(records.len() as f64);
        let now = self.ports.clock.now();
        let mut items = Vec::with_capacity(records.len());
        let mut settled = Settled::default();
        for record in records {
            let offset = record.position.offset;
            match self.known.receive(record, now) {
                Received::Item(item) => items.push(item),
                Received::Letter(letter) => settled.letters.push(letter),
                Received::Strange(mut item, command) => {
                    if self.is_foreign(&item, &command).await? {
                        self.batch(items, settled, careful).await?;
                        return Err(foreign(&item, &command));
                    }
                    item.reject_unknown(&command);
                    items.push(item);
                }
            }
            settled.progress = offset + 1;
            if careful.covers(offset) {
                let one = (std::mem::take(&mut items), std::mem::take(&mut settled));
                self.batch(one.0, one.1, careful).await?;
            }
        }
        self.batch(items, settled, careful).await
    }

    /// Whether a command that this build does not know is another build's to judge: announced, and
    /// without an outcome. What has one is a repeat, whatever it was.
    async fn is_foreign(&mut self, item: &Item, command: &Announced) -> Result<bool, LaneEnd> {
        let max = self.settings.retry_ms_max;
        if !self.known.was_announced(command) {
            let announcements = Arc::clone(&self.ports.announcements);
            let known = || announcements.known();
            let ever = persist(&self.partition, max, "read announcements", known).await?;
            self.known.set_announced(ever);
        }
        let id = [(item.aggregate.clone(), item.request.clone())];
        let find = || self.ports.outcomes.find(&id);
        let found = persist(&self.partition, max, "look up", find).await?;
        let is_decided = found.first().is_some_and(Option::is_some);
        self.look_up_first |= is_decided;
        Ok(self.known.was_announced(command) && !is_decided)
    }

    /// Works one batch and hands it to the finisher. `settled` holds what is settled already, and
    /// the progress that the batch makes.
    async fn batch(
        &mut self,
        mut items: Vec<Item>,
        mut settled: Settled,
        careful: &Careful,
    ) -> Result<(), LaneEnd> {
        if settled.progress == 0 {
            return Ok(());
        }
        self.note_snapshots();
        traced::begin(&mut items, &self.ports);
        let first = items.first().map(|item| item.position);
        let look_up_first =
            self.look_up_first || first.is_some_and(|position| careful.covers(position.offset));
        self.look_up_first = false;
        let mut batch = Batch::new(items);
        self.settle_remembered(&mut batch);
        if look_up_first && !broken::dedupes_by_cache_only() {
            self.look_up_undecided(&mut batch).await?;
        }
        let marked = match batch.pending.first_mut() {
            Some(item) if careful.covers(item.position.offset) => {
                careful.mark(&self.ports, &self.partition, item).await?;
                Some(item.position)
            }
            _ => None,
        };
        self.settle_in_parts(&mut batch).await?;
        if let Some(position) = marked {
            careful.unmark(&self.ports, &self.partition, position).await?;
        }
        self.hand_over(batch, &mut settled)?;
        self.send(settled).await
    }

    /// Keeps in the batch what leaves every aggregate within its limit behind a stored snapshot;
    /// gives back the rest. Waits for a snapshot when not even one command has room.
    pub(crate) async fn split_for_room(&mut self, batch: &mut Batch) -> Result<Vec<Item>, LaneEnd> {
        loop {
            let fits = self.fits(batch);
            if fits > 0 {
                return Ok(batch.pending.split_off(fits));
            }
            let Some(key) = batch.pending.first().map(|item| item.aggregate.clone()) else {
                return Ok(Vec::new());
            };
            self.await_snapshot(batch, key).await?;
        }
    }

    fn fits(&self, batch: &Batch) -> usize {
        let max = self.settings.tail_commits_max;
        let mut room = HashMap::new();
        batch
            .pending
            .iter()
            .take_while(|item| {
                let left = room.entry(&item.aggregate).or_insert_with(|| {
                    batch.entries.get(&item.aggregate).map_or(u64::MAX, |entry| {
                        if entry.handler.is_some() { entry.room(max) } else { u64::MAX }
                    })
                });
                let fits = *left > 0;
                *left = left.saturating_sub(1);
                fits
            })
            .count()
    }

    async fn await_snapshot(
        &mut self,
        batch: &mut Batch,
        key: AggregateKey,
    ) -> Result<(), LaneEnd> {
        let mut settled = Settled::default();
        self.hand_over_stored(batch, &mut settled)?;
        self.send(settled).await?;
        loop {
            let stored = self.snapshots_stored.recv().await.ok_or(LaneEnd::Lost)?;
            let is_awaited = stored.0 == key;
            match batch.entries.get_mut(&stored.0) {
                Some(entry) => entry.snapshot_stored(stored.1),
                None => self.cache.snapshot_stored(&stored.0, stored.1),
            }
            if is_awaited {
                return Ok(());
            }
        }
    }

    fn note_snapshots(&mut self) {
        while let Ok((key, revision)) = self.snapshots_stored.try_recv() {
            self.cache.snapshot_stored(&key, revision);
        }
    }

    pub(crate) fn reply(&self, batch: &mut Batch) {
        traced::record(batch.take_spans(), &self.ports);
        let replies = batch.take_replies(self.settings.reply_bytes_max);
        if replies.is_empty() {
            return;
        }
        fail::fail_point!("C6");
        self.ports.replies.send(replies);
    }

    /// Puts the aggregates back into the cache, and gives the finisher what there is to publish.
    fn hand_over(&mut self, mut batch: Batch, settled: &mut Settled) -> Result<(), LaneEnd> {
        self.hand_over_stored(&mut batch, settled)?;
        self.loader.published.handed = settled.progress;
        self.put_back(&mut batch);
        Ok(())
    }

    /// Hands over what is settled before the whole batch is, and puts the aggregates back into the
    /// cache, which forgets what is too much.
    pub(crate) async fn hand_over_part(&mut self, batch: &mut Batch) -> Result<(), LaneEnd> {
        let mut settled = Settled::default();
        self.hand_over_stored(batch, &mut settled)?;
        self.put_back(batch);
        self.send(settled).await
    }

    fn put_back(&mut self, batch: &mut Batch) {
        for (key, entry) in batch.entries.drain() {
            self.cache.put(key, entry);
        }
    }

    fn hand_over_stored(&self, batch: &mut Batch, settled: &mut Settled) -> Result<(), LaneEnd> {
        // Loaded again in the middle of a batch, an aggregate brings the batch's own commits too.
        let mut brought: HashMap<&AggregateKey, u64> = HashMap::new();
        for (key, entry) in &mut batch.entries {
            let unpublished = entry.take_unpublished();
            if let Some(last) = unpublished.last() {
                brought.insert(key, last.revision);
            }
            settled.commits.extend(unpublished);
            let snapshot = entry.snapshot(key, self.settings.snapshot_commits);
            let unsaved = |why| LaneEnd::Alarm(format!("{key} cannot be stored: {why}"));
            settled.snapshots.extend(snapshot.map_err(unsaved)?);
            entry.all_handed();
        }
        if !brought.is_empty() {
            let last = |commit: &Commit| brought.get(&commit.aggregate).copied().unwrap_or(0);
            batch.stored.retain(|commit| commit.revision > last(commit));
        }
        settled.commits.append(&mut batch.stored);
        settled.letters.append(&mut batch.letters);
        Ok(())
    }

    async fn send(&self, settled: Settled) -> Result<(), LaneEnd> {
        // The finisher ends early only when it has lost the partition.
        self.finisher.send(settled).await.map_err(|_| LaneEnd::Lost)
    }
}
