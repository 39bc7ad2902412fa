//! A round: the runs of several aggregates, written as rows and then as marks.

use ordain_ports::{Mark, Row, RowWrite};

use super::batch::{Batch, Blocked, Step};
use super::broken::is_broken;
use super::follower::Follower;
use super::held::Lost;
use super::traced;
use crate::backoff::Backoff;

/// The rows that a round writes, each with the step that it is of.
#[derive(Debug, Default)]
struct Writes {
    rows: Vec<RowWrite>,
    steps: Vec<usize>,
}

/// A row, if there is one, as it is stored, or as this lane wrote it last.
struct Found {
    row: Option<Row>,
    is_remembered: bool,
}

impl Follower {
    /// Writes the rows of these steps, and the mark of each step whose rows are all written. Says
    /// whether any condition did not hold: those aggregates are forgotten.
    pub(super) async fn write(
        &mut self,
        batch: &mut Batch,
        steps: Vec<Step>,
        backoff: &mut Backoff,
    ) -> Result<bool, Lost> {
        let stored = self.rows(&steps).await?;
        fail::fail_point!("Z4");
        let (mut steps, mut writes) = fold(batch, steps, stored);
        if is_broken("broken-unconditional-view-write") {
            self.overwrite(&mut writes.rows).await?;
        }
        if is_broken("broken-mark-before-rows") {
            self.write_marks(batch, &mut steps, backoff).await?;
            // Where rows are the marks nothing is written too early.
            if self.view.sole_row().is_none() {
                fail::fail_point!("C11");
            }
            self.write_rows(writes, &mut steps, backoff).await?;
        } else {
            self.write_rows(writes, &mut steps, backoff).await?;
            fail::fail_point!("C11");
            self.write_marks(batch, &mut steps, backoff).await?;
        }
        Ok(self.settle(batch, &steps))
    }

    /// The rows that the steps touch, in the order of the steps.
    async fn rows(&mut self, steps: &[Step]) -> Result<Vec<Found>, Lost> {
        let touched = steps.iter().flat_map(|step| step.touched.rows());
        let known: Vec<_> = touched.clone().map(|touched| self.known(&touched.key)).collect();
        let unknown = touched.zip(&known).filter(|(_, known)| known.is_none());
        let keys: Vec<String> = unknown.map(|(touched, _)| touched.key.clone()).collect();
        let mut read = Vec::new().into_iter();
        if !keys.is_empty() {
            let rows = || self.ports.views.rows(self.view.name(), &keys);
            read = self.held.tried("reading rows", rows).await?.into_iter();
        }
        let mut or_read = |known: Option<Found>| {
            known.unwrap_or_else(|| Found { row: read.next().flatten(), is_remembered: false })
        };
        Ok(known.into_iter().map(&mut or_read).collect())
    }

    /// A row that was read in this round, or that this lane wrote last.
    fn known(&mut self, key: &str) -> Option<Found> {
        if let Some(row) = self.loaded.remove(key) {
            return Some(Found { row, is_remembered: false });
        }
        self.rows.get(key).map(|row| Found { row: Some(row), is_remembered: true })
    }

    async fn write_rows(
        &mut self,
        writes: Writes,
        steps: &mut [Step],
        backoff: &mut Backoff,
    ) -> Result<(), Lost> {
        if writes.rows.is_empty() {
            return Ok(());
        }
        let rows: Vec<Row> = writes.rows.iter().map(|write| write.row.clone()).collect();
        let written = match self.ports.views.write(self.view.name(), writes.rows).await {
            Ok(written) => written,
            Err(failed) => {
                self.held.after("writing rows", &failed, backoff).await?;
                vec![false; rows.len()]
            }
        };
        for ((step, row), written) in writes.steps.into_iter().zip(rows).zip(written) {
            if written {
                self.rows.put(row);
            } else {
                refuse(steps, step);
            }
        }
        Ok(())
    }

