//! A sink that keeps what arrives.

use std::sync::Arc;

use ordain_model::ReplyAddress;
use ordain_ports::contract::samples::{aggregate, request};
use ordain_ports::{Answer, Reply, ReplySink};
use ordain_redis::Redis;
use ordain_testkit::within;
use tokio::sync::watch;

/// Keeps the numbers of the replies, and counts the losses.
#[derive(Debug, Default)]
pub(crate) struct Inbox(watch::Sender<Arrived>);

#[derive(Debug, Default, Clone)]
pub(crate) struct Arrived {
    pub(crate) nonces: Vec<u64>,
    pub(crate) losses: usize,
}

impl ReplySink for Inbox {
    fn reply(&self, reply: Reply) {
        self.0.send_modify(|arrived| arrived.nonces.push(reply.to.nonce));
    }

    fn lost(&self) {
        self.0.send_modify(|arrived| arrived.losses += 1);
    }
}

impl Inbox {
    /// Waits until what has arrived is so; gives it.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Arrived) -> bool) -> Arrived {
        let mut arrived = self.0.subscribe();
        let waiting = arrived.wait_for(|arrived| is_so(arrived));
        within(what, waiting).await.unwrap().clone()
    }

    pub(crate) fn now(&self) -> Arrived {
        self.0.borrow().clone()
    }
}

/// A process that waits: its channel and what arrives there.
pub(crate) async fn subscribed(redis: &Redis) -> (Arc<str>, Arc<Inbox>) {
    let inbox = Arc::new(Inbox::default());
    let channel = redis.replies().subscribe(inbox.clone()).await.expect("subscribes");
    (channel, inbox)
}

/// A reply to that channel.
pub(crate) fn to(channel: &Arc<str>, nonce: u64) -> Reply {
    Reply {
        to: ReplyAddress { channel: Arc::clone(channel), nonce },
        aggregate: aggregate("a"),
        request: request("r1"),
        answer: Answer::LookUp,
    }
}
