//! A world that breaks a promise on purpose: the embedded home with one port wrapped.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ordain_model::Command;
use ordain_ports::contract::{
    Announcing, Beating, Channels, Damage, Letters, Logs, Marks, Patience, Setup, Stores, Views,
    World,
};
use ordain_ports::{
    Announcements, CommandLog, Commits, CrashMarks, DeadLetters, EventLog, Feed, Heartbeats,
    Outcomes, Position, Published, Replies, ReplySender, Snapshots, ViewStore,
};

use super::home::Embedded;

/// Which promise is broken: each port goes through here before a test gets it.
pub(crate) trait Breakage: Default + Send + Sync + 'static {
    /// Whether a restart begins with nothing.
    const FORGETS: bool = false;

    fn command_log(self: &Arc<Self>, port: Arc<dyn CommandLog>) -> Arc<dyn CommandLog> {
        port
    }

    fn event_log(self: &Arc<Self>, port: Arc<dyn EventLog>) -> Arc<dyn EventLog> {
        port
    }

    fn requests(self: &Arc<Self>, feed: Box<dyn Feed<Command>>) -> Box<dyn Feed<Command>> {
        feed
    }

    fn commits(self: &Arc<Self>, port: Arc<dyn Commits>) -> Arc<dyn Commits> {
        port
    }

    fn snapshots(self: &Arc<Self>, port: Arc<dyn Snapshots>) -> Arc<dyn Snapshots> {
        port
    }

    fn outcomes(self: &Arc<Self>, port: Arc<dyn Outcomes>) -> Arc<dyn Outcomes> {
        port
    }

    fn sender(self: &Arc<Self>, port: Arc<dyn ReplySender>) -> Arc<dyn ReplySender> {
        port
    }

    fn replies(self: &Arc<Self>, port: Arc<dyn Replies>) -> Arc<dyn Replies> {
        port
    }

    fn view_store(self: &Arc<Self>, port: Arc<dyn ViewStore>) -> Arc<dyn ViewStore> {
        port
    }

    fn dead_letters(self: &Arc<Self>, port: Arc<dyn DeadLetters>) -> Arc<dyn DeadLetters> {
        port
    }

    fn crash_marks(self: &Arc<Self>, port: Arc<dyn CrashMarks>) -> Arc<dyn CrashMarks> {
        port
    }

    fn announcements(self: &Arc<Self>, port: Arc<dyn Announcements>) -> Arc<dyn Announcements> {
        port
    }

    fn heartbeats(self: &Arc<Self>, port: Arc<dyn Heartbeats>) -> Arc<dyn Heartbeats> {
        port
    }
}

/// Nothing is broken; for the suites that a forgetful restart alone must fail.
#[derive(Debug, Default)]
pub(crate) struct Forgets;

impl Breakage for Forgets {
    const FORGETS: bool = true;
}

/// The embedded home with that breakage.
pub(crate) struct Broken<B> {
    home: Embedded,
    breakage: Arc<B>,
}

#[async_trait]
impl<B: Breakage> World for Broken<B> {
    /// Short, because a broken adapter is often caught by what does not come.
    const PATIENCE: Patience = Patience {
        test: Duration::from_secs(60),
        state: Duration::from_secs(4),
        quiet: Duration::from_millis(200),
    };

    async fn fresh(setup: Setup) -> Self {
        Self { home: Embedded::fresh(setup).await, breakage: Arc::default() }
    }

    async fn restart(self, setup: Setup) -> Self {
        if B::FORGETS {
            return Self::fresh(setup).await;
        }
        Self { home: self.home.restart(setup).await, breakage: self.breakage }
    }
}

#[async_trait]
impl<B: Breakage> Logs for Broken<B> {
    async fn command_log(&self) -> Arc<dyn CommandLog> {
        self.breakage.command_log(self.home.command_log().await)
    }

    async fn event_log(&self) -> Arc<dyn EventLog> {
        self.breakage.event_log(self.home.event_log().await)
    }

    async fn join_requests(&self) -> Box<dyn Feed<Command>> {
        self.breakage.requests(self.home.join_requests().await)
    }

    async fn join_events(&self, group: &str) -> Box<dyn Feed<Published>> {
        self.home.join_events(group).await
    }

    async fn event_partitions(&self) -> u32 {
        self.home.event_partitions().await
    }

    async fn append_damaged(&self, damage: Damage) -> Position {
        self.home.append_damaged(damage).await
    }
}

#[async_trait]
impl<B: Breakage> Stores for Broken<B> {
    async fn commits(&self) -> Arc<dyn Commits> {
        self.breakage.commits(self.home.commits().await)
    }

    async fn snapshots(&self) -> Arc<dyn Snapshots> {
        self.breakage.snapshots(self.home.snapshots().await)
    }

    async fn outcomes(&self) -> Arc<dyn Outcomes> {
        self.breakage.outcomes(self.home.outcomes().await)
    }
}

#[async_trait]
impl<B: Breakage> Channels for Broken<B> {
    async fn sender(&self) -> Arc<dyn ReplySender> {
        self.breakage.sender(self.home.sender().await)
    }

    async fn replies(&self) -> Arc<dyn Replies> {
        self.breakage.replies(self.home.replies().await)
    }
}

#[async_trait]
impl<B: Breakage> Views for Broken<B> {
    async fn view_store(&self) -> Arc<dyn ViewStore> {
        self.breakage.view_store(self.home.view_store().await)
    }
}

#[async_trait]
impl<B: Breakage> Letters for Broken<B> {
    async fn dead_letters(&self) -> Arc<dyn DeadLetters> {
        self.breakage.dead_letters(self.home.dead_letters().await)
    }
}

#[async_trait]
impl<B: Breakage> Marks for Broken<B> {
    async fn crash_marks(&self) -> Arc<dyn CrashMarks> {
        self.breakage.crash_marks(self.home.crash_marks().await)
    }
}

#[async_trait]
impl<B: Breakage> Announcing for Broken<B> {
    async fn announcements(&self) -> Arc<dyn Announcements> {
        self.breakage.announcements(self.home.announcements().await)
    }
}

#[async_trait]
impl<B: Breakage> Beating for Broken<B> {
    async fn heartbeats(&self) -> Arc<dyn Heartbeats> {
        self.breakage.heartbeats(self.home.heartbeats().await)
    }
}
