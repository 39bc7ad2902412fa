//! A batch in parts: what a batch touches is looked up and loaded piece by piece, and what is
//! loaded is settled before more is loaded than a lane may hold.

use std::sync::Arc;

use foldhash::{HashSet, HashSetExt as _};
use ordain_model::{AggregateKey, Commit};

use crate::backoff::Backoff;
use crate::batch::Batch;
use crate::lane::{Lane, LaneEnd, persist, retry_later};
use crate::load::LoadError;
use crate::receive::Item;

impl Lane {
    /// Settles all that is pending: as much at a time as its aggregates leave room for in memory.
    pub(crate) async fn settle_in_parts(&mut self, batch: &mut Batch) -> Result<(), LaneEnd> {
        while !batch.pending.is_empty() {
            let later = self.load(batch).await?;
            while !batch.pending.is_empty() {
                let behind = self.split_for_room(batch).await?;
                self.settle(batch).await?;
                batch.pending.extend(behind);
            }
            if !later.is_empty() {
                metrics::counter!("ordain_engine_batch_parts").increment(1);
                self.hand_over_part(batch).await?;
            }
            batch.pending = later;
        }
        Ok(())
    }

    /// Takes the aggregates of what is pending from the cache, and loads those that are not there.
    /// Gives back, from the first on whose aggregate would be too much, what has to come later.
    async fn load(&mut self, batch: &mut Batch) -> Result<Vec<Item>, LaneEnd> {
        let (piece, room) = (self.settings.load_aggregates_max, self.settings.lane_cache_bytes_max);
        let mut missing = HashSet::new();
        let (mut held, mut ready) = (batch.bytes(), 0);
        while let Some(Item { aggregate, .. }) = batch.pending.get(ready) {
            if !batch.entries.contains_key(aggregate) && !missing.contains(aggregate) {
                if held >= room && ready > 0 {
                    break;
                }
                match self.cache.take(aggregate) {
                    Some(entry) => {
                        held += entry.held_bytes();
                        batch.entries.insert(aggregate.clone(), entry);
                    }
                    None => drop(missing.insert(aggregate.clone())),
                }
            }
            ready += 1;
            if missing.len() >= piece {
                self.reload(batch, missing.drain().collect()).await?;
                held = batch.bytes();
            }
        }
        self.reload(batch, missing.into_iter().collect()).await?;
        Ok(batch.pending.split_off(ready))
    }

    /// Settles the repeats of what is remembered. Whatever is, has been handed to the finisher with
    /// the batch in which it became known.
    pub(crate) fn settle_remembered(&self, batch: &mut Batch) {
        let outcomes: Vec<_> = batch.pending.iter().map(|item| self.recent.outcome(item)).collect();
        if outcomes.iter().any(Option::is_some) {
            self.settle_repeats(batch, outcomes);
        }
    }

    /// Answers what is pending and has an outcome. `outcomes` stands in the order of what is
    /// pending. Gives those that there were.
    fn settle_repeats(
        &self,
        batch: &mut Batch,
        outcomes: Vec<Option<Arc<Commit>>>,
    ) -> Vec<Arc<Commit>> {
        let repeats = batch.settle_repeats(outcomes);
        self.reply(batch);
        metrics::counter!("ordain_engine_repeats").increment(repeats.len() as u64);
        repeats
    }

    /// Looks up the outcomes of a batch before it is decided, and settles what has one. What is
    /// loaded for that goes back to the cache as soon as it is too much.
    pub(crate) async fn look_up_undecided(&mut self, batch: &mut Batch) -> Result<(), LaneEnd> {
        self.look_up_in_parts(batch, self.settings.lane_cache_bytes_max).await
    }

    /// Looks up the outcomes of all that is pending, and settles what has one. The aggregates of
    /// what has none stay where they are.
    pub(crate) async fn look_up(&mut self, batch: &mut Batch) -> Result<(), LaneEnd> {
        self.look_up_in_parts(batch, u64::MAX).await
    }

    /// The batch gives its aggregates back to the cache when they are so many bytes.
    async fn look_up_in_parts(&mut self, batch: &mut Batch, bytes_max: u64) -> Result<(), LaneEnd> {
        let mut later = std::mem::take(&mut batch.pending);
        let mut unsettled = Vec::with_capacity(later.len());
        while !later.is_empty() {
            let behind = later.split_off(self.settings.load_aggregates_max.min(later.len()));
            batch.pending = std::mem::replace(&mut later, behind);
            self.look_up_piece(batch).await?;
            unsettled.append(&mut batch.pending);
            if batch.bytes() >= bytes_max {
                self.hand_over_part(batch).await?;
            }
        }
        batch.pending = unsettled;
        Ok(())
    }

    async fn look_up_piece(&mut self, batch: &mut Batch) -> Result<(), LaneEnd> {
        let ids = batch.ids();
        let (port, max) = (&self.ports.outcomes, self.settings.retry_ms_max);
        let outcomes = persist(&self.partition, max, "look up", || port.find(&ids)).await?;
        let repeats = self.settle_repeats(batch, outcomes);
        if repeats.is_empty() {
            return Ok(());
        }
        self.recent.remember(&repeats);
        self.look_up_first = true;
        let unsure: HashSet<AggregateKey> = repeats
            .iter()
            .filter(|commit| !self.is_handed(batch, commit))
            .map(|commit| commit.aggregate.clone())
            .collect();
        self.reload(batch, unsure.into_iter().collect()).await
    }

    /// Whether the events of a repeat's commit are published, or will be before more progress.
    fn is_handed(&self, batch: &Batch, commit: &Arc<Commit>) -> bool {
        let entry = batch.entries.get(&commit.aggregate);
        commit.events.is_empty()
            || self.loader.published.contains(commit.source)
            || entry.is_some_and(|entry| entry.handed() >= commit.sequence)
    }

    /// Loads these aggregates anew, whatever is remembered of them.
    pub(crate) async fn reload(
        &mut self,
        batch: &mut Batch,
        keys: Vec<AggregateKey>,
    ) -> Result<(), LaneEnd> {
        for piece in keys.chunks(self.settings.load_aggregates_max) {
            self.reload_piece(batch, piece).await?;
        }
        Ok(())
    }

    async fn reload_piece(
        &mut self,
        batch: &mut Batch,
        keys: &[AggregateKey],
    ) -> Result<(), LaneEnd> {
        let keys: Vec<(AggregateKey, u64)> = keys
            .iter()
            .map(|key| {
                let cached = batch.entries.remove(key).or_else(|| self.cache.take(key));
                (key.clone(), cached.map_or(0, |entry| entry.handed()))
            })
            .collect();
        let mut backoff = Backoff::new(self.settings.retry_ms_max);
        loop {
            match self.loader.load(&keys).await {
                Ok(entries) => {
                    batch.entries.extend(entries);
                    return Ok(());
                }
                Err(LoadError::Fault(key, fault)) => {
                    return Err(LaneEnd::Alarm(format!("{key} cannot be folded: {fault}")));
                }
                Err(LoadError::Port(error)) => {
                    retry_later(&self.partition, "load aggregates", &error)?;
                    backoff.pause().await;
                }
            }
        }
    }
}
