//! The writer: one thread that writes everything. Whatever waits when it comes to look goes into
//! one batch with one sync; the sync is the window in which the next batch gathers.

use std::sync::Arc;
use std::time::Instant;

use fail::fail_point;
use fjall::PersistMode;
use metrics::Histogram;

use crate::batch::Batch;
use crate::failure::{Failures, contained};
use crate::queue::{Job, Queue};
use crate::space::{Room, Space};
use crate::watch::Pulse;

/// The one thread that writes.
pub(crate) struct Writer {
    pub(crate) queue: Arc<Queue>,
    pub(crate) batch: Batch,
    pub(crate) space: Space,
    pub(crate) failures: Arc<Failures>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) meters: Meters,
}

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
                self.queue.fail(jobs);
                self.failures.report(&error);
                return;
            }
            for job in jobs.drain(..) {
                match job {
                    Job::Append(append) => append.finish(),
                    Job::Work(work) => work.finish(),
                }
            }
        }
    }

    /// Makes all these durable and visible. Those that were refused are no longer among them.
    fn write(&mut self, jobs: &mut Vec<Job>) -> Result<(), fjall::Error> {
        self.refuse(jobs);
        for job in &mut *jobs {
            match job {
                Job::Append(append) => append.stage(&mut self.batch),
                Job::Work(work) => work.stage(&mut self.batch)?,
            }
        }
        if self.batch.bytes() > 0 {
            self.meters.jobs.record(jobs.len() as f64);
            self.meters.bytes.record(self.batch.bytes() as f64);
            let begun = Instant::now();
            fail_point!("E1");
            self.batch.commit(durability())?;
            fail_point!("E5");
            self.meters.sync.record(begun.elapsed().as_secs_f64());
        }
        self.batch.show();
        Ok(())
    }

    /// Refuses what there is no room for, before anything is written: so it is certain.
    fn refuse(&self, jobs: &mut Vec<Job>) {
        let bytes = jobs.iter().map(Job::bytes).sum();
        let room = self.space.room(bytes);
        if room == Room::Enough {
            return;
        }
        let refused = |job: &mut Job| room == Room::None || matches!(job, Job::Append(_));
        for job in jobs.extract_if(.., refused) {
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
