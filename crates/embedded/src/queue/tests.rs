//! What is due soon waits for company, never for ever.

use std::sync::Arc;
use std::thread;

use super::{Due, NotEnqueued, Queue};
use crate::Settings;
use crate::batch::{Batch, Work};
use crate::tables;

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
