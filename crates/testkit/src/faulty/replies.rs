//! Replies that get lost, at the worker's end and at the API's.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use async_trait::async_trait;
use ordain_ports::{Error, Replies as Waiter, Reply, ReplySender as Sender, ReplySink};

use super::plan::lock;

/// How many of the next replies get lost; clones count together.
#[derive(Debug, Clone, Default)]
struct Lost(Arc<AtomicUsize>);

impl Lost {
    fn set(&self, replies: usize) {
        self.0.store(replies, Ordering::SeqCst);
    }

    /// Whether the reply at hand is one of them.
    fn takes_one(&self) -> bool {
        let less = |left: usize| left.checked_sub(1);
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok()
    }
}

/// Wraps the worker's end.
pub struct ReplySender {
    inner: Arc<dyn Sender>,
    lost: Lost,
    asked: Mutex<Vec<Reply>>,
}

impl ReplySender {
    /// Wraps this sender; until something is to be lost, all goes through.
    #[must_use]
    pub fn new(inner: Arc<dyn Sender>) -> Arc<Self> {
        Arc::new(Self { inner, lost: Lost::default(), asked: Mutex::default() })
    }

    /// The next so many replies get lost; `usize::MAX` means all.
    pub fn lose(&self, replies: usize) {
        self.lost.set(replies);
    }

    /// The replies that were to be sent, in order, whatever became of them.
    #[must_use]
    pub fn asked(&self) -> Vec<Reply> {
        lock(&self.asked).clone()
    }
}

#[deny(clippy::missing_trait_methods)]
impl Sender for ReplySender {
    fn send(&self, mut replies: Vec<Reply>) {
        lock(&self.asked).extend(replies.iter().cloned());
        replies.retain(|_| !self.lost.takes_one());
        self.inner.send(replies);
    }
}

/// Wraps the API's end.
pub struct Replies {
    inner: Arc<dyn Waiter>,
    lost: Lost,
    sinks: Mutex<Vec<Arc<LeakySink>>>,
}

impl Replies {
    /// Wraps this end; until something is to be lost, all goes through.
    #[must_use]
    pub fn new(inner: Arc<dyn Waiter>) -> Arc<Self> {
        Arc::new(Self { inner, lost: Lost::default(), sinks: Mutex::default() })
    }

    /// The next so many replies get lost on their way to a sink; `usize::MAX` means all.
    pub fn lose(&self, replies: usize) {
        self.lost.set(replies);
    }

    /// Tells every sink that replies may have been lost.
    pub fn tell_lost(&self) {
        for sink in lock(&self.sinks).clone() {
            sink.lost();
        }
    }
}

/// Stands between the channel and the sink, and keeps what gets lost. It does not keep the sink
/// from ending.
struct LeakySink {
    inner: Weak<dyn ReplySink>,
    lost: Lost,
}

#[deny(clippy::missing_trait_methods)]
impl ReplySink for LeakySink {
    fn reply(&self, reply: Reply) {
        if let Some(sink) = self.inner.upgrade()
            && !self.lost.takes_one()
        {
            sink.reply(reply);
        }
    }

    fn lost(&self) {
        if let Some(sink) = self.inner.upgrade() {
            sink.lost();
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Waiter for Replies {
    async fn subscribe(&self, sink: Arc<dyn ReplySink>) -> Result<Arc<str>, Error> {
        let leaky = Arc::new(LeakySink { inner: Arc::downgrade(&sink), lost: self.lost.clone() });
        // Kept here, because a channel lives only as long as its sink.
        lock(&self.sinks).push(Arc::clone(&leaky));
        self.inner.subscribe(leaky).await
    }
}