    /// Where there is a sole row, it is the mark.
    async fn write_marks(
        &self,
        batch: &Batch,
        steps: &mut [Step],
        backoff: &mut Backoff,
    ) -> Result<(), Lost> {
        if self.view.sole_row().is_some() {
            return Ok(());
        }
        let mut marks = Vec::with_capacity(steps.len());
        let mut of = Vec::with_capacity(steps.len());
        for (index, step) in steps.iter().enumerate().filter(|(_, step)| !step.refused) {
            let Some(pending) = batch.pending.get(step.pending) else {
                continue;
            };
            let aggregate = pending.aggregate.clone();
            marks.push(Mark { aggregate, expected: step.expected, sequence: step.sequence });
            of.push(index);
        }
        if marks.is_empty() {
            return Ok(());
        }
        match self.ports.views.set_marks(self.view.name(), marks).await {
            Ok(written) => {
                let refused = of.into_iter().zip(written).filter(|(_, written)| !written);
                refused.for_each(|(step, _)| refuse(steps, step));
            }
            Err(failed) => {
                self.held.after("writing marks", &failed, backoff).await?;
                of.into_iter().for_each(|step| refuse(steps, step));
            }
        }
        Ok(())
    }

    /// Notes what was reached and forgets what was refused; says whether anything was.
    fn settle(&mut self, batch: &mut Batch, steps: &[Step]) -> bool {
        let view = self.view.name();
        for step in steps {
            let Some(pending) = batch.pending.get_mut(step.pending) else {
                continue;
            };
            if step.refused {
                self.meters.refused_writes.increment(1);
                self.places.remove(&pending.aggregate);
                step.touched.rows().iter().for_each(|touched| self.rows.forget(&touched.key));
                pending.forget(step);
            } else {
                let events = step.sequence - step.expected.unwrap_or(0);
                self.meters.applied_events.increment(events);
                pending.reached(step.sequence);
                traced::folded(step, (view, &pending.aggregate), &self.ports, batch.begun);
            }
        }
        if let Some(newest) = steps.iter().map(|step| step.time).max() {
            let behind = self.ports.clock.now().milliseconds_since(newest);
            self.meters.lag_ms.record(behind as f64);
        }
        steps.iter().any(|step| step.refused)
    }

    /// The wrong variant: whatever is stored is replaced by what was folded from an older row, as
    /// in a store without conditions. (The store takes growing sequences only, so the row is
    /// given one.)
    async fn overwrite(&self, writes: &mut [RowWrite]) -> Result<(), Lost> {
        let keys: Vec<String> = writes.iter().map(|write| write.row.key.clone()).collect();
        let view = self.view.name();
        let stored = self.held.tried("reading rows", || self.ports.views.rows(view, &keys)).await?;
        for (write, stored) in writes.iter_mut().zip(stored) {
            write.expected = stored.map(|row| row.sequence);
            write.row.sequence = write.row.sequence.max(write.expected.map_or(0, |old| old + 1));
        }
        Ok(())
    }
}

fn refuse(steps: &mut [Step], index: usize) {
    if let Some(step) = steps.get_mut(index) {
        step.refused = true;
    }
}

/// Folds every step into its rows. A step with a row that cannot be folded is left out, and
/// blocks the lane at its first record; but what was only remembered may have been changed by
/// another projector, so that is refused and read first.
fn fold(batch: &mut Batch, steps: Vec<Step>, found: Vec<Found>) -> (Vec<Step>, Writes) {
    let mut found = found.into_iter();
    let mut folded = Vec::with_capacity(steps.len());
    let mut writes = Writes::default();
    for mut step in steps {
        let Some(pending) = batch.pending.get_mut(step.pending) else {
            continue;
        };
        let rows = step.touched.rows();
        let mut rows_of_step = Vec::with_capacity(rows.len());
        let (mut wrong, mut is_read) = (None, true);
        for (changes, found) in rows.iter().zip(found.by_ref().take(rows.len())) {
            is_read &= !found.is_remembered;
            match changes.fold(&pending.aggregate, found.row) {
                Ok(write) => rows_of_step.extend(write),
                Err(why) => wrong = Some(why),
            }
        }
        if wrong.is_some() && !is_read {
            step.refused = true;
            folded.push(step);
            continue;
        }
        if let Some(why) = wrong {
            pending.clear();
            batch.block(Blocked { position: step.position, why });
            continue;
        }
        writes.steps.extend(rows_of_step.iter().map(|_| folded.len()));
        writes.rows.append(&mut rows_of_step);
        folded.push(step);
    }
    (folded, writes)
}
