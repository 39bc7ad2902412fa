//! A follower: one lane of a view, a batch at a time, from its records to its progress.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use foldhash::{HashMap, HashMapExt as _};
use ordain_ports::{DeadLetter, Input, Lane, Published, Record, Row, SoleRow};
use quick_cache::unsync::Cache;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{error, warn};

use super::batch::{Batch, Blocked, Next, Place, Step};
use super::held::{Held, Lost};
use super::meters::Meters;
use super::row_cache::RowCache;
use super::{Ports, ReportStop};
use crate::{Settings, View};
use ordain_model::AggregateKey;

/// One lane of a view. All that it remembers ends with the lane.
pub(super) struct Follower {
    pub(super) view: Arc<dyn View>,
    pub(super) ports: Ports,
    pub(super) settings: Settings,
    pub(super) held: Held,
    pub(super) places: Cache<AggregateKey, Place>,
    pub(super) rows: RowCache,
    /// The sole rows that were read to know the places of this round's aggregates.
    pub(super) loaded: HashMap<String, Option<Row>>,
    pub(super) meters: Meters,
    /// What is done and not saved.
    unsaved: Option<Unsaved>,
    /// Until then more is to gather.
    gathers: Option<Instant>,
}

/// Progress that is not saved: losing it costs reading records again that are done.
#[derive(Debug)]
struct Unsaved {
    progress: u64,
    records: usize,
    since: Instant,
}

impl Follower {
    pub(super) fn new(
        view: Arc<dyn View>,
        ports: Ports,
        settings: Settings,
        lane: Box<dyn Lane<Published>>,
    ) -> Self {
        let held = Held::new(lane, view.name(), settings.retry_ms_max);
        let places = Cache::new(settings.lane_marks_max);
        let rows = RowCache::new(settings.lane_rows_bytes_max);
        let (loaded, meters) = (HashMap::new(), Meters::of(view.name()));
        Self {
            view,
            ports,
            settings,
            held,
            places,
            rows,
            loaded,
            meters,
            unsaved: None,
            gathers: None,
        }
    }

    /// Follows the lane until it is revoked or lost.
    pub(super) async fn run(mut self, report_stop: &ReportStop) {
        loop {
            let projected = match self.next().await {
                Ok(Input::Records(records)) => self.records(records).await,
                Ok(Input::Gone(gone)) => self.recover(gone).await,
                Ok(Input::Revoked) | Err(Lost) => break,
            };
            match projected {
                Ok(None) => {}
                Ok(Some(blocked)) => return self.hold(blocked, report_stop).await,
                Err(Lost) => return,
            }
        }
        // Of no consequence when it fails: records that are done are read again.
        self.save().await.ok();
    }

    /// What comes next. Where records come many at a time, more are let gather first: a batch costs
    /// much beside its records. A lone one is never made to wait.
    async fn next(&mut self) -> Result<Input<Published>, Lost> {
        if let Some(until) = self.gathers.take() {
            sleep_until(until).await;
        }
        let input = self.read_or_save().await?;
        if matches!(&input, Input::Records(records) if records.len() > 1) {
            self.gathers = Some(Instant::now() + Duration::from_millis(self.settings.gather_ms));
        }
        Ok(input)
    }

    /// Reads what comes next. What is done is saved when its time is over before that.
    async fn read_or_save(&mut self) -> Result<Input<Published>, Lost> {
        if let Some(Unsaved { since, .. }) = self.unsaved {
            let longest = Duration::from_millis(self.settings.unsaved_ms_max);
            if let Ok(read) = timeout(longest.saturating_sub(since.elapsed()), self.read()).await {
                return read;
            }
            self.save().await?;
        }
        self.read().await
    }

    async fn read(&self) -> Result<Input<Published>, Lost> {
        let (records_max, bytes_max) =
            (self.settings.batch_records_max, self.settings.batch_bytes_max);
        self.held.tried("reading", || self.held.lane.next(records_max, bytes_max)).await
    }

