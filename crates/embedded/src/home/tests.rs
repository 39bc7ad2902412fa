//! What the contracts of the ports cannot see: the directory itself, and what opens it.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use ordain_model::{
    AggregateKey, Command, Fingerprint, Json, ReplyAddress, RequestId, SchemaHash, Timestamp,
};
use ordain_ports::{
    Action, CommandLog as _, Content, Delivered, Input, Lane, NotAccepted, Position, Record,
};
use tokio::time::timeout;

use crate::{Home, OpenError, Settings};

pub(crate) fn settings() -> Settings {
    Settings { free_bytes_min: 0, free_bytes_min_commands: 0, ..Settings::default() }
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
        reply_to: ReplyAddress { channel: Arc::from("channel"), nonce: 1 },
        time: Timestamp::default(),
        trace: None,
    }
}

pub(crate) async fn append(home: &Home, id: &str, request: &str) -> ordain_ports::Position {
    match home.append(command(id, request)).unwrap().await {
        Delivered::At(position) => position,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn records(lane: &dyn Lane<Command>, most: usize) -> Vec<Record<Command>> {
    match timeout(Duration::from_secs(5), lane.next(most, usize::MAX)).await.unwrap().unwrap() {
        Input::Records(records) => records,
        other @ (Input::Gone(_) | Input::Revoked) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_opening_again() {
    let directory = tempfile::tempdir().unwrap();
    let one = Settings { partitions: Some(1), ..settings() };
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
    assert_eq!(read[0].content, ordain_ports::Content::Whole(command("a", "r1")));
}

fn partitions(count: u32) -> Settings {
    Settings { partitions: Some(count), ..settings() }
}

async fn lane(home: &Home) -> (Box<dyn ordain_ports::Feed<Command>>, Box<dyn Lane<Command>>) {
    let mut feed = home.join_requests();
    let lane = timeout(Duration::from_secs(5), feed.lane()).await.unwrap().unwrap().unwrap();
    (feed, lane)
}

#[tokio::test]
async fn the_holder_of_a_directory_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::open(directory.path(), &settings()).unwrap();
    let refused = Home::open(directory.path(), &settings()).unwrap_err();
    let OpenError::Held { pid, since, .. } = &refused else { panic!("{refused:?}") };
    assert_eq!(*pid, std::process::id().to_string());
    since.parse::<Timestamp>().unwrap();
    assert!(refused.to_string().contains(&format!("in use by process {pid} since {since}")));
    home.close().await;
    // Closed is enough, though the handle is still there.
    Home::open(directory.path(), &settings()).unwrap();
    assert_eq!(home.append(command("a", "r")).unwrap_err(), NotAccepted::Closed);
}

#[tokio::test]
async fn dropping_everything_lets_go_of_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::open(directory.path(), &partitions(1)).unwrap();
    let (feed, lane) = lane(&home).await;
    drop(home);
    assert!(Home::open(directory.path(), &settings()).is_err());
    drop((feed, lane));
    Home::open(directory.path(), &settings()).unwrap();
}

#[test]
fn a_newer_format_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(Home::open(directory.path(), &settings()).unwrap());
    let format = directory.path().join("ordain.format");
    fs::write(&format, r#"{"format": 4, "something": "else"}"#).unwrap();
    let refused = Home::open(directory.path(), &settings()).unwrap_err();
    assert!(matches!(refused, OpenError::Newer { found: 4, .. }), "{refused:?}");
    fs::write(&format, "{").unwrap();
    let refused = Home::open(directory.path(), &settings()).unwrap_err();
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused:?}");
}

/// Else a build that knows no traces could open what holds some, and would drop those records.
#[test]
fn a_directory_of_the_first_format_is_one_of_the_newest_once_it_was_opened() {
    let directory = tempfile::tempdir().unwrap();
    drop(Home::open(directory.path(), &settings()).unwrap());
    let format = directory.path().join("ordain.format");
    let newest = fs::read_to_string(&format).unwrap();
    let first = newest.replacen(r#""format":3"#, r#""format":1"#, 1);
    assert_ne!(first, newest);
    fs::write(&format, first).unwrap();
    drop(Home::open(directory.path(), &settings()).unwrap());
    assert_eq!(fs::read_to_string(&format).unwrap(), newest);
}

#[test]
fn fewer_partitions_are_refused_and_so_are_none_and_too_many() {
    let directory = tempfile::tempdir().unwrap();
    drop(Home::open(directory.path(), &partitions(3)).unwrap());
    let refused = Home::open(directory.path(), &partitions(2)).unwrap_err();
    assert!(matches!(refused, OpenError::Fewer { had: 3, asked: 2, .. }), "{refused:?}");
    let events = Settings { event_partitions: Some(4), ..settings() };
    let refused = Home::open(directory.path(), &events).unwrap_err();
    assert!(matches!(refused, OpenError::EventPartitions { had: 3, asked: 4, .. }), "{refused:?}");
    for count in [0, 1_025] {
        let other = tempfile::tempdir().unwrap();
        let refused = Home::open(other.path(), &partitions(count)).unwrap_err();
        assert!(matches!(refused, OpenError::Partitions { .. }), "{refused:?}");
    }
}

#[tokio::test]
async fn more_partitions_keep_the_old_records_and_are_remembered() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::open(directory.path(), &partitions(1)).unwrap();
    append(&home, "a", "r1").await;
    home.close().await;
    let home = Home::open(directory.path(), &partitions(4)).unwrap();
    assert_eq!((home.partitions(), home.event_partitions()), (4, 1));
    assert_eq!(home.inner.requests.ends(), [1, 0, 0, 0]);
    for number in 0..20 {
        append(&home, &format!("b{number}"), "r1").await;
    }
    home.close().await;
    let home = Home::open(directory.path(), &settings()).unwrap();
    let ends = home.inner.requests.ends();
    assert!(ends.len() == 4 && ends.iter().sum::<u64>() == 21 && ends[3] > 0, "{ends:?}");
}

#[test]
fn a_foreign_directory_and_a_file_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("thesis.tex"), "x").unwrap();
    let refused = Home::open(directory.path(), &settings()).unwrap_err();
    assert!(matches!(refused, OpenError::Foreign { .. }), "{refused:?}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    let refused = Home::open(&directory.path().join("thesis.tex"), &settings()).unwrap_err();
    assert!(matches!(refused, OpenError::NotADirectory { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_directory_that_was_never_finished_is_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::open(directory.path(), &settings()).unwrap();
    home.close().await;
    fs::remove_file(directory.path().join("ordain.format")).unwrap();
    fs::remove_file(directory.path().join("ordain.store/version")).unwrap();
    let home = Home::open(directory.path(), &partitions(2)).unwrap();
    append(&home, "a", "r1").await;
}

/// Everything a lane gives, read in steps of so many records.
async fn all(home: &Home, step: usize) -> Vec<Record<Command>> {
    let (_feed, lane) = lane(home).await;
    let mut all = Vec::new();
    while (all.len() as u64) < home.inner.requests.ends()[0] {
        all.extend(records(&*lane, step).await);
    }
    all
}

#[tokio::test]
async fn the_disk_and_the_memory_give_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::open(directory.path(), &partitions(1)).unwrap();
    let mut named = vec![1];
    named.extend_from_slice(b"\x11default/account/a\x02r1");
    for bytes in [&b""[..], b"\x01", b"not a record", b"\x02newer", &named] {
        home.append_raw(0, bytes).unwrap().await;
    }
    for number in 0..40 {
        append(&home, &format!("a{number}"), "r1").await;
    }
    let memory = all(&home, 7).await;
    home.close().await;
    let home = Home::open(directory.path(), &settings()).unwrap();
    assert_eq!(all(&home, 7).await, memory);
    home.close().await;
    // A memory of ten records: most come from the disk, then the newest from the memory.
    let small = Settings { tail_records_max: 10, ..settings() };
    let home = Home::open(directory.path(), &small).unwrap();
    for number in 0..20 {
        append(&home, &format!("b{number}"), "r1").await;
    }
    let mixed = all(&home, 7).await;
    assert_eq!(mixed[..memory.len()], memory);
    assert_eq!(mixed.len(), memory.len() + 20);
    assert!(mixed.iter().zip(0..).all(|(record, offset)| record.position.offset == offset));
}

#[tokio::test]
async fn foreign_bytes_are_given_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::open(directory.path(), &partitions(1)).unwrap();
    let mut named = vec![1];
    named.extend_from_slice(b"\x11default/account/a\x02r1\xff");
    let mut too_long = crate::record::encode(&command("a", "r2")).unwrap();
    too_long.push(0);
    let whole = crate::record::encode(&command("a", "r3")).unwrap();
    for bytes in [&b"?"[..], &named, &too_long, &whole] {
        home.append_raw(9, bytes).unwrap().await;
    }
    let read = all(&home, 10).await;
    let names = |id: &str| Some((command("a", id).aggregate, id.parse().unwrap()));
    let expected = [(None, &b"?"[..]), (names("r1"), &named), (names("r2"), &too_long)];
    for (record, (named, bytes)) in read.iter().zip(expected) {
        let Content::Damaged(damaged) = &record.content else { panic!("{record:?}") };
        assert_eq!((&damaged.named, &*damaged.bytes), (&named, bytes));
    }
    assert_eq!(read[3].content, Content::Whole(command("a", "r3")));
}

#[tokio::test]
async fn offsets_go_on_behind_deleted_records() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::open(directory.path(), &partitions(1)).unwrap();
    for number in 0..3 {
        append(&home, "a", &format!("r{number}")).await;
    }
    let (feed, held) = lane(&home).await;
    held.save(3).await.unwrap();
    home.prune(Timestamp::from_nanoseconds(i64::MAX)).await.unwrap();
    drop((feed, held));
    home.close().await;
    let home = Home::open(directory.path(), &settings()).unwrap();
    assert_eq!(home.ends().await.unwrap(), [3]);
    assert_eq!(append(&home, "a", "r3").await, Position { partition: 0, offset: 3 });
    let (_feed, lane) = lane(&home).await;
    assert_eq!(records(&*lane, 10).await[0].position.offset, 3);
}

