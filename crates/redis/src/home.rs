//! The ports on Redis.

use std::sync::Arc;

use async_trait::async_trait;
use ordain_ports::{Error, Replies, ReplySender, ReplySink};
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::Settings;
use crate::client::{Client, ping};
use crate::sender::Sender;
use crate::subscription::Subscription;

/// Replies over Redis. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Redis {
    client: Arc<Client>,
    runtime: Handle,
}

impl Redis {
    /// Checks the settings. It succeeds also while Redis is away: replies are an acceleration, and
    /// whoever needs them connects as soon as it can. Must be called in a tokio runtime, in which
    /// everything that keeps connections then runs.
    ///
    /// # Errors
    /// A setting makes no sense, or a file that one names cannot be read.
    pub async fn connect(settings: &Settings) -> Result<Self, Error> {
        let client = Arc::new(Client::new(settings.clone())?);
        Ok(Self { client, runtime: Handle::current() })
    }

    /// Asks whether Redis is there, over a connection of its own.
    ///
    /// # Errors
    /// Why it is not.
    pub async fn check(&self) -> Result<(), Error> {
        let name = format!("{}.check", self.client.settings().prefix);
        let mut connection = self.client.connect(&name, None).await?;
        Ok(ping(&mut connection).await?)
    }

    /// The workers' end, on a connection of its own.
    #[must_use]
    pub fn reply_sender(&self) -> Arc<dyn ReplySender> {
        let client = Arc::clone(&self.client);
        Arc::new(Sender::start(client, self.channels(), &self.runtime))
    }

    /// The waiters' end; every subscription has a connection of its own.
    #[must_use]
    pub fn replies(&self) -> Arc<dyn Replies> {
        Arc::new(self.clone())
    }

    /// What the names of all reply channels of this fleet begin with.
    fn channels(&self) -> String {
        format!("{}.replies.", self.client.settings().prefix)
    }
}

#[async_trait]
impl Replies for Redis {
    async fn subscribe(&self, sink: Arc<dyn ReplySink>) -> Result<Arc<str>, Error> {
        let channel: Arc<str> = format!("{}{}", self.channels(), Uuid::new_v4()).into();
        let subscription = Subscription {
            client: Arc::clone(&self.client),
            channel: Arc::clone(&channel),
            sink: Arc::downgrade(&sink),
        };
        subscription.start().await?;
        Ok(channel)
    }
}
