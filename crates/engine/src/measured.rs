//! A lane that is measured on its way: how much it handles, and how long its oldest record has
//! waited. Its numbers are touched a few times a batch, never for a record.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ordain_model::{Command, Timestamp};
use ordain_ports::{Error, Input, Lane, LaneBeat, Record};
use tokio::time::Instant;

/// A batch of so many records counts half of what is known of the capacity, and a smaller one is
/// taken to need as long as so many would: most of its time is not spent on its records. That errs
/// towards more than a lane can do; a backlog, which comes in large batches, corrects it. Where
/// batches may not be as large, as many count as there may be.
const CAPACITY_RECORDS: usize = 100;

/// Over so many heartbeats it is counted how many records are handled in a second.
const HANDLED_BEATS: usize = 5;

/// A lane, measured.
pub(crate) struct Measured {
    lane: Arc<dyn Lane<Command>>,
    state: Mutex<State>,
    failed: Arc<LastError>,
}

/// What last went wrong in a worker.
#[derive(Debug, Default)]
pub(crate) struct LastError(Mutex<Option<String>>);

#[derive(Debug, Default)]
struct State {
    progress: Option<u64>,
    handled: u64,
    capacity_per_second: Option<f64>,
    works: Option<Work>,
    /// The ends of the batches that are not finished, and the times of their first records.
    unfinished: VecDeque<(u64, Timestamp)>,
    stopped: Option<String>,
    /// How much was handled at the last heartbeats.
    beats: VecDeque<(Instant, u64)>,
}

/// What a lane works on.
#[derive(Debug, Clone, Copy)]
struct Work {
    since: Instant,
    records: usize,
    /// As so many records it counts, if they are fewer.
    least: usize,
}

impl Measured {
    pub(crate) fn new(lane: Arc<dyn Lane<Command>>, failed: Arc<LastError>) -> Self {
        let state = State { progress: lane.progress(), ..State::default() };
        Self { lane, state: Mutex::new(state), failed }
    }

    /// Something went wrong on the way.
    pub(crate) fn failed(&self, what: &str, error: &Error) {
        self.failed.set(format!("partition {}: {what}: {error}", self.partition()));
    }

    /// It stands still, and waits for a person until it is dropped.
    pub(crate) fn stop(&self, why: &str) {
        self.state().stopped = Some(why.to_owned());
    }

