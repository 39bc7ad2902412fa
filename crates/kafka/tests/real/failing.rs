//! What becomes of callers when something fails.

use std::slice;
use std::sync::Arc;
use std::time::Duration;

use ordain_kafka::{Kafka, Settings};
use ordain_model::Commit;
use ordain_ports::contract::samples::{Line, json};
use ordain_ports::{Action, Content};

use crate::fresh::{append, connected, lane, lanes, numbered, read, settings, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_cannot_be_sent_fails_its_call_and_no_later_one() {
    let settings = settings();
    let kafka = connected(&settings, 1).await;
    let (log, mut line) = (kafka.event_log(), Line::of("a"));
    let first = line.success(2);
    let mut too_large = Commit::clone(&line.success(3));
    too_large.events[1].data = json(&format!("\"{}\"", "x".repeat(3 << 20)));
    let error = log.publish(&[first.clone(), Arc::new(too_large)]).await.expect_err("too large");
    assert_eq!(error.action(), Action::CallPerson, "{error}");
    // What was enqueued before it may stand there; nothing behind it may.
    log.publish(slice::from_ref(&first)).await.expect("publishes");
    let mut feed = kafka.join_events("view-a");
    let lanes = lanes(&mut feed, 2).await;
    let mut sequences = Vec::new();
    within("the events", async {
        while !sequences.ends_with(&[1, 2]) || sequences.is_empty() {
            for lane in lanes.values() {
                let reading = lane.next(1, 1 << 20);
                let reading = tokio::time::timeout(Duration::from_millis(100), reading).await;
                if let Ok(Ok(ordain_ports::Input::Records(records))) = reading {
                    for record in records {
                        let Content::Whole(event) = record.content else { panic!("damaged") };
                        sequences.push(event.event.sequence);
                    }
                }
            }
        }
    })
    .await;
    assert!(!sequences.contains(&5), "what stood behind a lost event was published: {sequences:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_cannot_be_sent_is_refused() {
    let settings = settings();
    let kafka = connected(&settings, 1).await;
    let mut large = numbered("a", 1);
    large.data = json(&format!("\"{}\"", "x".repeat(3 << 20)));
    kafka.command_log().append(large).expect_err("too large");
    assert_eq!(append(&kafka, numbered("a", 2)).await.offset, 0, "it stands there all the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_brokers_connecting_fails_in_time() {
    let settings = Settings {
        bootstrap_servers: "127.0.0.1:9".to_owned(),
        request_ms_max: 1_000,
        ..settings()
    };
    let connecting = tokio::time::timeout(Duration::from_secs(20), Kafka::connect(&settings));
    connecting.await.expect("gives up in time").expect_err("there is no broker");
}

/// The thread of the members is held for longer than a session, as a stopped process would be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_stood_still_drops_everything_and_joins_again() {
    let settings = Settings { session_ms: 1_000, heartbeat_ms: 200, ..settings() };
    let kafka = connected(&settings, 1).await;
    for number in 0..3 {
        append(&kafka, numbered("a", number)).await;
    }
    let mut feed = kafka.join_requests();
    let held = lane(&mut feed).await;
    held.save(1).await.expect("saves");
    fail::cfg("kafka-feed-turn", "1*sleep(2500)").expect("a failpoint");
    let again = lane(&mut feed).await;
    fail::remove("kafka-feed-turn");
    assert!(held.is_revoked(), "one partition has two lanes that are not revoked");
    assert!(held.save(3).await.is_err_and(|error| error.is_stop()));
    assert_eq!(again.progress(), Some(1));
    assert_eq!(read(&again, 2).await[0].position.offset, 1);
}
