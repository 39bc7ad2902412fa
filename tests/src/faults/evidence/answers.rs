//! What the APIs answer when everything has come to rest.

use std::collections::{BTreeSet, HashMap};

use futures_util::{StreamExt as _, stream};
use ordain_checker::evidence::{Item, LookUp, Row};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::memory::document;
use super::AT_ONCE;
use crate::{Client, until};

const ROWS_A_PAGE: usize = 1_000;

/// Of each aggregate the last sequence that a look-up told, and the receipt that names it.
pub(super) type Receipts = HashMap<String, (u64, String)>;

/// Whether no record stands behind the workers' progress, in so many partitions.
pub(super) async fn all_is_handled(operator: &Client, partitions: usize) {
    until("all requests to be handled", || async {
        let status = operator.get("/v1/admin/status").await.ok()?.json();
        let told = status.get("partitions")?.as_array()?;
        let is_whole = told.len() == partitions && partitions > 0;
        (is_whole && told.iter().all(|one| one["behind"] == 0)).then_some(())
    })
    .await;
}

/// What a look-up of each operation gives, and the receipts among it.
pub(super) async fn look_ups(
    client: &Client,
    operations: BTreeSet<(String, String)>,
) -> (Vec<Item>, Receipts) {
    #[derive(Deserialize)]
    struct Read<'a> {
        sequence: u64,
        #[serde(borrow)]
        receipt: &'a str,
    }
    let mut items = Vec::with_capacity(operations.len());
    let mut receipts = Receipts::new();
    let asked = stream::iter(operations).map(async |(aggregate, request)| {
        let path = path(&aggregate, &request);
        let told = until("a look-up", || async {
            let told = client.get(&path).await.ok()?;
            (told.status != 503).then_some(told)
        });
        (aggregate, request, told.await)
    });
    let mut answers = asked.buffer_unordered(AT_ONCE);
    while let Some((aggregate, request, told)) = answers.next().await {
        assert!(matches!(told.status, 200 | 404), "{aggregate} {request}: {told:?}");
        if let Ok(Read { sequence, receipt }) = serde_json::from_str(&told.body) {
            let last = receipts.entry(aggregate.clone()).or_default();
            if sequence > last.0 {
                *last = (sequence, receipt.to_owned());
            }
        }
        items.push(Item::LookUp(LookUp { aggregate, request, told: document(&told) }));
    }
    (items, receipts)
}

fn path(aggregate: &str, request: &str) -> String {
    let about = aggregate.split_once('/').map_or("", |(_, about)| about);
    format!("/v1/{about}/requests/{request}")
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
pub(super) async fn rows(client: &Client, view: &str, items: &mut Vec<Item>) {
    let mut after = String::new();
    loop {
        let path = format!("/v1/views/{view}?limit={ROWS_A_PAGE}{after}");
        let told = client.get(&path).await.expect("rows of a view");
        let page: Page = serde_json::from_str(&told.body).expect("a page of rows");
        items.extend(page.rows.into_iter().map(|Listed { key, sequence, row }| {
            Item::Row(Row { view: view.to_owned(), key, sequence, row: row.get().to_owned() })
        }));
        match page.next {
            Some(next) => after = format!("&after={next}"),
            None => return,
        }
    }
}