    /// How it is doing.
    pub(crate) fn beat(&self, now: Timestamp) -> LaneBeat {
        let mut state = self.state();
        LaneBeat {
            partition: self.partition(),
            progress: state.progress,
            capacity_per_second: state.capacity_per_second(),
            handled_per_second: state.handled_per_second(),
            oldest_wait_ms: state
                .unfinished
                .front()
                .map_or(0, |(_, oldest)| now.milliseconds_since(*oldest)),
            stopped: state.stopped.clone(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LastError {
    fn set(&self, what: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
    }

    pub(crate) fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl State {
    fn takes(&mut self, records: &[Record<Command>], records_max: usize) {
        let least = CAPACITY_RECORDS.min(records_max);
        self.works = Some(Work { since: Instant::now(), records: records.len(), least });
        if let (Some(first), Some(last)) = (records.first(), records.last()) {
            self.unfinished.push_back((last.position.offset + 1, first.time));
        }
    }

    /// It comes back for more, so that what it took is decided.
    fn has_decided(&mut self) {
        let Some(work) = self.works.take() else { return };
        self.handled += work.records as u64;
        let now = work.capacity_per_second();
        let weight = work.records as f64 / (work.records + work.least) as f64;
        let mixed = |before: f64| (now - before).mul_add(weight, before);
        self.capacity_per_second = Some(self.capacity_per_second.map_or(now, mixed));
    }

    fn saved(&mut self, progress: u64) {
        self.progress = self.progress.max(Some(progress));
        while self.unfinished.front().is_some_and(|(end, _)| *end <= progress) {
            self.unfinished.pop_front();
        }
    }

    /// What it could handle, and less while a batch takes longer than that lets expect.
    fn capacity_per_second(&self) -> Option<f64> {
        let known = self.capacity_per_second?;
        Some(self.works.map_or(known, |work| known.min(work.capacity_per_second())))
    }

    fn handled_per_second(&mut self) -> f64 {
        let now = Instant::now();
        let handled = self
            .beats
            .front()
            .map_or(0.0, |(at, before)| per_second(self.handled - before, now.duration_since(*at)));
        self.beats.push_back((now, self.handled));
        if self.beats.len() > HANDLED_BEATS {
            self.beats.pop_front();
        }
        handled
    }
}

impl Work {
    /// What a lane can do that ends this now.
    fn capacity_per_second(&self) -> f64 {
        per_second(self.records.max(self.least) as u64, self.since.elapsed())
    }
}

fn per_second(records: u64, time: Duration) -> f64 {
    records as f64 / time.max(Duration::from_micros(1)).as_secs_f64()
}

#[async_trait]
impl Lane<Command> for Measured {
    fn partition(&self) -> u32 {
        self.lane.partition()
    }

    fn progress(&self) -> Option<u64> {
        self.lane.progress()
    }

    async fn next(&self, records_max: usize, bytes_max: usize) -> Result<Input<Command>, Error> {
        self.state().has_decided();
        let input = self.lane.next(records_max, bytes_max).await?;
        if let Input::Records(records) = &input {
            self.state().takes(records, records_max);
        }
        Ok(input)
    }

    async fn save(&self, progress: u64) -> Result<(), Error> {
        self.lane.save(progress).await?;
        self.state().saved(progress);
        Ok(())
    }

    fn is_revoked(&self) -> bool {
        self.lane.is_revoked()
    }
}

#[cfg(test)]
mod tests {
    use ordain_ports::{Content, Damaged, Position};
    use tokio::time::advance;

    use super::*;

    fn records(offsets: std::ops::Range<u64>, second: i64) -> Vec<Record<Command>> {
        let damaged = Damaged { named: None, why: String::new(), bytes: Vec::new() };
        let record = |offset| Record {
            position: Position { partition: 0, offset },
            time: Timestamp::from_nanoseconds(second * 1_000_000_000),
            bytes: 1,
            content: Content::Damaged(damaged.clone()),
        };
        offsets.map(record).collect()
    }

    async fn handle(state: &mut State, offsets: std::ops::Range<u64>, ms: u64) {
        state.takes(&records(offsets, 0), usize::MAX);
        advance(Duration::from_millis(ms)).await;
        state.has_decided();
    }

    #[tokio::test(start_paused = true)]
    async fn the_capacity_is_of_the_time_at_work_and_mostly_of_large_batches() {
        let mut state = State::default();
        assert_eq!(state.capacity_per_second(), None);
        handle(&mut state, 0..100, 1_000).await;
        assert_eq!(state.capacity_per_second(), Some(100.0));
        // Idle time does not count.
        advance(Duration::from_secs(100)).await;
        state.has_decided();
        assert_eq!(state.capacity_per_second(), Some(100.0));
        handle(&mut state, 100..10_100, 1_000).await;
        let large = state.capacity_per_second().unwrap();
        assert!(large > 9_500.0, "{large}");
        handle(&mut state, 10_100..10_101, 1_000).await;
        let mixed = state.capacity_per_second().unwrap();
        assert!(mixed < large && mixed > 9_000.0, "{mixed}");
    }

    /// The first command after a start, with all that is done once, does not make a lane slow.
    #[tokio::test(start_paused = true)]
    async fn a_batch_of_few_does_not_tell_that_many_would_take_longer() {
        let mut state = State::default();
        handle(&mut state, 0..1, 50).await;
        assert_eq!(state.capacity_per_second(), Some(2_000.0));
    }

    /// A lane that may take five at a time is at its limit with five.
    #[tokio::test(start_paused = true)]
    async fn a_batch_that_is_as_large_as_it_may_be_tells_all() {
        let mut state = State::default();
        for batch in 0..10 {
            state.takes(&records(batch * 5..batch * 5 + 5, 0), 5);
            advance(Duration::from_millis(100)).await;
            state.has_decided();
        }
        assert_eq!(state.capacity_per_second(), Some(50.0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_does_not_end_lessens_the_capacity() {
        let mut state = State::default();
        handle(&mut state, 0..1_000, 100).await;
        state.takes(&records(1_000..1_010, 0), usize::MAX);
        advance(Duration::from_millis(1)).await;
        assert_eq!(state.capacity_per_second(), Some(10_000.0), "nothing late yet");
        advance(Duration::from_millis(9_999)).await;
        assert_eq!(state.capacity_per_second(), Some(10.0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_handled_is_of_the_last_few_beats() {
        let mut state = State::default();
        assert_eq!(state.handled_per_second(), 0.0);
        handle(&mut state, 0..500, 1_000).await;
        assert_eq!(state.handled_per_second(), 500.0);
        for _ in 0..HANDLED_BEATS {
            advance(Duration::from_secs(1)).await;
            state.handled_per_second();
        }
        assert_eq!(state.handled_per_second(), 0.0);
    }

    #[test]
    fn the_oldest_record_is_the_first_that_is_not_saved() {
        let mut state = State::default();
        state.takes(&records(0..10, 7), usize::MAX);
        state.takes(&records(10..20, 9), usize::MAX);
        let oldest = |state: &State| state.unfinished.front().map(|(_, time)| *time);
        let second = |second: i64| Some(Timestamp::from_nanoseconds(second * 1_000_000_000));
        state.saved(5);
        assert_eq!((oldest(&state), state.progress), (second(7), Some(5)));
        state.saved(10);
        assert_eq!(oldest(&state), second(9));
        state.saved(20);
        assert_eq!(oldest(&state), None);
    }
}
