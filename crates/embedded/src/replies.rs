//! Replies inside the process: straight from who decides into the sink of who waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use async_trait::async_trait;
use ordain_ports::{Error, Replies, Reply, ReplySender, ReplySink};
use uuid::Uuid;

use crate::Home;
use crate::queue::lock;

/// The sinks, by the names of their channels. A sink that is gone has no channel any more.
#[derive(Default)]
pub(crate) struct Channels(Mutex<HashMap<Arc<str>, Weak<dyn ReplySink>>>);

impl Channels {
    fn open(&self, sink: &Arc<dyn ReplySink>) -> Arc<str> {
        let channel: Arc<str> = Uuid::new_v4().to_string().into();
        let mut sinks = lock(&self.0);
        sinks.retain(|_, sink| sink.strong_count() > 0);
        sinks.insert(Arc::clone(&channel), Arc::downgrade(sink));
        channel
    }

    fn sink(&self, channel: &str) -> Option<Arc<dyn ReplySink>> {
        lock(&self.0).get(channel)?.upgrade()
    }
}

#[async_trait]
impl Replies for Home {
    async fn subscribe(&self, sink: Arc<dyn ReplySink>) -> Result<Arc<str>, Error> {
        Ok(self.inner.channels.open(&sink))
    }
}

/// A channel and its sink, if that is still there.
type Found = (Arc<str>, Option<Arc<dyn ReplySink>>);

impl ReplySender for Home {
    fn send(&self, replies: Vec<Reply>) {
        let mut last: Option<Found> = None;
        for reply in replies {
            let channel = &reply.to.channel;
            // Mostly all replies of a batch go to one channel.
            let sink = match last.take() {
                Some((same, sink)) if same == *channel => sink,
                _ => self.inner.channels.sink(channel),
            };
            last = Some((Arc::clone(channel), sink.clone()));
            if let Some(sink) = sink {
                sink.reply(reply);
            }
        }
    }
}
