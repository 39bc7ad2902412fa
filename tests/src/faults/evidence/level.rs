//! Waiting until the views have come to the end of the log of events.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use ordain_checker::evidence::Item;
use tokio::time::sleep;

use super::answers::Receipts;
use super::{AT_ONCE, VIEWS};
use crate::Client;

/// A view folds a partition in order, and far fewer events at once than these: when the last of
/// them are folded, all are.
const LAST_EVENTS: usize = 5_000;
/// So long the views may take together.
const LEVEL_MAX: Duration = Duration::from_secs(60);
/// How long to wait before a view is asked again that could not answer.
const PAUSE: Duration = Duration::from_millis(50);

/// Every view is asked for the receipts of the aggregates that the last events are of. One that
/// does not get there in time is left as it is: the checker says what it lacks.
pub(super) async fn views_are_level(client: &Client, events: &[Item], receipts: &Receipts) {
    let until = Instant::now() + LEVEL_MAX;
    let asked = last_aggregates(events).into_iter().flat_map(|aggregate| {
        let kind = aggregate.split('/').nth(1);
        let follows = VIEWS.iter().filter(move |(_, followed)| kind == Some(followed));
        let receipt = receipts.get(aggregate).map(|(_, receipt)| receipt);
        follows.filter_map(move |(view, _)| Some((*view, receipt?)))
    });
    let level = stream::iter(asked).map(|(view, receipt)| async move {
        let path = format!("/v1/views/{view}?limit=1&wait=5&receipt={receipt}");
        while Instant::now() < until {
            match client.get(&path).await {
                Ok(told) if told.status == 200 => return,
                Ok(told) => assert!(matches!(told.status, 503 | 504), "{path}: {told:?}"),
                Err(_) => {}
            }
            sleep(PAUSE).await;
        }
    });
    level.buffer_unordered(AT_ONCE).collect::<()>().await;
}

/// The aggregates of the events that came last to each partition, repeats left out: those are
/// folded already.
fn last_aggregates(events: &[Item]) -> BTreeSet<&str> {
    let mut sequences: HashMap<&str, u64> = HashMap::new();
    let mut last: BTreeMap<u32, VecDeque<&str>> = BTreeMap::new();
    for item in events {
        let Item::Event(event) = item else { continue };
        let sequence = sequences.entry(&event.aggregate).or_default();
        if event.event.sequence <= *sequence {
            continue;
        }
        *sequence = event.event.sequence;
        let last = last.entry(event.place.partition).or_default();
        last.push_back(&event.aggregate);
        if last.len() > LAST_EVENTS {
            last.pop_front();
        }
    }
    last.into_values().flatten().collect()
}
