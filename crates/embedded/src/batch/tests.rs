//! What the writer remembers of numbers is what it would read, or nothing; and lanes have their
//! commands before these are durable, where that is allowed.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use fjall::PersistMode;
use ordain_model::Timestamp;
use ordain_ports::{Content, Damaged};
use tokio::sync::Notify;

use super::Batch;
use crate::home::tests::command;
use crate::log::{Entry, Found, Kind, Log, Share};
use crate::record::Recorded as _;
use crate::tables::{Table, Tables};
use crate::{Settings, record};

/// Whether a lane that waits so was woken since it was asked last.
fn is_woken(signal: &Notify) -> bool {
    let woken = pin!(signal.notified());
    woken.poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// A batch on tables in this directory that remembers so many numbers.
fn batch(directory: &Path, numbers_max: usize) -> Batch {
    batch_with(directory, &Settings { heads_max: numbers_max, ..Settings::default() })
}

/// A batch that hands over early, on tables in this directory.
pub(crate) fn batch_with(directory: &Path, settings: &Settings) -> Batch {
    let tables = Arc::new(Tables::open(directory, settings).unwrap());
    let requests = Arc::new(Log::open(Kind::Requests, 3, &tables, settings).unwrap());
    let events = Arc::new(Log::open(Kind::Events, 1, &tables, settings).unwrap());
    Batch::new(tables, requests, events, settings.heads_max).handing_over_early(true)
}

impl Batch {
    pub(crate) const fn hands_over_early(&self) -> bool {
        self.hands_over_early
    }

    fn append(&mut self, partition: u32) {
        let (time, payload) = (Timestamp::default(), command("a", "r").encode().unwrap());
        let content = Content::Whole(command("a", "r"));
        let entry = Entry { offset: 0, time, bytes: payload.len(), content };
        self.append_request(partition, record::timed(time, &payload), entry);
    }

    /// What the lane of a partition finds from an offset on.
    fn found(&self, partition: u32, from: u64) -> String {
        let share = Share { records_max: 100, bytes_max: usize::MAX };
        match self.requests.log.find(partition, from, share) {
            Found::Nothing => "nothing".to_owned(),
            Found::InMemory(entries) => format!("{} in memory", entries.len()),
            Found::OnDisk(from) => format!("on disk from {from}"),
        }
    }

    /// Lets a lane wait for records of a partition.
    fn lane(&self, partition: u32) -> Arc<Notify> {
        let signal = Arc::new(Notify::new());
        self.requests.log.wake_on_new(partition, &signal);
        signal
    }

    fn put_number(&mut self, table: Table, key: &[u8], number: u64) {
        self.put_numbered(table, (key.to_vec(), number), number.to_be_bytes());
    }

    fn end(&mut self) {
        self.commit(PersistMode::SyncData).unwrap();
        self.show();
    }
}

fn key(number: u64) -> Vec<u8> {
    format!("a key that is longer than what is kept beside its length: {number}").into_bytes()
}

#[test]
fn a_number_that_was_written_is_not_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut batch = batch(directory.path(), 10);
    batch.put_number(Table::Marks, &key(1), 7);
    batch.end();
    // Taken away behind its back: it does not look.
    batch.tables().keyspace(Table::Marks).remove(key(1)).unwrap();
    assert_eq!(batch.number(Table::Marks, &key(1)).unwrap(), Some(7));
    assert_eq!(batch.number(Table::Rows, &key(1)).unwrap(), None, "of another table");
    assert_eq!(batch.number(Table::Marks, &key(2)).unwrap(), None, "of another key");
}

#[test]
fn numbers_that_were_forgotten_are_read_from_the_batch_and_from_the_tables() {
    let directory = tempfile::tempdir().unwrap();
    let mut batch = batch(directory.path(), 2);
    (0..100).for_each(|number| batch.put_number(Table::Rows, &key(number), number));
    assert!(batch.numbers.len() <= 2, "{} numbers", batch.numbers.len());
    let all = |batch: &Batch| -> Vec<u64> {
        (0..100).filter_map(|number| batch.number(Table::Rows, &key(number)).unwrap()).collect()
    };
    assert_eq!(all(&batch), (0..100).collect::<Vec<_>>(), "before they are durable");
    batch.end();
    assert_eq!(all(&batch), (0..100).collect::<Vec<_>>());
}

