//! The stores as a world for the contract suites: a database of its own for each test.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ordain_mongo::Mongo;
use ordain_ports::contract::{
    Announcing, Beating, Letters, Marks, Patience, Setup, Stores, Views, World,
};
use ordain_ports::{
    Announcements, Commits, CrashMarks, DeadLetters, Heartbeats, Outcomes, Snapshots, ViewStore,
};

use crate::database::Database;

/// A database that is removed with it, and a client of it.
pub(crate) struct Stored {
    mongo: Mongo,
    database: Database,
}

#[async_trait]
impl World for Stored {
    const PATIENCE: Patience = Patience {
        test: Duration::from_secs(120),
        state: Duration::from_secs(60),
        quiet: Duration::from_millis(200),
    };

    async fn fresh(_setup: Setup) -> Self {
        let database = Database::new();
        let mongo = database.ready().await;
        Self { mongo, database }
    }

    /// A new client on the same database: the old one may still have something under way.
    async fn restart(self, _setup: Setup) -> Self {
        let Self { mongo, database } = self;
        drop(mongo);
        let mongo = database.connect().await;
        Self { mongo, database }
    }
}

#[async_trait]
impl Stores for Stored {
    async fn commits(&self) -> Arc<dyn Commits> {
        self.mongo.commits()
    }

    async fn snapshots(&self) -> Arc<dyn Snapshots> {
        self.mongo.snapshots()
    }

    async fn outcomes(&self) -> Arc<dyn Outcomes> {
        self.mongo.outcomes()
    }
}

#[async_trait]
impl Views for Stored {
    async fn view_store(&self) -> Arc<dyn ViewStore> {
        self.mongo.view_store()
    }
}

#[async_trait]
impl Letters for Stored {
    async fn dead_letters(&self) -> Arc<dyn DeadLetters> {
        self.mongo.dead_letters()
    }
}

#[async_trait]
impl Marks for Stored {
    async fn crash_marks(&self) -> Arc<dyn CrashMarks> {
        self.mongo.crash_marks()
    }
}

#[async_trait]
impl Announcing for Stored {
    async fn announcements(&self) -> Arc<dyn Announcements> {
        self.mongo.announcements()
    }
}

#[async_trait]
impl Beating for Stored {
    async fn heartbeats(&self) -> Arc<dyn Heartbeats> {
        self.mongo.heartbeats()
    }
}
