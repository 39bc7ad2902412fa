//! The convoy: writes of callers who come while a command is under way travel together in the next.
//!
//! A command that a majority has to acknowledge costs the server far more than a document in it.
//! Callers who come one by one are sent at once, each alone; those who come faster than commands
//! are answered share them, the more, the busier the server is. Nobody waits for a timer.

use std::collections::{BTreeMap, VecDeque};
use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bson::raw::{RawArrayBuf, RawDocumentBuf};
use metrics::histogram;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::sleep_until;

use crate::Settings;
use crate::fault::Fault;
use crate::reply::Reply;
use crate::server::{Server, Writes};

/// So many commands of one convoy may be under way. With one alone, whoever comes just behind a
/// command would wait for its whole way and then for his own: too long for a client's answer. A
/// view is behind by as much, and the server has less to do.
const fn under_way_max(writes: Writes) -> usize {
    if matches!(writes, Writes::Update) { 1 } else { 2 }
}

/// Who has less than this part of `send_ms_max` left until he is late is late: a command is sent
/// within it, and one that is not takes everybody in it along.
const SPARE_PART: u32 = 50;

/// Writes of one kind into one collection.
#[derive(Debug)]
pub(crate) struct Convoy {
    operation: &'static str,
    into: (Writes, &'static str),
    /// Who has less than this left until he is late is late already.
    spare: Duration,
    queue: Mutex<Queue>,
    under_way: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Queue {
    joined: u64,
    riders: VecDeque<Rider>,
}

/// The documents of one caller. They stay together and in their order.
#[derive(Debug)]
struct Rider {
    nth: u64,
    documents: Vec<RawDocumentBuf>,
    bytes: usize,
    /// Until when they may be sent.
    latest: Instant,
    told: oneshot::Sender<Result<Reply, Fault>>,
}

impl Convoy {
    /// A convoy of writes of which each is sent within `send_ms_max` or not at all.
    pub(crate) fn new(
        operation: &'static str,
        into: (Writes, &'static str),
        send_ms_max: u64,
    ) -> Arc<Self> {
        let under_way = Arc::new(Semaphore::new(under_way_max(into.0)));
        let spare = Duration::from_millis(send_ms_max) / SPARE_PART;
        Arc::new(Self { operation, into, spare, queue: Mutex::default(), under_way })
    }

    /// Sends documents, as many as one command takes and not after that time, and gives what became
    /// of them, as if they had been alone in their command.
    pub(crate) async fn send(
        self: &Arc<Self>,
        server: &Arc<Server>,
        documents: Vec<RawDocumentBuf>,
        latest: Instant,
    ) -> Result<Reply, Fault> {
        let (told, mut tells) = oneshot::channel();
        let nth = self.join(documents, latest, told);
        loop {
            // Whom another has sent along waits for nothing but the answer.
            let waits = self.has(nth);
            tokio::select! {
                biased;
                told = &mut tells => {
                    return told.unwrap_or_else(|_| Err(Fault::unknown("the call was broken off")));
                }
                Ok(turn) = Arc::clone(&self.under_way).acquire_owned(), if waits => {
                    self.depart(server, turn);
                }
                () = sleep_until(latest.into()), if waits => {
                    if self.leave(nth) {
                        return Err(late());
                    }
                }
            }
        }
    }

    fn join(
        &self,
        documents: Vec<RawDocumentBuf>,
        latest: Instant,
        told: oneshot::Sender<Result<Reply, Fault>>,
    ) -> u64 {
        let mut queue = self.lock();
        queue.joined += 1;
        let nth = queue.joined;
        let bytes = documents.iter().map(|document| document.as_bytes().len()).sum();
        queue.riders.push_back(Rider { nth, documents, bytes, latest, told });
        nth
    }

    fn has(&self, nth: u64) -> bool {
        self.lock().riders.iter().any(|rider| rider.nth == nth)
    }

    /// Takes back what has not been sent; says whether that was so.
    fn leave(&self, nth: u64) -> bool {
        let mut queue = self.lock();
        let before = queue.riders.len();
        queue.riders.retain(|rider| rider.nth != nth);
        queue.riders.len() < before
    }

    /// Sends who waits. Whoever has a turn does that for all, in a task that outlives him.
    fn depart(self: &Arc<Self>, server: &Arc<Server>, turn: OwnedSemaphorePermit) {
        let mut riders = self.next(&server.settings);
        if riders.is_empty() {
            return;
        }
        let (convoy, server) = (Arc::clone(self), Arc::clone(server));
        tokio::spawn(async move {
            while !riders.is_empty() {
                riders = convoy.in_time(convoy.travel(&server, riders).await);
            }
            drop(turn);
        });
    }

    /// As many of those who wait as one command takes, without those who have gone or are late.
    fn next(&self, settings: &Settings) -> Vec<Rider> {
        let mut queue = self.lock();
        let waiting = self.in_time(take(&mut queue.riders));
        queue.riders = waiting;
        let (mut documents, mut bytes) = (0, 0);
        let fit = queue.riders.iter().take_while(|rider| {
            let is_first = documents == 0;
            documents += rider.documents.len();
            bytes += rider.bytes;
            let fits =
                documents <= settings.command_documents_max && bytes <= settings.command_bytes_max;
            is_first || fits
        });
        let count = fit.count();
        queue.riders.drain(..count).collect()
    }

    /// Sends these in one command, and tells them; gives those back whom it has not reached.
    async fn travel(&self, server: &Server, riders: Vec<Rider>) -> Vec<Rider> {
        let mut documents = RawArrayBuf::new();
        let mut lengths = Vec::with_capacity(riders.len());
        for rider in &riders {
            lengths.push(rider.documents.len());
            rider.documents.iter().for_each(|document| documents.push(document.clone()));
        }
        histogram!("ordain_mongo_convoy_callers", "operation" => self.operation)
            .record(riders.len() as f64);
        let by = riders.iter().map(|rider| rider.latest).min().unwrap_or_else(Instant::now);
        let sent = server.send_by(by, self.operation, (self.into, documents)).await;
        let shares = match sent {
            Ok(reply) => shares(self.into.0, reply, &lengths),
            Err(fault) => Err(fault),
        };
        let mut unreached = Vec::new();
        let mut shares = shares.map(Vec::into_iter);
        for rider in riders {
            let share = match &mut shares {
                Ok(shares) => shares.next().flatten().map(Ok),
                Err(fault) => Some(Err(fault.clone())),
            };
            match share {
                // Who asked may have gone.
                Some(share) => drop(rider.told.send(share)),
                None => unreached.push(rider),
            }
        }
        unreached
    }

    /// Those who may still be sent, and have not gone; who is late is told.
    fn in_time<R: FromIterator<Rider>>(&self, riders: impl IntoIterator<Item = Rider>) -> R {
        let now = Instant::now() + self.spare;
        let is_in_time = |rider: Rider| {
            if now < rider.latest {
                return Some(rider);
            }
            drop(rider.told.send(Err(late())));
            None
        };
        let waiting = riders.into_iter().filter(|rider| !rider.told.is_closed());
        waiting.filter_map(is_in_time).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn late() -> Fault {
    Fault::not_sent("the turn of its command came too late")
}

/// What became of each caller's documents, given how many each has; none of those that a command
/// in order did not come to, because of a refusal before them.
fn shares(writes: Writes, reply: Reply, lengths: &[usize]) -> Result<Vec<Option<Reply>>, Fault> {
    let all: usize = lengths.iter().sum();
    let Reply { done, mut refused, mut made } = reply;
    let ends = match writes {
        Writes::InsertInOrder => refused.keys().next().copied(),
        _ => None,
    };
    if writes == Writes::InsertInOrder && ends.is_none() && done != all as u64 {
        return Err(Fault::unknown(format!("{done} of {all} were stored, and none refused")));
    }
    if refused.last_key_value().is_some_and(|(place, _)| *place >= all) {
        return Err(Fault::unknown("a refusal of none"));
    }
    let mut shares = Vec::with_capacity(lengths.len());
    let mut first = 0;
    for length in lengths {
        let behind = first + length;
        let rest = refused.split_off(&behind);
        let mut share = Reply { refused: shifted(take(&mut refused), first), ..Reply::default() };
        refused = rest;
        let rest = made.split_off(&behind);
        share.made = take(&mut made).into_iter().map(|place| place - first).collect();
        made = rest;
        share.done = match ends {
            Some(ends) => (*length).min(ends.saturating_sub(first)),
            None => length - share.refused.len(),
        } as u64;
        let is_reached = ends.is_none_or(|ends| first <= ends);
        shares.push(is_reached.then_some(share));
        first = behind;
    }
    Ok(shares)
}

fn shifted<T>(places: BTreeMap<usize, T>, by: usize) -> BTreeMap<usize, T> {
    places.into_iter().map(|(place, what)| (place - by, what)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Refusal;

    fn reply(done: u64, refused: &[usize], made: &[usize]) -> Reply {
        let refusal = || Refusal { code: 11000, why: "E11000".to_owned() };
        Reply {
            done,
            refused: refused.iter().map(|place| (*place, refusal())).collect(),
            made: made.iter().copied().collect(),
        }
    }

    /// Per caller: how many were done, which were refused, which were made.
    type Told = Option<(u64, Vec<usize>, Vec<usize>)>;

    fn told(writes: Writes, reply: Reply, lengths: &[usize]) -> Vec<Told> {
        let shares = shares(writes, reply, lengths).expect("shares");
        let told = |share: Reply| {
            let refused = share.refused.into_keys().collect();
            (share.done, refused, share.made.into_iter().collect())
        };
        shares.into_iter().map(|share| share.map(told)).collect()
    }

    #[test]
    fn a_refusal_in_order_ends_the_command_for_its_caller_and_those_behind() {
        let whole = |done| Some((done, Vec::new(), Vec::new()));
        let lengths = [2, 3, 1, 2];
        let in_order = |reply| told(Writes::InsertInOrder, reply, &lengths);
        assert_eq!(in_order(reply(8, &[], &[])), [whole(2), whole(3), whole(1), whole(2)]);
        let second = Some((1, vec![1], Vec::new()));
        assert_eq!(in_order(reply(3, &[3], &[])), [whole(2), second, None, None]);
        let first_of_third = Some((0, vec![0], Vec::new()));
        assert_eq!(in_order(reply(5, &[5], &[])), [whole(2), whole(3), first_of_third, None]);
        let short = shares(Writes::InsertInOrder, reply(7, &[], &[]), &lengths);
        assert!(matches!(short, Err(Fault::Unknown { .. })), "{short:?}");
        let none = shares(Writes::InsertInOrder, reply(7, &[8], &[]), &lengths);
        assert!(matches!(none, Err(Fault::Unknown { .. })), "{none:?}");
    }

    #[test]
    fn each_caller_is_told_of_his_own_updates() {
        let lengths = [2, 1, 3];
        let told = told(Writes::Update, reply(4, &[1, 3], &[2, 5]), &lengths);
        let expected =
            [(1, vec![1], vec![]), (1, vec![], vec![0]), (2, vec![0], vec![2])].map(Some);
        assert_eq!(told, expected);
    }
}
