//! A feed whose lanes are revoked, lost and paused as told.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ordain_ports::{Action, Error, Feed as FeedPort, Input, Lane as LanePort};
use tokio::sync::watch;

use super::plan::{Plan, lock, planned};
use crate::Gate;

/// What happens to a saving of progress.
#[derive(Debug, Clone)]
pub enum Save {
    /// Nothing is saved.
    Unavailable,
    /// It is saved; the answer is lost.
    AnswerLost,
    /// Nothing is saved; another member has the partition.
    Fenced,
    /// The saving stops at this gate before it is sent.
    PausedBefore(Gate),
    /// The saving stops at this gate once it is done.
    PausedAfter(Gate),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    Held,
    Revoked,
    Fenced,
}

#[derive(Debug, Default)]
struct Told {
    holds: Mutex<HashMap<u32, watch::Sender<Hold>>>,
    nexts: Mutex<HashMap<u32, Gate>>,
    saves: Mutex<HashMap<u32, Arc<Plan<Save>>>>,
    saved: Mutex<Vec<(u32, u64)>>,
    lanes: Mutex<VecDeque<Action>>,
}

/// What the test tells the lanes of one feed. Clones speak to the same lanes.
#[derive(Debug, Clone, Default)]
pub struct Control(Arc<Told>);

impl Control {
    /// The lane of this partition reads `Revoked` next, and may still save. Says whether it was
    /// given out at all.
    #[must_use]
    pub fn revoke(&self, partition: u32) -> bool {
        self.hold(partition, Hold::Revoked)
    }

    /// The lane of this partition reads `Revoked` next, and can save no more. Says whether it was
    /// given out at all.
    #[must_use]
    pub fn fence(&self, partition: u32) -> bool {
        self.hold(partition, Hold::Fenced)
    }

    /// Every `next` of this partition's lanes stops at this gate first.
    pub fn pause_next(&self, partition: u32, gate: Gate) {
        lock(&self.0.nexts).insert(partition, gate);
    }

    /// The next saving of this partition's lane meets this.
    pub fn plan_save(&self, partition: u32, fault: Save) {
        self.saves(partition).add(None, fault);
    }

    /// The next lane that the member asks for is not given out: an error asks for this action
    /// instead.
    pub fn plan_lane(&self, action: Action) {
        lock(&self.0.lanes).push_back(action);
    }

    /// Whether all errors that were planned instead of lanes have happened.
    #[must_use]
    pub fn is_lane_plan_done(&self) -> bool {
        lock(&self.0.lanes).is_empty()
    }

    /// The progress that was to be saved, (partition, offset) in order, whatever became of it.
    #[must_use]
    pub fn saves_asked(&self) -> Vec<(u32, u64)> {
        lock(&self.0.saved).clone()
    }

    fn hold(&self, partition: u32, hold: Hold) -> bool {
        lock(&self.0.holds).get(&partition).is_some_and(|lane| lane.send(hold).is_ok())
    }

    fn saves(&self, partition: u32) -> Arc<Plan<Save>> {
        lock(&self.0.saves).entry(partition).or_insert_with(|| Arc::new(Plan::new())).clone()
    }
}

/// Wraps a feed.
pub struct Feed<R> {
    inner: Box<dyn FeedPort<R>>,
    control: Control,
}

impl<R: Send + 'static> Feed<R> {
    /// Wraps this feed; until its control is told something, all goes through.
    #[must_use]
    pub fn wrap(inner: Box<dyn FeedPort<R>>) -> (Box<dyn FeedPort<R>>, Control) {
        let control = Control::default();
        (Box::new(Self { inner, control: control.clone() }), control)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<R: Send + 'static> FeedPort<R> for Feed<R> {
    async fn lane(&mut self) -> Result<Option<Box<dyn LanePort<R>>>, Error> {
        let fault = lock(&self.control.0.lanes).pop_front();
        if let Some(action) = fault {
            return Err(planned(action));
        }
        let Some(inner) = self.inner.lane().await? else {
            return Ok(None);
        };
        let sender = watch::Sender::new(Hold::Held);
        let hold = sender.subscribe();
        lock(&self.control.0.holds).insert(inner.partition(), sender);
        Ok(Some(Box::new(Lane { inner, control: self.control.clone(), hold })))
    }

    fn leave(&mut self) {
        self.inner.leave();
    }
}

/// Wraps a lane.
pub struct Lane<R> {
    inner: Box<dyn LanePort<R>>,
    control: Control,
    hold: watch::Receiver<Hold>,
}

impl<R> Lane<R> {
    fn is_fenced(&self) -> bool {
        *self.hold.borrow() == Hold::Fenced
    }

    async fn save_checked(&self, progress: u64) -> Result<(), Error> {
        if self.is_fenced() {
            return Err(planned(Action::Stop));
        }
        self.inner.save(progress).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<R: Send + 'static> LanePort<R> for Lane<R> {
    fn partition(&self) -> u32 {
        self.inner.partition()
    }

    fn progress(&self) -> Option<u64> {
        self.inner.progress()
    }

    async fn next(&self, records_max: usize, bytes_max: usize) -> Result<Input<R>, Error> {
        let gate = lock(&self.control.0.nexts).get(&self.inner.partition()).cloned();
        if let Some(gate) = gate {
            gate.pass().await;
        }
        let mut hold = self.hold.clone();
        tokio::select! {
            biased;
            // A control that is gone tells nothing more; then only the inner lane counts.
            Ok(_) = hold.wait_for(|hold| *hold != Hold::Held) => Ok(Input::Revoked),
            input = self.inner.next(records_max, bytes_max) => input,
        }
    }

    async fn save(&self, progress: u64) -> Result<(), Error> {
        let partition = self.inner.partition();
        lock(&self.control.0.saved).push((partition, progress));
        match self.control.saves(partition).take(&[]) {
            None => self.save_checked(progress).await,
            Some(Save::Unavailable) => Err(planned(Action::TryAgain)),
            Some(Save::Fenced) => Err(planned(Action::Stop)),
            Some(Save::AnswerLost) => {
                self.save_checked(progress).await?;
                Err(planned(Action::TryAgain))
            }
            Some(Save::PausedBefore(gate)) => {
                gate.pass().await;
                self.save_checked(progress).await
            }
            Some(Save::PausedAfter(gate)) => {
                let saved = self.save_checked(progress).await;
                gate.pass().await;
                saved
            }
        }
    }

    fn is_revoked(&self) -> bool {
        *self.hold.borrow() != Hold::Held || self.inner.is_revoked()
    }
}
