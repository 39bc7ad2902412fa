//! The log `finalevents` of a home that nobody serves, as a follower reads it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use ordain_embedded::{Home, Settings};
use ordain_ports::{Content, Feed, Input, Lane, Published, Record};
use serde_json::{Value, json};

use crate::WAIT_MAX;

/// How long a lane must be silent, once all that is wanted was read, to have no more.
const SILENT: Duration = Duration::from_millis(200);
/// The group that it is read as; nobody else is in it.
const GROUP: &str = "test-final-events";
const RECORDS_MAX: usize = 1_000;
const BYTES_MAX: usize = 1 << 20;

/// What a follower keeps of a log: per aggregate (`/v1/type/id`) every event at its first
/// occurrence, in sequence order, as an outcome shows it, with `requestId` beside it.
pub type FinalEvents = BTreeMap<String, Vec<Value>>;

/// Reads every partition of the event log of a directory, until it has given at least so many
/// events of each aggregate and then no more.
///
/// # Panics
/// When an event is damaged, overtakes another one or leaves a gap, repeats with another content,
/// or stands in another partition than its aggregate's first; or when `least` is not reached.
pub async fn read_final_events(directory: &Path, least: &BTreeMap<String, usize>) -> FinalEvents {
    #[expect(clippy::expect_used, reason = "a test that cannot read its directory has failed")]
    let home = Home::open(directory, &Settings::default()).expect("nobody holds the directory");
    let feed = home.join_events(GROUP);
    let events = read(feed, home.event_partitions(), least).await;
    home.close().await;
    events
}

/// Reads every partition of the event log of a fleet in the same manner, as a group of its own.
///
/// # Panics
/// For the same reasons.
pub async fn read_events_of_fleet(
    settings: &ordain_kafka::Settings,
    least: &BTreeMap<String, usize>,
) -> FinalEvents {
    let kafka = ordain_kafka::Kafka::connect(settings).await;
    #[expect(clippy::expect_used, reason = "a test that cannot read its fleet has failed")]
    let kafka = kafka.expect("a fleet that is set up");
    read(kafka.join_events(GROUP), kafka.event_partitions(), least).await
}

async fn read(
    mut feed: Box<dyn Feed<Published>>,
    partitions: u32,
    least: &BTreeMap<String, usize>,
) -> FinalEvents {
    let mut reader = Reader::default();
    let mut lanes = Vec::new();
    #[expect(clippy::expect_used, reason = "a test that cannot read its home has failed")]
    for _ in 0..partitions {
        let lane = tokio::time::timeout(WAIT_MAX, feed.lane()).await.expect("a lane in time");
        lanes.push(lane.expect("a feed that works").expect("a lane of every partition"));
    }
    let read = tokio::time::timeout(WAIT_MAX, async {
        while !reader.has(least) {
            for lane in &lanes {
                reader.silent(lane.as_ref()).await;
            }
        }
    });
    assert!(read.await.is_ok(), "events are missing: {:?}", reader.missing(least));
    for lane in &lanes {
        reader.silent(lane.as_ref()).await;
    }
    reader.events
}

#[derive(Default)]
struct Reader {
    events: FinalEvents,
    partitions: BTreeMap<String, u32>,
}

impl Reader {
    /// Reads the lane until it is silent.
    async fn silent(&mut self, lane: &dyn Lane<Published>) {
        while let Ok(input) = tokio::time::timeout(SILENT, lane.next(RECORDS_MAX, BYTES_MAX)).await
        {
            #[expect(clippy::panic, reason = "a test whose lane moves has failed")]
            let Ok(Input::Records(records)) = input else { panic!("no records: {input:?}") };
            records.into_iter().for_each(|record| self.take(record));
        }
    }

    /// Takes the next record, as a follower without a store does: at or below what it has, a
    /// repeat; one above, new; anything else is a gap.
    fn take(&mut self, record: Record<Published>) {
        let position = record.position;
        #[expect(clippy::panic, reason = "a test that meets what must not be has failed")]
        let Content::Whole(Published { aggregate, request, event, .. }) = record.content else {
            panic!("damaged: {position:?}")
        };
        let name = format!("/v1/{}/{}", aggregate.aggregate_type(), aggregate.id());
        let partition = *self.partitions.entry(name.clone()).or_insert(position.partition);
        assert_eq!(partition, position.partition, "{name}: all events in one partition");
        let data: Value = serde_json::from_str(event.data.as_str()).unwrap_or(Value::Null);
        let told = json!({
            "sequence": event.sequence,
            "type": event.name.as_str(),
            "data": data,
            "time": event.time.to_string(),
            "requestId": request.as_str(),
        });
        let seen = self.events.entry(name.clone()).or_default();
        let sequence = usize::try_from(event.sequence).unwrap_or(usize::MAX);
        assert!(sequence >= 1, "{name}: sequences begin at 1");
        match seen.get(sequence - 1) {
            Some(first) => assert_eq!(first, &told, "{name}: a repeat says what the first said"),
            None => {
                assert_eq!(sequence, seen.len() + 1, "{name}: a gap or overtaken, at {position:?}");
                seen.push(told);
            }
        }
    }

    fn has(&self, least: &BTreeMap<String, usize>) -> bool {
        self.missing(least).is_empty()
    }

    /// Of which aggregates fewer events were read than wanted: how many, of how many.
    fn missing(&self, least: &BTreeMap<String, usize>) -> BTreeMap<String, (usize, usize)> {
        let read = |name: &String| self.events.get(name).map_or(0, Vec::len);
        let wanted = least.iter().map(|(name, wanted)| (name.clone(), (read(name), *wanted)));
        wanted.filter(|(_, (read, wanted))| read < wanted).collect()
    }
}
