//! The threads of a home: the writer and the watch.

use std::io;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::Settings;
use crate::batch::Batch;
use crate::failure::{Failures, contained};
use crate::queue::{Queue, lock};
use crate::space::Space;
use crate::tables::Tables;
use crate::watch::{Pulse, Stop, Watch};
use crate::writer::{Meters, Writer};

/// The threads of a home. Dropping them ends them, once all that waits is written.
pub(super) struct Threads {
    pub(super) queue: Arc<Queue>,
    stop: Arc<Stop>,
    pub(super) failures: Arc<Failures>,
    handles: Mutex<Vec<JoinHandle<()>>>,
}

impl Threads {
    /// Starts them.
    pub(super) fn start(
        (batch, space): (Batch, Space),
        tables: Arc<Tables>,
        settings: &Settings,
    ) -> io::Result<Self> {
        let queue = Arc::new(Queue::new(settings));
        let failures = Arc::new(Failures::new());
        let (pulse, stop) = (Arc::new(Pulse::default()), Arc::new(Stop::default()));
        let writer = Writer {
            queue: Arc::clone(&queue),
            batch,
            space,
            failures: Arc::clone(&failures),
            pulse: Arc::clone(&pulse),
            took: Duration::ZERO,
            meters: Meters::new(),
        };
        let watch = Watch {
            tables,
            queue: Arc::clone(&queue),
            failures: Arc::clone(&failures),
            pulse,
            stop: Arc::clone(&stop),
            stall: Duration::from_millis(settings.stall_ms_max),
        };
        // Made first: if the second thread cannot be started, dropping this ends the first.
        let threads = Self { queue, stop, failures, handles: Mutex::default() };
        threads.spawn("ordain-writer", move || writer.run())?;
        threads.spawn("ordain-watch", move || watch.run())?;
        Ok(threads)
    }

    fn spawn(&self, name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let (queue, failures) = (Arc::clone(&self.queue), Arc::clone(&self.failures));
        // A thread that is gone writes or watches nothing more: that must not go unnoticed.
        let run = move || {
            let ended: Result<(), String> = contained(|| {
                run();
                Ok::<(), String>(())
            });
            if let Err(why) = ended {
                queue.fail(Vec::new());
                failures.report(&why);
            }
        };
        let handle = thread::Builder::new().name(name.to_owned()).spawn(run)?;
        lock(&self.handles).push(handle);
        Ok(())
    }

    /// Writes what waits, notes that the run ended in order, and ends the threads. After a failure
    /// the writer may hang in the store, and is left there.
    pub(super) fn end_in_order(&self) {
        self.queue.close_in_order();
        self.end();
    }

    /// The same without the note.
    fn end(&self) {
        self.queue.close();
        self.stop.stop();
        let handles = std::mem::take(&mut *lock(&self.handles));
        if self.failures.now().is_some() {
            return;
        }
        for handle in handles {
            // A panic has been reported as a failure.
            drop(handle.join());
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.end();
    }
}
