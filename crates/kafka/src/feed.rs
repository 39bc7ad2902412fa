//! Feeds: a member of a group, and what it shares with the thread that speaks to the brokers.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;

use async_trait::async_trait;
use ordain_ports::{Error, Feed, Lane};
use tokio::sync::{Notify, oneshot};

use self::lane::{Hold, Reader};
use crate::fault::Fault;
use crate::record::Recorded;
use crate::settings::Settings;

mod clerk;
mod config;
mod handover;
mod lane;
mod members;
mod moving;
mod reading;
mod saves;
mod session;
mod slot;
mod standing;
mod thread;

pub(crate) use members::Members;
pub use standing::ReportMember;
use standing::Standing;

/// What a member joins, and who is told of it.
pub(crate) struct Joining<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) topic: &'a str,
    pub(crate) group: &'a str,
    pub(crate) partitions: u32,
    pub(crate) report: &'a ReportMember,
    pub(crate) members: &'a Members,
}

/// What the thread of a member is asked to do.
pub(crate) enum Order {
    /// Save that everything below is done.
    Save { partition: u32, lane: u64, progress: u64, told: oneshot::Sender<Result<(), Fault>> },
    /// A lane was dropped.
    Dropped { partition: u32, lane: u64 },
    /// Revoke everything, wait for the lanes to be dropped, leave the group.
    Leave,
    /// Leave the group at once.
    Crash,
    /// An answer of the thread that waits for the brokers.
    Answer(clerk::Answer),
}

/// What a member, its lanes and its thread share.
pub(crate) struct Desk<R> {
    /// What the thread has not taken yet; nothing once it has ended.
    orders: Mutex<Option<Vec<Order>>>,
    thread: OnceLock<Thread>,
    /// Lanes that nobody has taken yet.
    offered: Mutex<VecDeque<Arc<Hold<R>>>>,
    /// All lanes that the member has, taken or not.
    held: Mutex<Vec<Arc<Hold<R>>>>,
    offer: Notify,
    /// Why there will be no more lanes, when there will not.
    broken: Mutex<Option<Fault>>,
    left: AtomicBool,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<R> Desk<R> {
    /// Asks the thread to do something.
    pub(crate) fn order(&self, order: Order) {
        if let Some(orders) = lock(&self.orders).as_mut() {
            orders.push(order);
        }
        self.wake();
    }

    /// Lets the thread look around.
    pub(crate) fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    fn take_orders(&self) -> Vec<Order> {
        lock(&self.orders).as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The thread ends: nothing is ordered any more, and who has ordered something is told so.
    fn close(&self) {
        self.end_lanes();
        lock(&self.orders).take();
        self.offer.notify_one();
    }

    /// Gives a lane out.
    fn offer(&self, hold: &Arc<Hold<R>>) {
        lock(&self.held).push(Arc::clone(hold));
        lock(&self.offered).push_back(Arc::clone(hold));
        self.offer.notify_one();
    }

    /// Takes a lane back that nobody has taken. Says whether it was still there.
    fn take_back(&self, lane: u64) -> bool {
        let mut offered = lock(&self.offered);
        let before = offered.len();
        offered.retain(|hold| hold.id != lane);
        before != offered.len()
    }

    /// A lane is no more.
    fn forget(&self, lane: u64) {
        lock(&self.held).retain(|hold| hold.id != lane);
    }

    fn revoke_all(&self) {
        lock(&self.held).iter().for_each(|hold| hold.revoke());
    }

    fn fence_all(&self) {
        lock(&self.held).iter().for_each(|hold| hold.fence());
    }

    /// A membership has ended: its lanes count no more, and those that nobody took are no more.
    fn end_lanes(&self) {
        self.fence_all();
        for untaken in lock(&self.offered).drain(..) {
            self.forget(untaken.id);
        }
    }

    fn has_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    fn has_ended(&self) -> bool {
        lock(&self.orders).is_none()
    }

    fn give_up(&self, fault: Fault) {
        *lock(&self.broken) = Some(fault);
        self.offer.notify_one();
    }
}

/// A member of a group.
pub(crate) struct Member<R> {
    desk: Arc<Desk<R>>,
}

impl<R: Recorded> Member<R> {
    /// Joins the group, in time: a thread of its own sees to it.
    pub(crate) fn join(joining: &Joining<'_>) -> Self {
        let desk = Arc::new(Desk {
            orders: Mutex::new(Some(Vec::new())),
            thread: OnceLock::new(),
            offered: Mutex::default(),
            held: Mutex::default(),
            offer: Notify::new(),
            broken: Mutex::default(),
            left: AtomicBool::new(false),
        });
        let run = thread::Run {
            settings: joining.settings.clone(),
            topic: joining.topic.to_owned(),
            group: joining.group.to_owned(),
            partitions: joining.partitions,
            standing: Standing::new(joining.group, joining.report),
            desk: Arc::clone(&desk),
        };
        let member = joining.members.one();
        let started = std::thread::Builder::new().name("kafka-feed".to_owned());
        let begin = move || {
            run.run();
            drop(member);
        };
        if let Err(error) = started.spawn(begin) {
            desk.give_up(Fault::Thread(error));
            desk.close();
        }
        Self { desk }
    }
}

#[async_trait]
impl<R: Recorded> Feed<R> for Member<R> {
    async fn lane(&mut self) -> Result<Option<Box<dyn Lane<R>>>, Error> {
        loop {
            if self.desk.has_left() {
                return Ok(None);
            }
            if let Some(fault) = lock(&self.desk.broken).take() {
                return Err(fault.into());
            }
            if self.desk.has_ended() {
                return Err(Fault::Ended.into());
            }
            if let Some(hold) = lock(&self.desk.offered).pop_front() {
                let desk = Arc::clone(&self.desk);
                return Ok(Some(Box::new(Reader { hold, desk })));
            }
            self.desk.offer.notified().await;
        }
    }

    fn leave(&mut self) {
        if !self.desk.left.swap(true, Ordering::AcqRel) {
            self.desk.revoke_all();
            self.desk.order(Order::Leave);
        }
    }
}

impl<R> Drop for Member<R> {
    /// Without `leave` it is a crash: nothing that its lanes do counts any more.
    fn drop(&mut self) {
        if !self.desk.has_left() {
            self.desk.fence_all();
            self.desk.order(Order::Crash);
        }
    }
}

#[cfg(test)]
mod tests;