#[tokio::test]
async fn closing_writes_what_waits() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::open(directory.path(), &partitions(1)).unwrap();
    let append = |number| home.append(command("a", &format!("r{number}"))).unwrap();
    let deliveries: Vec<_> = (0..100).map(append).collect();
    home.close().await;
    for delivery in deliveries {
        assert!(matches!(delivery.await, Delivered::At(_)));
    }
}

#[tokio::test]
async fn a_closed_home_ends_what_waits_in_errors() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::open(directory.path(), &partitions(1)).unwrap();
    let (mut feed, lane) = lane(&home).await;
    let closing = home.clone();
    let (next, another, ()) = tokio::join!(lane.next(1, 1), feed.lane(), closing.close());
    assert_eq!(next.unwrap_err().action(), Action::CallPerson);
    assert!(another.is_err());
    assert!(lane.save(1).await.is_err());
}

#[tokio::test]
async fn without_space_commands_are_refused_before_decisions() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::open(directory.path(), &partitions(1)).unwrap();
    append(&home, "a", "r1").await;
    home.close().await;
    let short = Settings { free_bytes_min_commands: u64::MAX, ..settings() };
    let home = Home::open(directory.path(), &short).unwrap();
    let refused = home.append(command("a", "r2")).unwrap().await;
    assert_eq!(refused, Delivered::Not(NotAccepted::NoSpace));
    assert_eq!(home.ends().await.unwrap(), [1]);
    let (_feed, lane) = lane(&home).await;
    lane.save(1).await.unwrap();
    home.close().await;
    let none = Settings { free_bytes_min: u64::MAX, ..short };
    let home = Home::open(directory.path(), &none).unwrap();
    let (_feed, lane) = self::lane(&home).await;
    assert_eq!(lane.save(2).await.unwrap_err().action(), Action::TryAgain);
    assert_eq!(home.progress().await.unwrap(), [Some(1)]);
}