    async fn records(&mut self, records: Vec<Record<Published>>) -> Result<Option<Blocked>, Lost> {
        self.meters.batch_records.record(records.len() as f64);
        let count = records.len();
        let batch = Batch::of(self.view.as_ref(), self.ports.clock.now(), records);
        for letter in &batch.letters {
            self.meters.damaged_records.increment(1);
            report_damaged(self.view.name(), letter);
        }
        self.project(batch, count).await
    }

    /// Folds a batch of so many records: rows, then marks where no row is one, then dead letters,
    /// then progress.
    pub(super) async fn project(
        &mut self,
        mut batch: Batch,
        count: usize,
    ) -> Result<Option<Blocked>, Lost> {
        if batch.passes_over() {
            if let (Some(progress), _) = batch.done() {
                self.done(progress, count).await?;
            }
            return Ok(None);
        }
        let mut backoff = self.held.backoff();
        loop {
            self.load_places(&mut batch).await?;
            let steps = self.steps(&mut batch).await?;
            if steps.is_empty() {
                break;
            }
            if self.write(&mut batch, steps, &mut backoff).await? {
                // Another projector is at the same rows: look again whether this one may go on.
                self.held.pause(&mut backoff).await?;
            }
        }
        // What a batch of repeats has read is not kept until the next one.
        self.loaded = HashMap::new();
        for pending in &batch.pending {
            if let Some(place) = pending.place {
                self.places.insert(pending.aggregate.clone(), place);
            }
        }
        self.finish(batch, count).await
    }

    /// So many records more are done, up to here. There is no hurry to save that.
    pub(super) async fn done(&mut self, progress: u64, records: usize) -> Result<(), Lost> {
        let unsaved = self.unsaved.get_or_insert_with(|| Unsaved {
            progress,
            records: 0,
            since: Instant::now(),
        });
        unsaved.progress = progress;
        unsaved.records += records;
        let is_due = unsaved.records >= self.settings.unsaved_records_max
            || unsaved.since.elapsed() >= Duration::from_millis(self.settings.unsaved_ms_max);
        if is_due { self.save().await } else { Ok(()) }
    }

    /// Saves what is done.
    pub(super) async fn save(&mut self) -> Result<(), Lost> {
        if let Some(Unsaved { progress, .. }) = self.unsaved {
            self.held.tried("saving progress", || self.held.lane.save(progress)).await?;
            self.unsaved = None;
        }
        Ok(())
    }

    async fn finish(&mut self, mut batch: Batch, count: usize) -> Result<Option<Blocked>, Lost> {
        let letters = std::mem::take(&mut batch.letters);
        if !letters.is_empty() {
            let put = || self.ports.dead_letters.put(letters.clone());
            self.held.tried("writing dead letters", put).await?;
        }
        fail::fail_point!("C12");
        let (progress, blocked) = batch.done();
        if let Some(progress) = progress {
            self.done(progress, count).await?;
        }
        if blocked.is_some() {
            self.save().await?;
        }
        Ok(blocked)
    }

    /// Finds out up to where the aggregates are folded of which that is not known.
    async fn load_places(&mut self, batch: &mut Batch) -> Result<(), Lost> {
        self.loaded.clear();
        let mut asked = Vec::new();
        for pending in batch.pending.iter_mut().filter(|pending| pending.place.is_none()) {
            pending.place = self.places.get(&pending.aggregate).copied();
            if pending.place.is_none() {
                asked.push(pending.aggregate.clone());
            }
        }
        if asked.is_empty() {
            return Ok(());
        }
        let marks = match self.view.sole_row() {
            Some(sole_row) => self.load_sole_rows(sole_row, &asked).await?,
            None => {
                let load = || self.ports.views.marks(self.view.name(), &asked);
                self.held.tried("reading marks", load).await?
            }
        };
        let unknown = batch.pending.iter_mut().filter(|pending| pending.place.is_none());
        for (pending, mark) in unknown.zip(marks) {
            pending.place = Some(Place { mark, stopped: false });
        }
        Ok(())
    }

