//! What the contracts of the ports cannot see: the directory itself, and what opens it.

use std::sync::Arc;
use std::time::Duration;

use ordain_model::{
    AggregateKey, Command, Fingerprint, Json, ReplyAddress, RequestId, SchemaHash, Timestamp,
};
use ordain_ports::{CommandLog as _, Delivered, Input, Lane, Record};
use tokio::time::timeout;

use crate::{Home, Settings};

pub(crate) fn settings() -> Settings {
    Settings {
        free_bytes_min: 0,
        free_bytes_min_commands: 0,
        ..Settings::default()
    }
}

pub(crate) fn command(id: &str, request: &str) -> Command {
    Command {
        aggregate: AggregateKey::new("default", "account", id).unwrap(),
        request: request.parse::<RequestId>().unwrap(),
        name: "deposit".parse().unwrap(),
        schema: format!("{:032x}", 7).parse::<SchemaHash>().unwrap(),
        data: Json::try_from("{\"amount\":1}".to_owned()).unwrap(),
        fingerprint: Fingerprint::from([1; 32]),
        expected_sequence: None,
        deadline: None,
        reply_to: ReplyAddress {
            channel: Arc::from("channel"),
            nonce: 1,
        },
        time: Timestamp::default(),
    }
}

pub(crate) async fn append(home: &Home, id: &str, request: &str) -> ordain_ports::Position {
    match home.append(command(id, request)).unwrap().await {
        Delivered::At(position) => position,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn records(lane: &dyn Lane<Command>, most: usize) -> Vec<Record<Command>> {
    match timeout(Duration::from_secs(5), lane.next(most, usize::MAX))
        .await
        .unwrap()
        .unwrap()
    {
        Input::Records(records) => records,
        Input::Revoked => panic!("revoked"),
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_opening_again() {
    let directory = tempfile::tempdir().unwrap();
    let one = Settings {
        partitions: Some(1),
        ..settings()
    };
    let home = Home::open(directory.path(), &one).unwrap();
    let position = append(&home, "a", "r1").await;
    home.close().await;
    drop(home);
    let home = Home::open(directory.path(), &settings()).unwrap();
    assert_eq!((home.partitions(), home.event_partitions()), (1, 1));
    let mut feed = home.join_requests();
    let lane = feed.lane().await.unwrap().unwrap();
    let read = records(&*lane, 10).await;
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].position, position);
    assert_eq!(
        read[0].content,
        ordain_ports::Content::Whole(command("a", "r1"))
    );
}
