//! The shared server as a world for the contract suite: a prefix of its own for each test.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ordain_ports::contract::{Channels, Patience, Setup, World};
use ordain_ports::{Replies, ReplySender};
use ordain_redis::{Redis, Settings};
use uuid::Uuid;

/// Settings for the shared server, under a prefix that nobody else has.
pub(crate) fn settings() -> Settings {
    Settings {
        url: ordain_testkit::services().redis,
        prefix: format!("test-{}", Uuid::new_v4().simple()),
        ..Settings::default()
    }
}

/// A connection for the test itself.
pub(crate) async fn administrator(url: &str) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(url).unwrap();
    client.get_multiplexed_async_connection().await.expect("the server answers")
}

/// The connections whose names begin so, by the server's own list.
pub(crate) async fn connections(url: &str, begins: &str) -> Vec<String> {
    let mut administrator = administrator(url).await;
    let list: String =
        redis::cmd("CLIENT").arg("LIST").query_async(&mut administrator).await.unwrap();
    let field = |line: &str, key: &str| {
        line.split(' ').find_map(|field| field.strip_prefix(key)).map(str::to_owned)
    };
    list.lines()
        .filter(|line| field(line, "name=").is_some_and(|name| name.starts_with(begins)))
        .filter_map(|line| field(line, "id="))
        .collect()
}

/// Breaks the connections whose names begin so; gives how many there were.
pub(crate) async fn kill_connections(url: &str, begins: &str) -> usize {
    let ids = connections(url, begins).await;
    let mut administrator = administrator(url).await;
    for id in &ids {
        let mut command = redis::cmd("CLIENT");
        command.arg("KILL").arg("ID").arg(id);
        command.exec_async(&mut administrator).await.unwrap();
    }
    ids.len()
}

/// A fleet of its own on the shared server.
pub(crate) struct Shared {
    redis: Redis,
    settings: Settings,
}

impl Shared {
    async fn with(settings: Settings) -> Self {
        Self { redis: Redis::connect(&settings).await.expect("the settings are good"), settings }
    }
}

#[async_trait]
impl World for Shared {
    const PATIENCE: Patience = Patience {
        test: Duration::from_secs(120),
        state: Duration::from_secs(30),
        quiet: Duration::from_millis(300),
    };

    async fn fresh(_setup: Setup) -> Self {
        Self::with(settings()).await
    }

    async fn restart(self, _setup: Setup) -> Self {
        Self::with(self.settings).await
    }
}

#[async_trait]
impl Channels for Shared {
    async fn sender(&self) -> Arc<dyn ReplySender> {
        self.redis.reply_sender()
    }

    async fn replies(&self) -> Arc<dyn Replies> {
        self.redis.replies()
    }

    async fn interrupt(&self) {
        let killed = kill_connections(&self.settings.url, &self.settings.prefix).await;
        assert!(killed > 0, "there was nothing to break");
    }
}
