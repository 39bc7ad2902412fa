//! What is said in the log of a feed that is broken.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ordain_ports::{Action, Error, Feed, Lane, Published};
use ordain_views::{Accounts, Projector, Settings};
use tokio_util::sync::CancellationToken;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber, subscriber};

use crate::world::World;

/// A feed that fails so often in each of these ways, and then ends.
struct Broken(Vec<(&'static str, usize)>);

#[async_trait]
impl Feed<Published> for Broken {
    async fn lane(&mut self) -> Result<Option<Box<dyn Lane<Published>>>, Error> {
        self.0.retain(|(_, tries)| *tries > 0);
        let Some((why, tries)) = self.0.first_mut() else { return Ok(None) };
        *tries -= 1;
        Err(Error::new(Action::CallPerson, *why))
    }

    fn leave(&mut self) {}
}

/// Why the log said that a feed is broken, each time.
#[derive(Clone, Default)]
struct Alarms(Arc<Mutex<Vec<String>>>);

/// The fields of one event.
#[derive(Default)]
struct Said {
    message: String,
    failed: String,
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "failed" => self.failed = format!("{value:?}").trim_matches('"').to_owned(),
            _ => {}
        }
    }
}

impl Subscriber for Alarms {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut said = Said::default();
        event.record(&mut said);
        if said.message == "view_feed_broken" {
            self.0.lock().unwrap().push(said.failed);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test(start_paused = true)]
async fn of_a_feed_that_is_broken_the_log_says_what_is_new_and_the_rest_once_a_minute() {
    let world = World::new();
    let alarms = Alarms::default();
    let guard = subscriber::set_default(alarms.clone());
    // About a second each.
    let feed = Broken(vec![("refused", 110), ("refused otherwise", 100), ("refused", 10)]);
    let settings = Settings { retry_ms_max: 1_000, ..Settings::default() };
    let projector = Projector::new(Arc::new(Accounts), world.ports(), settings);
    projector.run(Box::new(feed), CancellationToken::new()).await.unwrap();
    drop(guard);
    let said = alarms.0.lock().unwrap();
    let expected =
        ["refused", "refused", "refused otherwise", "refused otherwise", "refused"].to_vec();
    assert_eq!(*said, expected);
}
