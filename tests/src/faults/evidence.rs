//! Reads back all that a run left behind: every record of every topic, every commit, every row, and
//! what a look-up of every request gives.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use mongodb::bson::{Binary, Document, doc};
use ordain_checker::evidence::{Commit, Happened, Item, LookUp, Row};
use ordain_checker::{Outcome, Place};
use ordain_testkit::Services;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::memory::document;
use super::topics::Topics;
use crate::{Client, until};

/// So many questions are asked at a time.
const AT_ONCE: usize = 16;
const ROWS_A_PAGE: usize = 500;
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
    /// `operations` is what look-ups are asked for.
    ///
    /// # Panics
    /// When something does not come to rest, or cannot be read.
    pub async fn of(
        (prefix, services): (&str, &Services),
        (client, operator): (&Client, &Client),
        operations: BTreeSet<(String, String)>,
    ) -> Self {
        all_is_handled(operator).await;
        let commits = commits(prefix, services).await;
        views_are_level(client, &commits).await;
        let (names, servers) = (prefix.to_owned(), services.kafka.clone());
        let read = tokio::task::spawn_blocking(move || {
            let topics = Topics { servers: &servers, prefix: &names };
            [topics.requests(), topics.events(), topics.letters()].concat()
        });
        let mut items = read.await.expect("topics that can be read");
        items.extend(commits.into_iter().map(Item::Commit));
        for (view, _) in VIEWS {
            items.extend(rows(client, view).await.into_iter().map(Item::Row));
        }
        items.extend(look_ups(client, operations).await.into_iter().map(Item::LookUp));
        Self { items }
    }
}

/// Whether no record stands behind the workers' progress.
async fn all_is_handled(operator: &Client) {
    until("all requests to be handled", || async {
        let status = operator.get("/v1/admin/status").await.ok()?.json();
        let partitions = status.get("partitions")?.as_array()?;
        partitions.iter().all(|one| one["behind"] == 0).then_some(())
    })
    .await;
}

/// Every view is asked for the last receipt of every aggregate that it follows. One that does not
/// get there in time is left as it is: the checker says what it lacks.
async fn views_are_level(client: &Client, commits: &[Commit]) {
    let mut last: BTreeMap<&str, &Commit> = BTreeMap::new();
    for commit in commits.iter().filter(|commit| !commit.events.is_empty()) {
        let last = last.entry(&commit.aggregate).or_insert(commit);
        if commit.revision > last.revision {
            *last = commit;
        }
    }
    let asked = last.into_iter().flat_map(|(aggregate, commit)| {
        let follows =
            VIEWS.iter().filter(move |(_, kind)| aggregate.split('/').nth(1) == Some(kind));
        follows.map(move |(view, _)| (*view, aggregate, commit.request.as_str()))
    });
    let level = stream::iter(asked).map(|(view, aggregate, request)| async move {
        let found = client.get(&look_up_path(aggregate, request)).await;
        let receipt = found.map(|told| told.at("/receipt")).unwrap_or_default();
        let receipt = receipt.as_str().unwrap_or_default();
        let path = format!("/v1/views/{view}?limit=1&wait=5&receipt={receipt}");
        let told = client.get(&path).await;
        let is_answer = told.as_ref().is_ok_and(|told| matches!(told.status, 200 | 504));
        assert!(is_answer, "{path}: {told:?}");
    });
    level.buffer_unordered(AT_ONCE).collect::<()>().await;
}

fn look_up_path(aggregate: &str, request: &str) -> String {
    let about = aggregate.split_once('/').map_or("", |(_, about)| about);
    format!("/v1/{about}/requests/{request}")
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
async fn commits(prefix: &str, services: &Services) -> Vec<Commit> {
    let client = mongodb::Client::with_uri_str(&services.mongodb).await.expect("a database");
    let collection = client.database(prefix).collection::<Document>("commits");
    let documents = collection.find(doc! {}).await.expect("commits");
    let documents: Vec<Document> = documents.try_collect().await.expect("all commits");
    documents.into_iter().map(|document| commit(document).expect("a commit")).collect()
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

/// A page of a view.
#[derive(Deserialize)]
struct Page {
    rows: Vec<Listed>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    key: String,
    sequence: u64,
    row: Box<RawValue>,
}

#[expect(clippy::expect_used, reason = "a test that cannot read its fleet has failed")]
async fn rows(client: &Client, view: &str) -> Vec<Row> {
    let (mut rows, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/views/{view}?limit={ROWS_A_PAGE}{after}");
        let told = client.get(&path).await.expect("rows of a view");
        let page: Page = serde_json::from_str(&told.body).expect("a page of rows");
        rows.extend(page.rows.into_iter().map(|Listed { key, sequence, row }| Row {
            view: view.to_owned(),
            key,
            sequence,
            row: row.get().to_owned(),
        }));
        match page.next {
            Some(next) => after = format!("&after={next}"),
            None => return rows,
        }
    }
}

async fn look_ups(client: &Client, operations: BTreeSet<(String, String)>) -> Vec<LookUp> {
    let asked = stream::iter(operations).map(|(aggregate, request)| async move {
        let told = client.get(&look_up_path(&aggregate, &request)).await;
        #[expect(clippy::expect_used, reason = "a test that cannot read its fleet has failed")]
        let told = told.expect("an answer");
        assert!(matches!(told.status, 200 | 404), "{aggregate} {request}: {told:?}");
        LookUp { aggregate, request, told: document(&told) }
    });
    asked.buffer_unordered(AT_ONCE).collect().await
}
