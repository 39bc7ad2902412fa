//! Settles a batch: decides what is pending, inserts it in one go, and, where the insert ended
//! early, decides everything behind anew from what is known to be stored. The only retry loop
//! around the insert.

use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::HashSet;
use ordain_model::{AggregateKey, Code, Commit, Outcome};
use ordain_ports::{Error, Lane as _, Stop};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

use crate::backoff::Backoff;
use crate::batch::Batch;
use crate::broken;
use crate::decide::Decided;
use crate::lane::{Lane, LaneEnd, retry_later};
use crate::receive::Item;

/// The store can never keep the commit.
const NOT_STORABLE: Code = Code::new("NOT_STORABLE");

/// A lane that decides for longer than this at a time leaves its thread to others: heartbeats,
/// requests and other lanes run on it too.
const ASIDE_AFTER: Duration = Duration::from_millis(5);

impl Lane {
    /// Decides and inserts until nothing is pending.
    pub(crate) async fn settle(&mut self, batch: &mut Batch) -> Result<(), LaneEnd> {
        let mut backoff = Backoff::new(self.settings.retry_ms_max);
        while !batch.pending.is_empty() {
            let decided = self.decide(batch);
            fail::fail_point!("C4");
            fail::fail_point!("Z1");
            let mut in_time = self.in_time(batch, &decided);
            if broken::forgets_refusals() {
                in_time = in_time.min(broken::answer_refusal(batch, &decided));
                self.reply(batch);
            }
            if in_time == 0 {
                batch.forget_decided();
                continue;
            }
            // What stands behind a deadline that has just passed is decided anew.
            let commits: Vec<Arc<Commit>> =
                decided.iter().take(in_time).map(|decided| Arc::clone(&decided.commit)).collect();
            let inserted = self.ports.commits.insert(&commits).await;
            fail::fail_point!("C5");
            if broken::sends_numbered_rest() {
                broken::send_numbered_rest(self.ports.commits.as_ref(), &commits, &inserted).await;
            }
            let stored = commits.get(..inserted.stored).unwrap_or_default();
            self.meters.stored(stored);
            self.recent.remember(stored);
            let broken = batch.settle_stored(decided, inserted.stored);
            self.reply(batch);
            self.reload(batch, broken).await?;
            if inserted.stored > 0 {
                backoff = Backoff::new(self.settings.retry_ms_max);
            }
            if let Some(stop) = inserted.stop {
                self.resolve(batch, stop, &mut backoff).await?;
            }
        }
        Ok(())
    }

    /// Decides all that is pending, each on the state that the ones before leave. Rules that turn
    /// out slow go on where they keep nobody from running.
    fn decide(&mut self, batch: &mut Batch) -> Vec<Decided> {
        let begun = Instant::now();
        let now = self.ports.clock.now();
        let Batch { pending, entries, .. } = batch;
        let decide =
            |item: &Item| Some(self.decider.decide(item, entries.get_mut(&item.aggregate)?, now));
        let mut decisions = pending.iter().filter_map(decide);
        let mut decided = Vec::with_capacity(pending.len());
        while !self.decides_slowly && begun.elapsed() < ASIDE_AFTER {
            let Some(decision) = decisions.next() else { break };
            decided.push(decision);
        }
        if decided.len() < pending.len() {
            aside(|| decided.extend(decisions));
        }
        self.decides_slowly = begun.elapsed() >= ASIDE_AFTER;
        decided
    }

    /// How many stand before the first whose deadline has passed since the decision: the check
    /// directly before the sending.
    fn in_time(&self, batch: &Batch, decided: &[Decided]) -> usize {
        let now = self.ports.clock.now();
        let is_late = |(item, decided): &(&Item, &Decided)| {
            item.deadline().is_some_and(|deadline| deadline < now)
                && decided.commit.outcome != Outcome::Expired
        };
        let pairs = batch.pending.iter().zip(decided);
        pairs.take_while(|pair| !is_late(pair)).count()
    }

    /// Finds out what is true after an insert that ended early. Nothing decided is kept.
    async fn resolve(
        &mut self,
        batch: &mut Batch,
        stop: Stop,
        backoff: &mut Backoff,
    ) -> Result<(), LaneEnd> {
        match stop {
            Stop::Repeat => self.resolve_repeat(batch, backoff).await,
            Stop::Conflict => self.resolve_conflict(batch, backoff).await,
            Stop::NotStorable(why) => {
                let is_new = batch
                    .pending
                    .first_mut()
                    .is_some_and(|item| item.reject(NOT_STORABLE, why.clone()));
                if !is_new {
                    return Err(LaneEnd::Alarm(format!("a rejection cannot be stored: {why}")));
                }
                Ok(())
            }
            Stop::Unavailable(_) if broken::passes_over() => {
                batch.pending.clear();
                Ok(())
            }
            Stop::Unavailable(error) => self.wait(&error, backoff).await,
            Stop::Unknown(error) => {
                self.wait(&error, backoff).await?;
                self.look_up(batch).await?;
                let touched: HashSet<AggregateKey> =
                    batch.pending.iter().map(|item| item.aggregate.clone()).collect();
                self.reload(batch, touched.into_iter().collect()).await
            }
        }
    }

    /// Someone has decided it before. Until a durable read shows how, it is sent again: what made
    /// it a duplicate may be rolled back, so waiting alone could be for ever.
    async fn resolve_repeat(
        &mut self,
        batch: &mut Batch,
        backoff: &mut Backoff,
    ) -> Result<(), LaneEnd> {
        if let Some(item) = batch.pending.first_mut().filter(|_| broken::dedupes_by_cache_only()) {
            broken::decide_again(item);
            return Ok(());
        }
        let failed = batch.pending.first().map(|item| item.position);
        self.look_up(batch).await?;
        self.look_up_first = true;
        if failed.is_some() && failed == batch.pending.first().map(|item| item.position) {
            self.pause(backoff).await?;
        }
        Ok(())
    }

    /// Someone else was faster. A reload that shows nothing new is tried again with the insert.
    async fn resolve_conflict(
        &mut self,
        batch: &mut Batch,
        backoff: &mut Backoff,
    ) -> Result<(), LaneEnd> {
        metrics::counter!("ordain_engine_conflicts").increment(1);
        let Some(key) = batch.pending.first().map(|item| item.aggregate.clone()) else {
            return Ok(());
        };
        let revision = |batch: &Batch| batch.entries.get(&key).map(|entry| entry.stored().revision);
        let before = revision(batch);
        self.reload(batch, vec![key.clone()]).await?;
        if revision(batch) == before {
            self.pause(backoff).await?;
        } else if self.partition.is_revoked() {
            return Err(LaneEnd::Lost);
        }
        Ok(())
    }

    async fn wait(&self, error: &Error, backoff: &mut Backoff) -> Result<(), LaneEnd> {
        retry_later(&self.partition, "insert", error)?;
        backoff.pause().await;
        Ok(())
    }

    async fn pause(&self, backoff: &mut Backoff) -> Result<(), LaneEnd> {
        if self.partition.is_revoked() {
            return Err(LaneEnd::Lost);
        }
        backoff.pause().await;
        Ok(())
    }
}

/// Does what may take long. Whatever else the thread has to run goes on elsewhere meanwhile.
fn aside(work: impl FnOnce()) {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => block_in_place(work),
        // There is nowhere else.
        _ => work(),
    }
}
