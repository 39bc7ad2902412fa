//! What waits for the writer: commands, and everything else that is to be written.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use metrics::Gauge;

use crate::Settings;
use crate::append::Append;
use crate::batch::Work;

/// Locks, also when whoever held the lock before panicked: what our locks guard is always whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One thing to be written.
#[expect(clippy::large_enum_variant, reason = "the large one is the usual one")]
pub(crate) enum Job {
    /// A command. There are many of these; they are not boxed.
    Append(Append),
    /// Anything else.
    Work(Box<dyn Work>),
}

impl Job {
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Append(append) => append.bytes(),
            Self::Work(work) => work.bytes(),
        }
    }
}

/// The queue between whoever writes and the writer.
pub(crate) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    limits: Limits,
    /// How many jobs wait.
    jobs: Gauge,
}

struct Limits {
    appends_max: usize,
    append_bytes_max: usize,
    batch_jobs_max: usize,
    batch_bytes_max: usize,
}

#[derive(Default)]
struct State {
    appends: VecDeque<Append>,
    append_bytes: usize,
    works: VecDeque<Box<dyn Work>>,
    asleep: bool,
    closed: bool,
    /// What was being written when the writer failed. It is kept, not dropped, because a promise
    /// that is dropped is an answer.
    never_answered: Vec<Job>,
}

/// Why something was not enqueued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotEnqueued {
    Full,
    Closed,
}

impl Queue {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            state: Mutex::default(),
            filled: Condvar::new(),
            limits: Limits {
                appends_max: settings.queue_records_max,
                append_bytes_max: settings.queue_bytes_max,
                batch_jobs_max: settings.batch_jobs_max.max(1),
                batch_bytes_max: settings.batch_bytes_max,
            },
            jobs: metrics::gauge!("ordain_embedded_queue_jobs"),
        }
    }

    /// Enqueues a command, without waiting.
    pub(crate) fn append(&self, append: Append) -> Result<(), NotEnqueued> {
        let mut state = lock(&self.state);
        if state.closed {
            return Err(NotEnqueued::Closed);
        }
        let bytes = state.append_bytes + append.bytes();
        if state.appends.len() >= self.limits.appends_max || bytes > self.limits.append_bytes_max {
            return Err(NotEnqueued::Full);
        }
        state.append_bytes = bytes;
        state.appends.push_back(append);
        self.wake(state);
        Ok(())
    }

    /// Enqueues anything else; whoever does holds a permit for it.
    pub(crate) fn work(&self, work: Box<dyn Work>) -> Result<(), NotEnqueued> {
        let mut state = lock(&self.state);
        if state.closed {
            return Err(NotEnqueued::Closed);
        }
        state.works.push_back(work);
        self.wake(state);
        Ok(())
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let asleep = std::mem::take(&mut state.asleep);
        drop(state);
        if asleep {
            self.filled.notify_one();
        }
    }

    /// Waits for something to write and takes what one batch can hold; decisions first, since
    /// commands are only there to become decisions. `false` once closed and empty.
    pub(crate) fn take(&self, jobs: &mut Vec<Job>) -> bool {
        let mut state = lock(&self.state);
        while state.appends.is_empty() && state.works.is_empty() {
            if state.closed {
                return false;
            }
            state.asleep = true;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.asleep = false;
        self.jobs.set((state.appends.len() + state.works.len()) as f64);
        let mut bytes = 0;
        while jobs.len() < self.limits.batch_jobs_max && bytes < self.limits.batch_bytes_max {
            let job = if let Some(work) = state.works.pop_front() {
                Job::Work(work)
            } else if let Some(append) = state.appends.pop_front() {
                state.append_bytes -= append.bytes();
                Job::Append(append)
            } else {
                break;
            };
            bytes += job.bytes();
            jobs.push(job);
        }
        true
    }

    /// Takes no more. What waits is still written.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        self.wake(state);
    }

    /// Takes no more, and nothing that waits or was being written is ever answered.
    pub(crate) fn fail(&self, jobs: Vec<Job>) {
        let mut state = lock(&self.state);
        state.closed = true;
        state.never_answered.extend(jobs);
    }
}
