//! What feeds promise when everything happens at once: members at work who come and go while
//! records flow.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinHandle};

use super::super::member::{ALL, AnyLane, whole};
use super::super::samples::aggregate;
use super::super::world::{until, within};
use super::super::{Logs, Setup};
use super::Topic;
use crate::{Feed, Input, Lane};

type WeakLane<R> = Weak<dyn Lane<R>>;

/// What many members have seen together.
struct Seen<R> {
    /// Every lane that was given out, by its partition, as long as somebody has it.
    given: Mutex<BTreeMap<u32, Vec<WeakLane<R>>>>,
    numbers: Mutex<BTreeMap<String, BTreeSet<u64>>>,
    breaches: Mutex<Vec<String>>,
}

impl<R> Seen<R> {
    fn breach(&self, what: String) {
        self.breaches.lock().expect("lock").push(what);
    }

    /// A lane was given out: every other of its partition must have been revoked by now.
    fn given(&self, lane: &AnyLane<R>) {
        let mut given = self.given.lock().expect("lock");
        let before = given.entry(lane.partition()).or_default();
        if before.iter().filter_map(Weak::upgrade).any(|other| !other.is_revoked()) {
            self.breach(format!("two lanes of {} that are not revoked", lane.partition()));
        }
        before.push(Arc::downgrade(lane));
    }
}

/// A member at work: takes lanes, reads each, saves, and drops what is revoked.
struct Working {
    member: JoinHandle<()>,
    lanes: Arc<Mutex<Vec<AbortHandle>>>,
    leave: Arc<Notify>,
}

fn work<T: Topic>(mut feed: Box<dyn Feed<T::Content>>, seen: &Arc<Seen<T::Content>>) -> Working {
    let (seen, leave) = (Arc::clone(seen), Arc::new(Notify::new()));
    let lanes = Arc::new(Mutex::new(Vec::new()));
    let (told, held) = (Arc::clone(&leave), Arc::clone(&lanes));
    let member = tokio::spawn(async move {
        loop {
            tokio::select! {
                lane = feed.lane() => match lane.expect("gives a lane") {
                    Some(lane) => {
                        let lane: AnyLane<T::Content> = Arc::from(lane);
                        seen.given(&lane);
                        let task = tokio::spawn(work_lane::<T>(lane, Arc::clone(&seen)));
                        held.lock().expect("lock").push(task.abort_handle());
                    }
                    None => return,
                },
                () = told.notified() => feed.leave(),
            }
        }
    });
    Working { member, lanes, leave }
}

async fn work_lane<T: Topic>(lane: AnyLane<T::Content>, seen: Arc<Seen<T::Content>>) {
    let mut at = lane.progress().unwrap_or(0);
    while let Ok(Input::Records(records)) = lane.next(3, ALL).await {
        for record in &records {
            if record.position.offset != at {
                seen.breach(format!("{:?} where {at} was to come", record.position));
            }
            at = record.position.offset + 1;
            let (about, number) = T::number(whole(record));
            let mut numbers = seen.numbers.lock().expect("lock");
            numbers.entry(about.id().to_owned()).or_default().insert(number);
        }
        match lane.save(at).await {
            Ok(()) => {}
            Err(error) if error.is_stop() => return,
            Err(error) => seen.breach(format!("a save failed: {error}")),
        }
    }
}

impl Working {
    /// The member's process ends without a word.
    fn crash(&self) {
        self.member.abort();
        for lane in self.lanes.lock().expect("lock").drain(..) {
            lane.abort();
        }
    }
}

/// Promise 1: while members join, leave and crash and records flow, no partition ever has two lanes
/// that are not revoked, each lane begins where it was saved and has no gap, and every record is
/// read.
pub async fn members_come_and_go_while_records_flow<W: Logs, T: Topic>() {
    let world = Arc::new(W::fresh(Setup { partitions: 5, ..Setup::DEFAULT }).await);
    let seen = Arc::new(Seen {
        given: Mutex::default(),
        numbers: Mutex::default(),
        breaches: Mutex::default(),
    });
    let appended = 40;
    let appending = tokio::spawn({
        let world = Arc::clone(&world);
        async move {
            for number in 0..appended {
                for about in 0..10 {
                    T::append(&*world, &aggregate(&format!("a{about}")), number).await;
                }
            }
        }
    });
    let mut members = Vec::new();
    for turn in 0..8 {
        members.push(work::<T>(T::join(&*world).await, &seen));
        // The next turn begins when the records have moved on, wherever they are read.
        let before = turn * appended / 10;
        until::<W, _, _>("records to be read", || {
            let numbers = seen.numbers.lock().expect("lock");
            let is_read = numbers.values().any(|read| read.len() as u64 > before);
            async move { is_read.then_some(()) }
        })
        .await;
        match turn % 4 {
            1 => members.remove(0).leave.notify_one(),
            3 => members.remove(0).crash(),
            _ => {}
        }
    }
    within::<W, _>("all to be appended", appending).await.expect("appends");
    let breaches = || seen.breaches.lock().expect("lock").clone();
    until::<W, _, _>("every record to be read", || {
        let numbers = seen.numbers.lock().expect("lock");
        let all = numbers.values().filter(|read| read.len() as u64 == appended).count() == 10;
        let is_done = all || !breaches().is_empty();
        async move { is_done.then_some(()) }
    })
    .await;
    assert_eq!(breaches(), Vec::<String>::new());
    for member in &members {
        member.crash();
    }
}