#[tokio::test]
async fn after_a_failure_nobody_who_waited_is_answered_and_nothing_more_is_taken() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::open(directory.path(), &partitions(1)).unwrap();
    append(&home, "a", "r1").await;
    let (_feed, lane) = lane(&home).await;
    // The store fails under the batch that this is in.
    let failing = home.clone();
    let failing = tokio::spawn(async move {
        let fails = |_: &mut crate::batch::Batch| Err::<(), _>(fjall::Error::Poisoned);
        failing.inner.write(0, fails).await.is_ok()
    });
    timeout(Duration::from_secs(5), home.failed()).await.unwrap();
    let quiet = Duration::from_millis(200);
    assert!(timeout(quiet, failing).await.is_err(), "who waited for the write was answered");
    assert_eq!(home.append(command("a", "r2")).unwrap_err(), NotAccepted::Closed);
    assert_eq!(lane.save(1).await.unwrap_err().action(), Action::CallPerson);
    assert_eq!(home.ends().await.unwrap(), [1]);
    // Closing does not hang, and does not let go of a directory that may still be written to.
    timeout(Duration::from_secs(5), home.close()).await.unwrap();
    assert!(matches!(Home::open(directory.path(), &settings()), Err(OpenError::Held { .. })));
}

#[tokio::test]
async fn a_writer_that_panics_has_failed_as_one_whose_write_failed() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::open(directory.path(), &partitions(1)).unwrap();
    append(&home, "a", "r1").await;
    let panicking = home.clone();
    let panicking = tokio::spawn(async move {
        let panics = |_: &mut crate::batch::Batch| -> crate::tables::Result<()> {
            panic!("as the test wants")
        };
        panicking.inner.write(0, panics).await.is_ok()
    });
    let failure = timeout(Duration::from_secs(5), home.failed()).await.unwrap();
    assert!(failure.to_string().contains("as the test wants"), "{failure}");
    let quiet = Duration::from_millis(200);
    assert!(timeout(quiet, panicking).await.is_err(), "who waited for the write was answered");
    assert_eq!(home.append(command("a", "r2")).unwrap_err(), NotAccepted::Closed);
    timeout(Duration::from_secs(5), home.close()).await.unwrap();
}

#[tokio::test]
async fn a_writer_that_panics_while_it_answers_has_failed_too() {
    struct Panics;
    impl crate::batch::Work for Panics {
        fn bytes(&self) -> usize {
            0
        }
        fn stage(&mut self, _: &mut crate::batch::Batch) -> crate::tables::Result<()> {
            Ok(())
        }
        fn finish(self: Box<Self>) {
            panic!("as the test wants");
        }
        fn refuse(self: Box<Self>) {}
    }
    let directory = tempfile::tempdir().unwrap();
    let home = Home::open(directory.path(), &partitions(1)).unwrap();
    home.inner.enqueue(Box::new(Panics));
    let failure = timeout(Duration::from_secs(5), home.failed()).await.unwrap();
    assert!(failure.to_string().contains("as the test wants"), "{failure}");
    assert_eq!(home.append(command("a", "r1")).unwrap_err(), NotAccepted::Closed);
}
