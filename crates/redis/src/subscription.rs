//! The API's end: a subscription that lives as long as its sink, on a connection that is opened
//! again for ever.

use std::sync::{Arc, Weak};
use std::time::Duration;

use ordain_ports::{Action, Error, ReplySink};
use redis::{PushInfo, PushKind, Value};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::backoff::Backoff;
use crate::client::{Client, Connection, Failure, ping};
use crate::frame::{self, Frame};

/// The subscription of one channel.
pub(crate) struct Subscription {
    pub(crate) client: Arc<Client>,
    pub(crate) channel: Arc<str>,
    pub(crate) sink: Weak<dyn ReplySink>,
}

/// A subscription on a connection, and what is notified when that breaks.
pub(crate) struct Open {
    connection: Connection,
    broken: Arc<Notify>,
}

/// Why a subscription does not go on.
enum End {
    /// Its sink is gone.
    SinkGone,
    /// Its connection broke.
    Broken,
}

impl Subscription {
    /// Subscribes and stays so in the background. When Redis does not answer now, it is as if it
    /// had failed right after: the sink is told once the channel is there.
    pub(crate) async fn start(self) -> Result<(), Error> {
        let open = match self.open().await.map_err(Error::from) {
            Ok(open) => Some(open),
            Err(error) if error.action() == Action::TryAgain => {
                tracing::warn!(%error, "the reply channel cannot be opened yet");
                None
            }
            Err(error) => return Err(error),
        };
        tokio::spawn(self.keep(open));
        Ok(())
    }

    async fn keep(self, mut open: Option<Open>) {
        loop {
            if let Some(open) = &mut open {
                match self.last(open).await {
                    End::SinkGone => return,
                    End::Broken => tracing::warn!("the reply channel broke"),
                }
            }
            // The broken one is closed before another is opened: no reply arrives twice.
            drop(open.take());
            open = self.reopen().await;
            let Some(sink) = self.sink.upgrade() else { return };
            metrics::counter!("ordain_redis_told_losses").increment(1);
            sink.lost();
        }
    }

    /// Ends when the sink is gone or the connection broken.
    async fn last(&self, open: &mut Open) -> End {
        let pause = Duration::from_millis(self.client.settings().ping_ms);
        loop {
            if timeout(pause, open.broken.notified()).await.is_ok() {
                return End::Broken;
            }
            if self.sink.strong_count() == 0 {
                return End::SinkGone;
            }
            if ping(&mut open.connection).await.is_err() {
                return End::Broken;
            }
        }
    }

    /// Tries for as long as it takes; none when the sink is gone meanwhile.
    async fn reopen(&self) -> Option<Open> {
        let mut backoff = Backoff::new(self.client.settings().backoff_ms_max);
        while self.sink.strong_count() > 0 {
            match self.open().await {
                Ok(open) => {
                    tracing::info!("the reply channel is open again");
                    return Some(open);
                }
                Err(failure) => {
                    let error = Error::from(failure);
                    tracing::debug!(%error, "the reply channel cannot be opened");
                }
            }
            metrics::counter!("ordain_redis_retries", "what" => "subscribe").increment(1);
            sleep(backoff.pause()).await;
        }
        None
    }

    async fn open(&self) -> Result<Open, Failure> {
        let broken = Arc::new(Notify::new());
        let inbox = Inbox {
            channel: Arc::clone(&self.channel),
            sink: Weak::clone(&self.sink),
            broken: Arc::clone(&broken),
        };
        let push = Box::new(move |info| inbox.take(info));
        let mut connection = self.client.connect(&self.channel, Some(push)).await?;
        connection.subscribe(&*self.channel).await?;
        Ok(Open { connection, broken })
    }
}

/// What takes the messages of a connection, where it is read.
struct Inbox {
    channel: Arc<str>,
    sink: Weak<dyn ReplySink>,
    broken: Arc<Notify>,
}

impl Inbox {
    fn take(&self, info: PushInfo) {
        match (info.kind, info.data.as_slice()) {
            (PushKind::Message, [_, Value::BulkString(bytes)]) => self.arrived(bytes),
            (PushKind::Disconnection, _) => self.broken.notify_one(),
            _ => {}
        }
    }

    fn arrived(&self, bytes: &[u8]) {
        let Some(sink) = self.sink.upgrade() else { return };
        match frame::read(&self.channel, bytes) {
            Some(Frame::Reply(reply)) => sink.reply(reply),
            Some(Frame::Lost) => {
                metrics::counter!("ordain_redis_told_losses").increment(1);
                sink.lost();
            }
            None => metrics::counter!("ordain_redis_damaged_frames").increment(1),
        }
    }
}