    /// Reads the sole rows of these aggregates, which the round folds on from, and says what they
    /// are folded up to.
    async fn load_sole_rows(
        &mut self,
        sole_row: SoleRow,
        of: &[AggregateKey],
    ) -> Result<Vec<Option<u64>>, Lost> {
        let keys: Vec<String> = of.iter().map(|aggregate| sole_row(aggregate).to_owned()).collect();
        let load = || self.ports.views.rows(self.view.name(), &keys);
        let rows = self.held.tried("reading rows", load).await?;
        let place = |(row, of): (&Option<Row>, _)| row.as_ref()?.place_of(of);
        let places = rows.iter().zip(of).map(place).collect();
        self.loaded = keys.into_iter().zip(rows).collect();
        Ok(places)
    }

    /// The next run of each aggregate, as many as make the most changes allowed.
    async fn steps(&self, batch: &mut Batch) -> Result<Vec<Step>, Lost> {
        let mut steps: Vec<Step> = Vec::new();
        let mut room = self.settings.round_changes_max.max(1);
        for index in 0..batch.pending.len() {
            if let Some(step) = self.step(batch, index, room).await? {
                room = room.saturating_sub(step.touched.count());
                steps.push(step);
                if room == 0 {
                    break;
                }
            }
        }
        Ok(steps)
    }

    async fn step(
        &self,
        batch: &mut Batch,
        index: usize,
        room: usize,
    ) -> Result<Option<Step>, Lost> {
        let view = self.view.name();
        let Some(pending) = batch.pending.get_mut(index) else {
            return Ok(None);
        };
        loop {
            let mut repeats = 0;
            let next = pending.next(&mut repeats);
            self.meters.repeated_events.increment(repeats);
            match next {
                Next::Nothing | Next::Mark => return Ok(None),
                Next::Run => {
                    let (step, blocked) = pending.take(index, self.view.as_ref(), room);
                    if let Some(blocked) = blocked {
                        batch.block(blocked);
                    }
                    return Ok(step);
                }
                Next::Gap(after) => {
                    let aggregate = pending.aggregate.clone();
                    let limit = self.settings.history_commits_max.max(1);
                    let read = || self.ports.commits.history(&aggregate, after, limit);
                    let commits = self.held.tried("reading history", read).await?;
                    if let Some(filled) = pending.fill(&commits) {
                        self.meters.filled_events.increment(filled as u64);
                    } else {
                        let letter = pending.stop(self.ports.clock.now());
                        if let Some(letter) = &letter {
                            self.meters.stopped_aggregates.increment(1);
                            report_stopped(view, letter);
                        }
                        batch.letters.extend(letter);
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Holds on to a lane that cannot go on, until it is revoked.
    async fn hold(&self, blocked: Blocked, report_stop: &ReportStop) {
        let Blocked { position, why } = blocked;
        let (view, partition, offset) = (self.view.name(), position.partition, position.offset);
        error!(view, partition, offset, %why, "view_lane_stopped");
        self.meters.stopped_lanes.increment(1.0);
        report_stop(partition, Some(&format!("at offset {offset}: {why}")));
        let mut backoff = self.held.backoff();
        while self.held.pause(&mut backoff).await.is_ok() {}
        report_stop(partition, None);
        self.meters.stopped_lanes.decrement(1.0);
    }
}

fn report_damaged(view: &str, letter: &DeadLetter) {
    let DeadLetter { id, why, .. } = letter;
    match &letter.named {
        Some((aggregate, _)) => warn!(view, %id, %aggregate, why, "view_record_damaged"),
        // Nobody knows what is missing in the view now.
        None => error!(view, %id, why, "view_record_lost"),
    }
}

/// Reported once, with the letter; later records of the aggregate only look whether it healed.
fn report_stopped(view: &str, DeadLetter { id, why, .. }: &DeadLetter) {
    error!(view, %id, why, "view_aggregate_stopped");
}
