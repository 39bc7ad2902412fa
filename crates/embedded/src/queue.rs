//! What waits for the writer: commands, and everything else that is to be written.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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

/// When something is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// At once: a command waits for it.
    Now,
    /// With the next that is due, and at most [`SOON`] later: no command's answer waits for it.
    Soon,
}

/// A sync costs far more than what it makes durable, so what no answer waits for gets none of its
/// own while others come.
const SOON: Duration = Duration::from_millis(1);

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

impl Limits {
    /// Whether one batch can hold more than this.
    const fn has_room(&self, jobs: usize, bytes: usize) -> bool {
        jobs < self.batch_jobs_max && bytes < self.batch_bytes_max
    }
}

#[derive(Default)]
struct State {
    appends: VecDeque<Append>,
    append_bytes: usize,
    works: VecDeque<Box<dyn Work>>,
    /// Works that are due soon.
    later: VecDeque<Box<dyn Work>>,
    /// When the first of them is due.
    later_by: Option<Instant>,
    sleep: Sleep,
    closed: bool,
    /// Somebody closed it who wanted the run to end.
    in_order: bool,
    /// What was being written when the writer failed. It is kept, not dropped, because a promise
    /// that is dropped is an answer.
    never_answered: Vec<Job>,
}

/// What wakes the writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Sleep {
    /// It is awake, and will look.
    #[default]
    Awake,
    /// Anything.
    UntilAny,
    /// So many works that are due now.
    UntilWorks(usize),
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
        self.wake_if_enough(state);
        Ok(())
    }

    /// Enqueues anything else; whoever does holds a permit for it.
    pub(crate) fn work(&self, work: Box<dyn Work>, due: Due) -> Result<(), NotEnqueued> {
        let mut state = lock(&self.state);
        if state.closed {
            return Err(NotEnqueued::Closed);
        }
        match due {
            Due::Now => state.works.push_back(work),
            Due::Soon => {
                state.later_by.get_or_insert_with(|| Instant::now() + SOON);
                state.later.push_back(work);
            }
        }
        self.wake_if_enough(state);
        Ok(())
    }

    fn wake_if_enough(&self, state: MutexGuard<'_, State>) {
        let is_enough = match state.sleep {
            Sleep::Awake => false,
            Sleep::UntilAny => true,
            Sleep::UntilWorks(wanted) => state.works.len() >= wanted,
        };
        if is_enough {
            self.wake(state);
        }
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        state.sleep = Sleep::Awake;
        drop(state);
        self.filled.notify_one();
    }

    /// Waits for something to write and takes what one batch can hold; decisions first, since
    /// commands are only there to become decisions. `false` once closed and empty.
    pub(crate) fn take(&self, jobs: &mut Vec<Job>) -> bool {
        let mut state = lock(&self.state);
        while state.appends.is_empty() && state.works.is_empty() && !state.is_later_due() {
            if state.closed {
                return false;
            }
            let by = state.later_by;
            state = self.sleep(state, Sleep::UntilAny, by);
        }
        self.jobs.set((state.appends.len() + state.works.len() + state.later.len()) as f64);
        self.fill(&mut state, jobs, 0);
        true
    }

    /// Waits, at most until this moment, for so many works that are due now, and adds what waits
    /// to a batch of so many bytes; says whether anything was added. A batch that is full waits
    /// for nothing.
    pub(crate) fn gather(
        &self,
        (jobs, bytes): (&mut Vec<Job>, usize),
        works: usize,
        by: Instant,
    ) -> bool {
        if !self.limits.has_room(jobs.len(), bytes) {
            return false;
        }
        let mut state = lock(&self.state);
        while state.works.len() < works && !state.closed && Instant::now() < by {
            state = self.sleep(state, Sleep::UntilWorks(works), Some(by));
        }
        let had = jobs.len();
        self.fill(&mut state, jobs, bytes);
        jobs.len() > had
    }

    /// Sleeps until it is woken, or this moment has come.
    fn sleep<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        until: Sleep,
        by: Option<Instant>,
    ) -> MutexGuard<'a, State> {
        state.sleep = until;
        let mut state = match by.map(|by| by.saturating_duration_since(Instant::now())) {
            None => self.filled.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(left) => {
                let woken = self.filled.wait_timeout(state, left);
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        state.sleep = Sleep::Awake;
        state
    }

    /// Takes what a batch of so many bytes still has room for.
    fn fill(&self, state: &mut State, jobs: &mut Vec<Job>, mut bytes: usize) {
        while self.limits.has_room(jobs.len(), bytes) {
            let Some(job) = state.pop() else { break };
            bytes += job.bytes();
            jobs.push(job);
        }
    }

    /// Takes no more, since somebody wants the run to end. What waits is still written.
    pub(crate) fn close_in_order(&self) {
        lock(&self.state).in_order = true;
        self.close();
    }

    /// Whether somebody has closed it who wanted the run to end.
    pub(crate) fn is_closed_in_order(&self) -> bool {
        lock(&self.state).in_order
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

impl State {
    fn pop(&mut self) -> Option<Job> {
        if let Some(work) = self.works.pop_front() {
            return Some(Job::Work(work));
        }
        if let Some(work) = self.later.pop_front() {
            if self.later.is_empty() {
                self.later_by = None;
            }
            return Some(Job::Work(work));
        }
        let append = self.appends.pop_front()?;
        self.append_bytes -= append.bytes();
        Some(Job::Append(append))
    }

    /// Whether what is due soon waits no longer.
    fn is_later_due(&self) -> bool {
        self.later_by.is_some_and(|by| self.closed || by <= Instant::now())
    }
}

#[cfg(test)]
mod tests;
