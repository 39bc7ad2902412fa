//! What a lane keeps from one batch to the next.

use ordain_embedded::Home;
use ordain_model::{Event, Json, Timestamp};
use ordain_ports::{Content, NoSpans, Position, SystemClock};

use super::*;
use crate::Accounts;

fn opened() -> Record<Published> {
    let event = Event {
        sequence: 1,
        name: "opened".parse().unwrap(),
        version: 1,
        data: Json::try_from("{}".to_owned()).unwrap(),
        time: Timestamp::default(),
    };
    let content = Content::Whole(Published {
        aggregate: AggregateKey::new("default", "account", "a").unwrap(),
        request: "r1".parse().unwrap(),
        event,
        trace: None,
    });
    let position = Position { partition: 0, offset: 0 };
    Record { position, time: Timestamp::default(), bytes: 1, content }
}

#[tokio::test]
async fn rows_that_were_read_for_repeats_are_not_kept() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::open(directory.path(), &ordain_embedded::Settings::default()).unwrap();
    let ports = Ports {
        commits: home.commits(),
        views: home.view_store(),
        dead_letters: home.dead_letters(),
        spans: Arc::new(NoSpans),
        clock: Arc::new(SystemClock),
    };
    // Each batch has to find out anew up to where its aggregates are folded.
    let settings = Settings { lane_marks_max: 0, ..Settings::default() };
    let mut feed = home.join_events("view");
    let lane = feed.lane().await.unwrap().unwrap();
    let mut follower = Follower::new(Arc::new(Accounts), ports, settings, lane);
    for _ in 0..2 {
        assert!(follower.records(vec![opened()]).await.unwrap().is_none());
    }
    assert!(follower.loaded.is_empty(), "{:?}", follower.loaded);
}
