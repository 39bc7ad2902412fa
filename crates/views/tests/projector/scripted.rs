//! A feed of one lane that gives what the test says, for records that no log would hold.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ordain_model::{AggregateKey, Timestamp};
use ordain_ports::{Content, Damaged, Error, Feed, Gone, Input, Lane, Position, Published, Record};
use ordain_testkit::until;
use tokio::sync::Notify;

#[derive(Default)]
struct Told {
    gone: Mutex<Option<Gone>>,
    records: Mutex<VecDeque<Record<Published>>>,
    offset: Mutex<u64>,
    saves: Mutex<Vec<u64>>,
    left: Mutex<bool>,
    changed: Notify,
}

/// What the lane gives, and what was saved through it. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Script(Arc<Told>);

impl Script {
    pub(crate) fn feed(&self) -> Box<dyn Feed<Published>> {
        Box::new(OneLane { told: self.clone(), given: false })
    }

    pub(crate) fn add(&self, events: impl IntoIterator<Item = Published>) {
        self.push(events.into_iter().map(Content::Whole).collect());
    }

    pub(crate) fn add_damaged(&self, named: Option<&AggregateKey>) {
        let named = named.map(|aggregate| (aggregate.clone(), "r1".parse().unwrap()));
        let (why, bytes) = ("planned".to_owned(), b"\xff".to_vec());
        self.push(vec![Content::Damaged(Damaged { named, why, bytes })]);
    }

    /// The log has lost its first records, up to this offset, of so many partitions.
    pub(crate) fn lose(&self, to: u64, partitions: u32) {
        *self.0.gone.lock().unwrap() = Some(Gone { from: 0, to, partitions });
        *self.0.offset.lock().unwrap() = to;
        self.0.changed.notify_one();
    }

    fn push(&self, contents: Vec<Content<Published>>) {
        let mut offset = self.0.offset.lock().unwrap();
        for content in contents {
            let position = Position { partition: 0, offset: *offset };
            let record = Record { position, time: Timestamp::default(), bytes: 1, content };
            self.0.records.lock().unwrap().push_back(record);
            *offset += 1;
        }
        self.0.changed.notify_one();
    }

    /// Whether its member was told to leave.
    pub(crate) fn has_left(&self) -> bool {
        *self.0.left.lock().unwrap()
    }

    pub(crate) fn saved(&self) -> Option<u64> {
        self.saves().last().copied()
    }

    /// All progress that was saved, in order.
    pub(crate) fn saves(&self) -> Vec<u64> {
        self.0.saves.lock().unwrap().clone()
    }

    /// Waits until the lane has taken all records.
    pub(crate) async fn taken(&self) {
        let is_taken = || async { self.0.records.lock().unwrap().is_empty().then_some(()) };
        until("all records to be taken", is_taken).await;
    }

    /// Waits until progress was saved up to here.
    pub(crate) async fn saved_up_to(&self, progress: u64) {
        let what = format!("progress {progress}");
        until(&what, || async { (self.saved() >= Some(progress)).then_some(()) }).await;
    }
}

struct OneLane {
    told: Script,
    given: bool,
}

struct TheLane(Script);

#[async_trait]
impl Feed<Published> for OneLane {
    async fn lane(&mut self) -> Result<Option<Box<dyn Lane<Published>>>, Error> {
        if !self.given {
            self.given = true;
            return Ok(Some(Box::new(TheLane(self.told.clone()))));
        }
        if !*self.told.0.left.lock().unwrap() {
            std::future::pending::<()>().await;
        }
        Ok(None)
    }

    fn leave(&mut self) {
        *self.told.0.left.lock().unwrap() = true;
        self.told.0.changed.notify_one();
    }
}

#[async_trait]
impl Lane<Published> for TheLane {
    fn partition(&self) -> u32 {
        0
    }

    fn progress(&self) -> Option<u64> {
        self.0.saved()
    }

    async fn next(&self, records_max: usize, _: usize) -> Result<Input<Published>, Error> {
        loop {
            if self.is_revoked() {
                return Ok(Input::Revoked);
            }
            if let Some(gone) = self.0.0.gone.lock().unwrap().take() {
                return Ok(Input::Gone(gone));
            }
            let records: Vec<_> = {
                let mut waiting = self.0.0.records.lock().unwrap();
                let count = waiting.len().min(records_max);
                waiting.drain(..count).collect()
            };
            if !records.is_empty() {
                return Ok(Input::Records(records));
            }
            self.0.0.changed.notified().await;
        }
    }

    async fn save(&self, progress: u64) -> Result<(), Error> {
        self.0.0.saves.lock().unwrap().push(progress);
        Ok(())
    }

    fn is_revoked(&self) -> bool {
        *self.0.0.left.lock().unwrap()
    }
}
