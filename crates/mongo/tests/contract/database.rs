//! A database of its own for a test.

use std::sync::Arc;
use std::thread;

use mongodb::Client;
use ordain_model::Commit;
use ordain_mongo::{Mongo, Settings};
use ordain_ports::Load;
use ordain_ports::contract::samples::Line;

use crate::proxy::Proxy;

/// A database that is removed with it.
pub(crate) struct Database(pub(crate) Settings);

impl Database {
    pub(crate) fn new() -> Self {
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

    /// A client of it.
    pub(crate) async fn connect(&self) -> Mongo {
        self.connect_with(|_| ()).await
    }

    /// A client of it with other settings.
    pub(crate) async fn connect_with(&self, change: impl FnOnce(&mut Settings)) -> Mongo {
        let mut settings = self.0.clone();
        change(&mut settings);
        Mongo::connect(&settings).await.expect("connects")
    }

    /// A client of it with other settings, and the proxy through which it goes.
    pub(crate) async fn connect_through_proxy(
        &self,
        change: impl FnOnce(&mut Settings),
    ) -> (Proxy, Mongo) {
        let proxy = Proxy::to(&self.0.url).await;
        let through = |settings: &mut Settings| {
            settings.url = proxy.url.clone();
            change(settings);
        };
        let mongo = self.connect_with(through).await;
        (proxy, mongo)
    }

    /// A client of it, set up.
    pub(crate) async fn ready(&self) -> Mongo {
        let mongo = self.connect().await;
        mongo.ensure().await.expect("sets up");
        mongo
    }

    /// The driver's own client.
    pub(crate) async fn raw(&self) -> mongodb::Database {
        let client = Client::with_uri_str(&self.0.url).await.expect("connects");
        client.database(&self.0.prefix)
    }
}

impl Drop for Database {
    /// The test's runtime may be ending, so this has one of its own.
    fn drop(&mut self) {
        let settings = self.0.clone();
        let removing = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let client = Client::with_uri_str(&settings.url).await.expect("connects");
                client.database(&settings.prefix).drop().await
            })
        });
        if let Ok(Err(error)) = removing.join() {
            panic!("the database was not removed: {error}");
        }
    }
}

/// All commits of a line's aggregate.
pub(crate) async fn tail(mongo: &Mongo, line: &Line) -> Vec<Arc<Commit>> {
    let load = Load { aggregate: line.aggregate().clone(), fold_version: 1 };
    mongo.commits().load(&[load]).await.expect("loads").remove(0).tail
}
