//! The writer: one thread that writes everything. Whatever waits when it comes to look goes into
//! one batch with one sync; the sync is the window in which the next batch gathers.
//!
//! A sync costs more than anything else, so commands share theirs with what is decided of them:
//! lanes have their commands before these are durable, and what they make of them comes through
//! here. So nothing that is durable rests on a command that is not: a batch is in the journal
//! wholly or not at all, a later one is never there without it, and after a failure there is none.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fail::fail_point;
use fjall::PersistMode;
use metrics::Histogram;

use crate::batch::Batch;
use crate::failure::{Failures, contained};
use crate::queue::{Job, Queue};
use crate::run;
use crate::space::{Room, Space};
use crate::watch::Pulse;

/// The one thread that writes.
pub(crate) struct Writer {
    pub(crate) queue: Arc<Queue>,
    pub(crate) batch: Batch,
    pub(crate) space: Space,
    pub(crate) failures: Arc<Failures>,
    pub(crate) pulse: Arc<Pulse>,
    /// How long the last batch took to become durable.
    pub(crate) took: Duration,
    pub(crate) meters: Meters,
}

/// What lanes decide is never waited for longer than this.
const GATHERING_MAX: Duration = Duration::from_millis(1);
/// Nor with more jobs than this: where many come, the next sync is soon, and a writer that stands
/// still holds up all of them.
const GATHERING_JOBS_MAX: usize = 4;

/// What is measured of each batch.
pub(crate) struct Meters {
    jobs: Histogram,
    bytes: Histogram,
    sync: Histogram,
}

impl Meters {
    /// Those of the recorder that is installed now.
    pub(crate) fn new() -> Self {
        Self {
            jobs: metrics::histogram!("ordain_embedded_batch_jobs"),
            bytes: metrics::histogram!("ordain_embedded_batch_bytes"),
            sync: metrics::histogram!("ordain_embedded_sync_seconds"),
        }
    }
}

impl Writer {
    /// Writes until the queue is closed and empty, or a write fails.
    pub(crate) fn run(mut self) {
        let mut jobs = Vec::new();
        while self.queue.take(&mut jobs) {
            self.pulse.begin();
            let written = contained(|| self.write(&mut jobs));
            self.pulse.end();
            if let Err(error) = written {
                // Whether these are on the disk is unknown, and nobody is told anything.
                return self.fail(jobs, &error);
            }
            for job in jobs.drain(..) {
                match job {
                    Job::Append(append) => append.finish(),
                    Job::Work(work) => work.finish(),
                }
            }
        }
        if !self.queue.is_closed_in_order() {
            return;
        }
        self.pulse.begin();
        let noted = contained(|| self.note_end());
        self.pulse.end();
        if let Err(error) = noted {
            self.fail(jobs, &error);
        }
    }

    fn fail(&self, jobs: Vec<Job>, error: &str) {
        self.queue.fail(jobs);
        self.failures.report(error);
    }

    /// Notes that the run has ended in order, which is not so where something failed beside the
    /// writer. Where there is no room for anything, the next run takes it for one that did not.
    fn note_end(&mut self) -> Result<(), fjall::Error> {
        if self.failures.now().is_none() && self.space.room(0) != Room::None {
            run::end(&mut self.batch);
            self.batch.commit(durability())?;
        }
        Ok(())
    }

    /// Makes all these durable and visible. Those that were refused are no longer among them.
    fn write(&mut self, jobs: &mut Vec<Job>) -> Result<(), fjall::Error> {
        self.gather(jobs)?;
        if self.batch.bytes() > 0 {
            self.meters.jobs.record(jobs.len() as f64);
            self.meters.bytes.record(self.batch.bytes() as f64);
            let begun = Instant::now();
            fail_point!("E1");
            self.batch.commit(durability())?;
            fail_point!("E5");
            self.took = begun.elapsed();
            self.meters.sync.record(self.took.as_secs_f64());
        }
        self.batch.show();
        Ok(())
    }

    /// Fills the batch with these jobs, and with what lanes decide of the commands among them.
    fn gather(&mut self, jobs: &mut Vec<Job>) -> Result<(), fjall::Error> {
        // Waiting is worth about the sync that it saves, no more.
        let by = Instant::now() + self.took.min(GATHERING_MAX);
        let mut staged = 0;
        loop {
            self.stage(jobs, staged)?;
            staged = jobs.len();
            let lanes = self.batch.hand_over();
            let waits = lanes > 0 && staged <= GATHERING_JOBS_MAX && Instant::now() < by;
            if !waits || !self.queue.gather((jobs, self.batch.bytes()), lanes, by) {
                return Ok(());
            }
        }
    }

    /// Puts the jobs from there on into the batch, but for those that are refused.
    fn stage(&mut self, jobs: &mut Vec<Job>, from: usize) -> Result<(), fjall::Error> {
        self.refuse(jobs, from);
        for job in jobs.iter_mut().skip(from) {
            match job {
                Job::Append(append) => append.stage(&mut self.batch),
                Job::Work(work) => work.stage(&mut self.batch)?,
            }
        }
        Ok(())
    }

    /// Refuses what there is no room for from there on, before any of it is in the batch: so it is
    /// certain. What stands before is, and its lanes may have it.
    fn refuse(&self, jobs: &mut Vec<Job>, from: usize) {
        let bytes = jobs.iter().skip(from).map(Job::bytes).sum::<usize>() + self.batch.bytes();
        let room = self.space.room(bytes);
        if room == Room::Enough {
            return;
        }
        let refused = |job: &mut Job| room == Room::None || matches!(job, Job::Append(_));
        for job in jobs.extract_if(from.., refused) {
            match job {
                Job::Append(append) => append.refuse(),
                Job::Work(work) => work.refuse(),
            }
        }
    }
}

/// Synced before it is shown.
fn durability() -> PersistMode {
    fail_point!("broken-no-sync", |_| PersistMode::Buffer);
    PersistMode::SyncData
}

#[cfg(test)]
mod tests;
