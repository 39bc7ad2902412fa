//! The logs and stores of a home that nobody serves, so that a test can write what no process of
//! this build would.

use std::path::Path;
use std::sync::Arc;

use ordain_embedded::{Home, Settings};
use ordain_ports::{Announcements, CommandLog, Commits, EventLog};
use ordain_testkit::Services;

/// Some of the ports of a home.
pub struct Stores {
    /// The log of requests.
    pub log: Arc<dyn CommandLog>,
    /// The log of events.
    pub events: Arc<dyn EventLog>,
    /// The commits.
    pub commits: Arc<dyn Commits>,
    /// What was ever announced.
    pub announcements: Arc<dyn Announcements>,
    directory: Option<Home>,
}

#[expect(clippy::expect_used, reason = "a test that cannot open its home has failed")]
impl Stores {
    /// Those of a directory.
    pub(crate) fn of_directory(directory: &Path) -> Self {
        let home = Home::open(directory, &Settings::default());
        let home = home.expect("nobody holds the directory");
        Self {
            log: home.command_log(),
            events: home.event_log(),
            commits: home.commits(),
            announcements: home.announcements(),
            directory: Some(home),
        }
    }

    /// Those of a fleet that is set up.
    pub(crate) async fn of_fleet(prefix: &str, services: &Services) -> Self {
        let settings = ordain_kafka::Settings {
            bootstrap_servers: services.kafka.clone(),
            prefix: prefix.to_owned(),
            ..ordain_kafka::Settings::default()
        };
        let kafka = ordain_kafka::Kafka::connect(&settings).await.expect("topics");
        let settings = ordain_mongo::Settings {
            url: services.mongodb.clone(),
            prefix: prefix.to_owned(),
            ..ordain_mongo::Settings::default()
        };
        let mongo = ordain_mongo::Mongo::connect(&settings).await.expect("a database");
        Self {
            log: kafka.command_log(),
            events: kafka.event_log(),
            commits: mongo.commits(),
            announcements: mongo.announcements(),
            directory: None,
        }
    }

    /// Lets go of them, so that the home can be served.
    pub async fn close(self) {
        if let Some(home) = self.directory {
            home.close().await;
        }
    }
}
