//! What waits to be sent, within limits. What does not fit is dropped; that it was is remembered
//! for each channel, so that its process can be told.

use std::collections::BTreeSet;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Of more channels than this it is not remembered that they lost replies. There are as many
/// channels as API processes, so this is never reached by honest ones.
const CHANNELS_MAX: usize = 10_000;

/// A message for a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) channel: Arc<str>,
    pub(crate) payload: Vec<u8>,
}

/// What is to be sent next.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    /// What waited, in order.
    pub(crate) messages: Vec<Message>,
    /// The channels whose processes have to be told of a loss.
    pub(crate) lost: BTreeSet<Arc<str>>,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.lost.is_empty()
    }
}

/// What waits to be sent.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    wake: Notify,
    messages_max: usize,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    batch: Batch,
    bytes: usize,
    is_closed: bool,
}

impl Queue {
    pub(crate) fn new(messages_max: usize, bytes_max: usize) -> Self {
        Self { waiting: Mutex::default(), wake: Notify::new(), messages_max, bytes_max }
    }

    /// Takes what fits; gives how many messages it did not take.
    pub(crate) fn put(&self, messages: Vec<Message>) -> usize {
        let mut dropped = 0;
        let mut waiting = self.lock();
        for message in messages {
            let bytes = waiting.bytes + message.payload.len();
            if waiting.batch.messages.len() < self.messages_max && bytes <= self.bytes_max {
                waiting.bytes = bytes;
                waiting.batch.messages.push(message);
            } else {
                dropped += 1;
                remember(&mut waiting.batch.lost, message.channel);
            }
        }
        drop(waiting);
        self.wake.notify_one();
        dropped
    }

    /// Remembers that these channels lost messages.
    pub(crate) fn put_lost(&self, channels: impl IntoIterator<Item = Arc<str>>) {
        let mut waiting = self.lock();
        for channel in channels {
            remember(&mut waiting.batch.lost, channel);
        }
    }

    /// All that waits, as soon as anything does; none once the queue is closed and empty.
    pub(crate) async fn take(&self) -> Option<Batch> {
        loop {
            {
                let mut waiting = self.lock();
                if !waiting.batch.is_empty() {
                    waiting.bytes = 0;
                    return Some(mem::take(&mut waiting.batch));
                }
                if waiting.is_closed {
                    return None;
                }
            }
            self.wake.notified().await;
        }
    }

    /// Nothing will be put any more.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.wake.notify_one();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing in here panics between two changes that belong together.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remember(lost: &mut BTreeSet<Arc<str>>, channel: Arc<str>) {
    if lost.len() < CHANNELS_MAX {
        lost.insert(channel);
    }
}

#[cfg(test)]
mod tests {
    use ordain_testkit::within;

    use super::*;

    fn message(channel: &str, bytes: usize) -> Message {
        Message { channel: Arc::from(channel), payload: vec![0; bytes] }
    }

    #[tokio::test]
    async fn what_does_not_fit_is_dropped_and_remembered() {
        let queue = Queue::new(3, 100);
        assert_eq!(queue.put(vec![message("a", 60), message("b", 60), message("a", 40)]), 1);
        assert_eq!(queue.put(vec![message("c", 0), message("c", 0)]), 1);
        let batch = queue.take().await.unwrap();
        assert_eq!(batch.messages, [message("a", 60), message("a", 40), message("c", 0)]);
        assert_eq!(batch.lost, BTreeSet::from([Arc::from("b"), Arc::from("c")]));
        assert_eq!(queue.put(vec![message("b", 100)]), 0, "there is room again");
    }

    #[tokio::test]
    async fn a_closed_queue_gives_what_it_has_and_ends() {
        let queue = Queue::new(3, 100);
        queue.put(vec![message("a", 1)]);
        queue.close();
        assert_eq!(queue.take().await.unwrap().messages, [message("a", 1)]);
        assert_eq!(within("the end of the queue", queue.take()).await, None);
    }
}
