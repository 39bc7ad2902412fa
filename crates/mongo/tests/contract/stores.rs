//! The stores as a world for the contract suites: a database of its own for each test.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use ordain_mongo::{Mongo, Settings};
use ordain_ports::contract::{Announcing, Letters, Marks, Patience, Setup, Stores, Views, World};
use ordain_ports::{
    Announcements, Commits, CrashMarks, DeadLetters, Outcomes, Snapshots, ViewStore,
};

/// A database that is removed with it.
pub(crate) struct Stored {
    pub(crate) mongo: Mongo,
    database: Database,
}

/// The settings of a database of its own.
pub(crate) struct Database(pub(crate) Settings);

impl Database {
    fn new() -> Self {
        Self(Settings {
            url: ordain_testkit::services().mongodb,
            prefix: format!("test-{}", uuid::Uuid::new_v4()),
            // The machine does other things, too.
            send_ms_max: 10_000,
            acknowledge_ms_max: 20_000,
            operation_ms_max: 30_000,
            ..Settings::default()
        })
    }
}

impl Drop for Database {
    /// The test's runtime may be ending, so this has one of its own.
    fn drop(&mut self) {
        let settings = self.0.clone();
        let removing = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let mongo = Mongo::connect(&settings).await.expect("connects");
                mongo.remove().await
            })
        });
        if let Ok(Err(error)) = removing.join() {
            panic!("the database was not removed: {error}");
        }
    }
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
        let mongo = Mongo::connect(&database.0).await.expect("connects");
        mongo.ensure().await.expect("sets up");
        Self { mongo, database }
    }

    /// A new client on the same database: the old one may still have something under way.
    async fn restart(self, _setup: Setup) -> Self {
        let Self { mongo, database } = self;
        drop(mongo);
        let mongo = Mongo::connect(&database.0).await.expect("connects");
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
