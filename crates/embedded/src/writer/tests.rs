//! What is in the batch stays in it, whatever comes later; and a run ends in order, or not.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Meters, Writer};
use crate::batch::{self, Batch, Work};
use crate::failure::Failures;
use crate::home::tests::settings;
use crate::queue::{Job, Queue, lock};
use crate::space::Space;
use crate::tables::{self, Table};
use crate::{key, run};

fn writer(directory: &Path) -> Writer {
    let settings = settings();
    Writer {
        queue: Arc::new(Queue::new(&settings)),
        batch: batch::tests::batch_with(&directory.join("store"), &settings),
        space: Space::new(directory.to_owned(), &settings),
        failures: Arc::new(Failures::new()),
        pulse: Arc::default(),
        took: Duration::ZERO,
        meters: Meters::new(),
    }
}

/// What became of works, by their keys.
type Ends = Arc<Mutex<Vec<(&'static str, &'static str)>>>;

/// Writes its key, and says that it has so many bytes.
struct Put(&'static str, usize, Ends);

impl Work for Put {
    fn bytes(&self) -> usize {
        self.1
    }

    fn stage(&mut self, batch: &mut Batch) -> tables::Result<()> {
        batch.put(Table::Notes, self.0.into(), []);
        Ok(())
    }

    fn finish(self: Box<Self>) {
        lock(&self.2).push((self.0, "finished"));
    }

    fn refuse(self: Box<Self>) {
        lock(&self.2).push((self.0, "refused"));
    }
}

#[test]
fn only_what_is_not_in_the_batch_is_refused_when_room_runs_out() {
    let directory = tempfile::tempdir().unwrap();
    let settings = crate::Settings { free_bytes_min: 1, ..settings() };
    let mut writer = writer(directory.path());
    writer.space = Space::new(directory.path().to_owned(), &settings);
    let ends = Ends::default();
    let put = |key, bytes| Job::Work(Box::new(Put(key, bytes, Arc::clone(&ends))));
    let mut jobs = vec![put("first", 1)];
    writer.stage(&mut jobs, 0).unwrap();
    // More than any disk has.
    jobs.push(put("second", usize::MAX / 2));
    writer.stage(&mut jobs, 1).unwrap();
    assert_eq!(*lock(&ends), [("second", "refused")]);
    assert_eq!(jobs.len(), 1, "the first is to be answered");
    writer.batch.commit(super::durability()).unwrap();
    let tables = writer.batch.tables();
    let is_there = |key: &str| tables.contains(Table::Notes, key.as_bytes()).unwrap();
    assert_eq!((is_there("first"), is_there("second")), (true, false));
}

#[test]
fn a_run_ends_in_order_only_where_nothing_has_failed() {
    let leaves_its_note = |failure: Option<&str>| {
        let directory = tempfile::tempdir().unwrap();
        let writer = writer(directory.path());
        let tables = Arc::clone(writer.batch.tables());
        assert!(run::begin(&tables, &writer.space).unwrap());
        failure.into_iter().for_each(|why| writer.failures.report(why));
        writer.queue.close_in_order();
        writer.run();
        tables.contains(Table::Notes, &key::open()).unwrap()
    };
    assert!(!leaves_its_note(None));
    assert!(leaves_its_note(Some("a flush beside the writer")));
}
