//! Reads back all that a run left behind: every record of every topic, every commit, every row, and
//! what a look-up of every request gives.

mod answers;
mod level;

use std::collections::BTreeSet;

use futures_util::TryStreamExt as _;
use mongodb::bson::{Binary, Document, doc};
use ordain_checker::evidence::{Commit, Happened, Item};
use ordain_checker::{Outcome, Place};
use ordain_testkit::Services;
use serde::Deserialize;

use super::topics::Topics;
use crate::Client;

/// So many questions are asked at a time: the store answers those that come together together.
const AT_ONCE: usize = 128;
/// Views, and the type of the aggregates that each follows.
const VIEWS: [(&str, &str); 3] =
    [("accounts", "account"), ("job-requests", "job-request"), ("cleaner-jobs", "job-request")];

/// All that a run left behind.
#[derive(Debug)]
pub struct Evidence {
    /// The pieces, in no order.
    pub items: Vec<Item>,
}

#[expect(clippy::expect_used, reason = "a test that cannot read its fleet has failed")]
impl Evidence {
    /// Waits until every record is handled and every view is level, and reads everything back.
    /// `operations` is what look-ups are asked for, `expired` what was in the logs before.
    ///
    /// # Panics
    /// When something does not come to rest, or cannot be read.
    pub async fn of(
        (prefix, services): (&str, &Services),
        (client, operator): (&Client, &Client),
        (operations, expired): (BTreeSet<(String, String)>, Vec<Item>),
    ) -> Self {
        let (names, servers) = (prefix.to_owned(), services.kafka.clone());
        let count = move || Topics { servers: &servers, prefix: &names }.partitions_of_requests();
        let partitions = tokio::task::spawn_blocking(count).await.expect("a topic");
        answers::all_is_handled(operator, partitions).await;
        let (mut items, receipts) = answers::look_ups(client, operations).await;
        let (names, servers) = (prefix.to_owned(), services.kafka.clone());
        let read = tokio::task::spawn_blocking(move || {
            let topics = Topics { servers: &servers, prefix: &names };
            (topics.requests(), topics.events(), topics.letters())
        });
        let (requests, events, letters) = read.await.expect("topics that can be read");
        let events: Vec<Item> = expired.into_iter().chain(events).collect();
        level::views_are_level(client, &events, &receipts).await;
        items.extend(requests.into_iter().chain(events).chain(letters));
        commits(prefix, services, &mut items).await;
        for (view, _) in VIEWS {
            answers::rows(client, view, &mut items).await;
        }
        Self { items }
    }
}

#[derive(Deserialize)]
struct Stored {
    #[serde(rename = "_id")]
    id: String,
    #[serde(rename = "a")]
    aggregate: String,
    #[serde(rename = "r")]
    revision: i64,
    #[serde(rename = "s")]
    sequence: i64,
    command: String,
    fingerprint: Binary,
    outcome: Outcome,
    code: Option<String>,
    events: Vec<StoredEvent>,
    time: i64,
    source: StoredSource,
}

#[derive(Deserialize)]
struct StoredEvent {
    sequence: i64,
    #[serde(rename = "type")]
    name: String,
    data: String,
    time: i64,
}

#[derive(Deserialize)]
struct StoredSource {
    partition: i64,
    offset: i64,
    nonce: i64,
}

#[expect(clippy::expect_used, reason = "a test that cannot read its fleet has failed")]
pub(super) async fn commits(prefix: &str, services: &Services, items: &mut Vec<Item>) {
    let client = mongodb::Client::with_uri_str(&services.mongodb).await.expect("a database");
    let collection = client.database(prefix).collection::<Document>("commits");
    let mut documents = collection.find(doc! {}).await.expect("commits");
    while let Some(document) = documents.try_next().await.expect("all commits") {
        items.push(Item::Commit(commit(document).expect("a commit")));
    }
}

fn commit(document: Document) -> Result<Commit, String> {
    let stored: Stored =
        mongodb::bson::deserialize_from_document(document).map_err(|error| error.to_string())?;
    let Stored { id, aggregate, source, .. } = &stored;
    let request = id.strip_prefix(aggregate.as_str()).and_then(|id| id.strip_prefix('/'));
    let request = request.ok_or_else(|| format!("{id} is no id of {aggregate}"))?.to_owned();
    let happened = |event: StoredEvent| Happened {
        sequence: event.sequence.unsigned_abs(),
        name: event.name,
        data: event.data,
        time: event.time,
    };
    let place = Place {
        partition: u32::try_from(source.partition).map_err(|error| error.to_string())?,
        offset: source.offset.unsigned_abs(),
    };
    let fingerprint = stored.fingerprint.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Commit {
        request,
        revision: stored.revision.unsigned_abs(),
        sequence: stored.sequence.unsigned_abs(),
        fingerprint,
        command: stored.command,
        outcome: stored.outcome,
        code: stored.code,
        events: stored.events.into_iter().map(happened).collect(),
        time: stored.time,
        source: place,
        nonce: stored.source.nonce.cast_unsigned(),
        aggregate: stored.aggregate,
    })
}