#[test]
fn a_number_does_not_outlive_its_value() {
    let directory = tempfile::tempdir().unwrap();
    let mut batch = batch(directory.path(), 10);
    batch.put_number(Table::Notes, &key(1), 7);
    batch.put_number(Table::Notes, &key(2), 7);
    batch.end();
    batch.remove(Table::Notes, key(1));
    batch.put(Table::Notes, key(2), 9_u64.to_be_bytes());
    let numbers =
        |batch: &Batch| [1, 2].map(|number| batch.number(Table::Notes, &key(number)).unwrap());
    assert_eq!(numbers(&batch), [None, Some(9)], "before it is durable");
    batch.end();
    assert_eq!(numbers(&batch), [None, Some(9)]);
}

#[test]
fn the_numbers_of_a_directory_that_is_opened_again_are_those_that_became_durable() {
    let directory = tempfile::tempdir().unwrap();
    let mut before = batch(directory.path(), 10);
    before.put_number(Table::Marks, &key(1), 7);
    before.end();
    before.put_number(Table::Marks, &key(1), 8);
    // The batch fails: nothing of it is written, and its writer goes.
    drop(before);
    let after = batch(directory.path(), 10);
    assert_eq!(after.number(Table::Marks, &key(1)).unwrap(), Some(7));
}

#[test]
fn a_lane_has_its_commands_before_they_are_durable_and_in_memory_until_they_are() {
    let directory = tempfile::tempdir().unwrap();
    // A record a partition.
    let settings = Settings { tail_records_max: 3, ..Settings::default() };
    let mut batch = batch_with(directory.path(), &settings);
    batch.append(0);
    batch.append(0);
    assert_eq!(batch.found(0, 0), "nothing", "not handed over");
    batch.hand_over();
    assert_eq!(batch.found(0, 0), "2 in memory", "nowhere else yet");
    batch.end();
    assert_eq!(batch.found(0, 0), "on disk from 0");
}

#[test]
fn where_only_what_is_durable_is_handed_over_a_lane_has_nothing_before() {
    let directory = tempfile::tempdir().unwrap();
    let mut batch = batch(directory.path(), 10).handing_over_early(false);
    let signal = batch.lane(0);
    batch.append(0);
    assert_eq!(batch.hand_over(), 0, "nobody is waited for");
    assert_eq!(batch.found(0, 0), "nothing");
    assert!(!is_woken(&signal));
    batch.end();
    assert_eq!(batch.found(0, 0), "1 in memory");
    assert!(is_woken(&signal));
}

#[test]
fn a_lane_is_woken_whenever_it_is_given_more() {
    let directory = tempfile::tempdir().unwrap();
    let mut batch = batch(directory.path(), 10);
    let signals = [0, 1].map(|partition| batch.lane(partition));
    for times in 1..=3 {
        signals.iter().zip(0..).for_each(|(_, partition)| batch.append(partition));
        batch.hand_over();
        let woken = signals.each_ref().map(|signal| is_woken(signal));
        assert_eq!(woken, [true, true], "the {times}. time in one batch");
    }
}

#[test]
fn only_lanes_with_undecided_commands_of_the_batch_are_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let mut batch = batch(directory.path(), 10);
    batch.append(0);
    assert_eq!(batch.hand_over(), 0, "nobody reads");
    let signals = [0, 1, 2].map(|partition| batch.lane(partition));
    batch.append(0);
    assert_eq!(batch.hand_over(), 1);
    batch.append(1);
    assert_eq!(batch.hand_over(), 2);
    batch.decides(0);
    assert_eq!(batch.hand_over(), 1, "one has decided");
    assert_eq!(batch.found(1, 1), "nothing");
    assert_eq!(batch.hand_over(), 0, "the other has done with it, and wrote nothing");
    batch.end();
    batch.append(2);
    assert_eq!(batch.hand_over(), 1, "what the first one is still at is not of this batch");
    batch.append(0);
    assert_eq!(batch.hand_over(), 2, "but this is");
    drop(signals);
    batch.append(0);
    batch.append(2);
    assert_eq!(batch.hand_over(), 0, "they are gone");
}

#[test]
fn followers_have_events_only_once_they_are_durable() {
    let directory = tempfile::tempdir().unwrap();
    let mut batch = batch(directory.path(), 10);
    let content = Content::Damaged(Damaged { named: None, why: String::new(), bytes: Vec::new() });
    batch.append_event(
        0,
        vec![0; 8],
        Entry { offset: 0, time: Timestamp::default(), bytes: 0, content },
    );
    batch.hand_over();
    assert_eq!(batch.events.log.ends(), [0]);
    batch.end();
    assert_eq!(batch.events.log.ends(), [1]);
}
