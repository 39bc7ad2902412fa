//! What MongoDB takes for one commit, and how many it takes.

use std::time::{Duration, Instant};

use bson::spec::BinarySubtype;
use bson::{Binary, Document, doc};
use mongodb::options::{
    Acknowledgment, ClientOptions, CollectionOptions, IndexOptions, WriteConcern,
};
use mongodb::{Client, Collection, IndexModel};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{median_ms, per_second};

const SINGLES: usize = 300;
/// Documents of one ordered insert.
const BATCH: u64 = 100;
/// Inserts under way at once: one for each lane of the fleet that is measured.
const LANES: u64 = 4;
/// Accounts, in turn.
const ACCOUNTS: u64 = 10_000;

/// One document after the other, durable on a majority; then ordered inserts of many.
pub(crate) async fn inserts(url: &str, seconds: u64) -> anyhow::Result<Value> {
    // The driver's own retry would have every insert written down once more.
    let mut options = ClientOptions::parse(url).await?;
    options.retry_writes = Some(false);
    let client = Client::with_options(options)?;
    let database = client.database(&format!("limits-{}", Uuid::new_v4().simple()));
    let majority = WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build();
    let options = CollectionOptions::builder().write_concern(majority).build();
    let commits: Collection<Document> = database.collection_with_options("commits", options);
    let unique = IndexOptions::builder().unique(true).build();
    let index = IndexModel::builder().keys(doc! {"a": 1, "r": 1}).options(unique).build();
    commits.create_index(index).await?;

    let mut times = Vec::with_capacity(SINGLES);
    for number in 0..SINGLES {
        let document = commit(number as u64);
        let began = Instant::now();
        commits.insert_one(document).await?;
        times.push(began.elapsed());
    }

    let began = Instant::now();
    let until = began + Duration::from_secs(seconds);
    let mut lanes = tokio::task::JoinSet::new();
    for lane in 0..LANES {
        let commits = commits.clone();
        lanes.spawn(async move {
            let mut inserted = 0;
            while Instant::now() < until {
                let first = (lane + 1) * 1_000_000_000 + inserted;
                let batch: Vec<_> = (first..first + BATCH).map(commit).collect();
                commits.insert_many(batch).ordered(true).await?;
                inserted += BATCH;
            }
            anyhow::Ok(inserted)
        });
    }
    let mut inserted = 0;
    while let Some(lane) = lanes.join_next().await {
        inserted += lane??;
    }
    let rate = per_second(inserted, began);
    database.drop().await?;
    Ok(json!({"insertMs": median_ms(times), "insertsPerSecond": rate}))
}

/// A document like the commit of a deposit.
fn commit(number: u64) -> Document {
    let aggregate = format!("default/account/bench-{}", number % ACCOUNTS);
    let revision = (number / ACCOUNTS).cast_signed();
    let nanoseconds = 1_790_000_000_000_000_000_i64;
    doc! {
        "_id": format!("{aggregate}/019ab2f4c1d07f3e8b1a2c3d4e5f6a7b-12-{number}"),
        "a": aggregate,
        "r": revision,
        "s": revision,
        "command": "deposit",
        "fingerprint": Binary { subtype: BinarySubtype::Generic, bytes: vec![7; 32] },
        "outcome": "SUCCESS",
        "events": [{
            "sequence": revision,
            "type": "deposited",
            "version": 1,
            "data": r#"{"amount":1}"#,
            "time": nanoseconds,
        }],
        "time": nanoseconds,
        "source": { "partition": 1, "offset": number.cast_signed(), "nonce": 1_234_567_890_i64 },
    }
}
