//! What is due soon waits for company, never for ever; and the writer waits for lanes no longer
//! than it is told.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::{Due, Job, NotEnqueued, Queue};
use crate::Settings;
use crate::batch::{Batch, Work};
use crate::tables;

/// Longer than any test runs.
const LONG: Duration = Duration::from_secs(3_600);

struct Nothing;

impl Work for Nothing {
    fn bytes(&self) -> usize {
        1
    }

    fn stage(&mut self, _: &mut Batch) -> tables::Result<()> {
        Ok(())
    }

    fn finish(self: Box<Self>) {}

    fn refuse(self: Box<Self>) {}
}

fn queue() -> Arc<Queue> {
    Arc::new(Queue::new(&Settings::default()))
}

fn enqueue(queue: &Queue, due: Due) {
    queue.work(Box::new(Nothing), due).unwrap();
}

fn taken(queue: &Queue) -> usize {
    let mut jobs = Vec::new();
    assert!(queue.take(&mut jobs));
    jobs.len()
}

#[test]
fn what_is_due_soon_goes_with_what_is_due_now() {
    let queue = queue();
    enqueue(&queue, Due::Soon);
    enqueue(&queue, Due::Now);
    enqueue(&queue, Due::Soon);
    assert_eq!(taken(&queue), 3);
}

#[test]
fn what_is_due_soon_is_taken_though_nothing_else_comes() {
    let queue = queue();
    let writer = thread::spawn({
        let queue = Arc::clone(&queue);
        move || taken(&queue)
    });
    enqueue(&queue, Due::Soon);
    assert_eq!(writer.join().unwrap(), 1);
    // And anew, after the first was taken.
    enqueue(&queue, Due::Soon);
    assert_eq!(taken(&queue), 1);
}

#[test]
fn what_is_due_soon_is_taken_also_when_the_queue_is_closed() {
    let queue = queue();
    enqueue(&queue, Due::Soon);
    queue.close();
    assert_eq!(taken(&queue), 1);
    assert!(!queue.take(&mut Vec::new()), "closed and empty");
    assert_eq!(queue.work(Box::new(Nothing), Due::Soon), Err(NotEnqueued::Closed));
}

#[test]
fn what_a_lane_sends_is_waited_for_and_what_else_waits_comes_with_it() {
    let queue = queue();
    let writer = thread::spawn({
        let queue = Arc::clone(&queue);
        move || {
            let mut jobs = vec![Job::Work(Box::new(Nothing))];
            let more = queue.gather((&mut jobs, 0), 2, Instant::now() + LONG);
            (more, jobs.len())
        }
    });
    enqueue(&queue, Due::Now);
    enqueue(&queue, Due::Soon);
    enqueue(&queue, Due::Now);
    assert_eq!(writer.join().unwrap(), (true, 4));
}

#[test]
fn lanes_that_do_not_send_in_time_are_not_waited_for() {
    let queue = queue();
    let mut jobs = Vec::new();
    assert!(!queue.gather((&mut jobs, 0), 1, Instant::now()));
    assert!(jobs.is_empty());
    enqueue(&queue, Due::Now);
    assert!(queue.gather((&mut jobs, 0), 2, Instant::now()), "what is there is taken");
    assert_eq!(jobs.len(), 1);
}

#[test]
fn a_batch_that_is_full_waits_for_no_lane() {
    let queue = queue();
    let mut jobs = Vec::new();
    assert!(!queue.gather((&mut jobs, usize::MAX), 1, Instant::now() + LONG));
    enqueue(&queue, Due::Now);
    assert!(!queue.gather((&mut jobs, usize::MAX), 1, Instant::now() + LONG));
    assert!(jobs.is_empty());
    assert_eq!(taken(&queue), 1, "it stands where it stood");
}

#[test]
fn nobody_is_waited_for_once_the_queue_is_closed() {
    let queue = queue();
    queue.close();
    assert!(!queue.gather((&mut Vec::new(), 0), 1, Instant::now() + LONG));
}
