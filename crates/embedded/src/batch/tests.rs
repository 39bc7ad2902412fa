//! What the writer remembers of numbers is what it would read, or nothing.

use std::path::Path;
use std::sync::Arc;

use fjall::PersistMode;

use super::Batch;
use crate::Settings;
use crate::log::{Kind, Log};
use crate::tables::{Table, Tables};

/// A batch on tables in this directory that remembers so many numbers.
fn batch(directory: &Path, numbers_max: usize) -> Batch {
    let settings = Settings::default();
    let tables = Arc::new(Tables::open(directory, &settings).unwrap());
    let requests = Arc::new(Log::open(Kind::Requests, 1, &tables, &settings).unwrap());
    let events = Arc::new(Log::open(Kind::Events, 1, &tables, &settings).unwrap());
    Batch::new(tables, requests, events, numbers_max)
}

impl Batch {
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
