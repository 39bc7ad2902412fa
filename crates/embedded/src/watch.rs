//! Watches the writer and the store from beside: a background flush that failed would otherwise
//! show only at the next write, and a write that hangs not at all.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fjall::PersistMode;

use crate::failure::Failures;
use crate::queue::{Queue, lock};
use crate::tables::Tables;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// When the writer began the batch it is at.
#[derive(Debug, Default)]
pub(crate) struct Pulse(Mutex<Option<Instant>>);

impl Pulse {
    pub(crate) fn begin(&self) {
        *lock(&self.0) = Some(Instant::now());
    }

    pub(crate) fn end(&self) {
        *lock(&self.0) = None;
    }

    fn busy_for(&self) -> Option<Duration> {
        lock(&self.0).map(|begun| begun.elapsed())
    }
}

/// Tells the watch to end.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    pub(crate) fn stop(&self) {
        *lock(&self.stopped) = true;
        self.changed.notify_all();
    }

    /// Waits a while; `true` once it was told to end.
    fn wait(&self) -> bool {
        let stopped = lock(&self.stopped);
        let (stopped, _) = self
            .changed
            .wait_timeout_while(stopped, LOOK_EVERY, |stopped| !*stopped)
            .unwrap_or_else(PoisonError::into_inner);
        *stopped
    }
}

/// The thread that watches.
pub(crate) struct Watch {
    pub(crate) tables: Arc<Tables>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) failures: Arc<Failures>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) stop: Arc<Stop>,
    pub(crate) stall: Duration,
}

impl Watch {
    /// Watches until it is told to end or something has failed.
    pub(crate) fn run(self) {
        let mut stalled = false;
        while !self.stop.wait() {
            match self.pulse.busy_for() {
                // A sync under way would make the question wait for it.
                Some(busy) if busy <= self.stall => continue,
                Some(busy) if !stalled => {
                    let seconds = busy.as_secs_f64();
                    tracing::error!(seconds, "write_stalled");
                    stalled = true;
                }
                Some(_) => {}
                None => stalled = false,
            }
            // This writes nothing: there is nothing buffered between two batches. It is how the
            // store says that a flush or compaction of its own has failed.
            if let Err(error) = self.tables.database().persist(PersistMode::Buffer) {
                self.queue.fail(Vec::new());
                return self.failures.report(&error.to_string());
            }
        }
    }
}
