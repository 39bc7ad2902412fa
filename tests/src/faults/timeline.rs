//! What was done to a fleet, and when.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ordain_checker::evidence::{Fault, Item, Planted};

use super::Memory;

/// One fault, on the clock of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blow {
    /// The kind of fault: `kill`, `point`, `link`.
    pub kind: &'static str,
    /// What exactly, the same for all that are alike: `C5 killed`, `worker to kafka: Cut`.
    pub name: String,
    /// When it was about to be made, in nanoseconds.
    pub begun: u64,
    /// When it was over; nothing if it was never met.
    pub ended: Option<u64>,
}

/// All faults of a run, in the order in which they were planned.
#[derive(Debug)]
pub struct Timeline {
    memory: Arc<Memory>,
    blows: Mutex<Vec<Blow>>,
    planted: Mutex<Vec<Planted>>,
}

impl Timeline {
    /// An empty one, on the clock of this history.
    #[must_use]
    pub fn new(memory: &Arc<Memory>) -> Self {
        Self { memory: Arc::clone(memory), blows: Mutex::default(), planted: Mutex::default() }
    }

    /// Notes a fault as planned, does it, and notes it as met. Says so.
    pub async fn during<T>(
        &self,
        (kind, name): (&'static str, &str),
        done: impl Future<Output = T>,
    ) -> T {
        let begun = self.memory.now();
        let (seconds, answers) = (begun / 1_000_000_000, self.memory.outcomes());
        eprintln!("{seconds:>6} s {answers:>9} answers   {kind}: {name}");
        let number = {
            let mut blows = self.lock();
            blows.push(Blow { kind, name: name.to_owned(), begun, ended: None });
            blows.len() - 1
        };
        let done = done.await;
        let ended = self.memory.now();
        if let Some(blow) = self.lock().get_mut(number) {
            blow.ended = Some(ended);
        }
        done
    }

    /// All that there were.
    #[must_use]
    pub fn blows(&self) -> Vec<Blow> {
        self.lock().clone()
    }

    /// Notes where records of somebody else stand.
    pub fn planted(&self, planted: Vec<Planted>) {
        self.planted.lock().unwrap_or_else(PoisonError::into_inner).extend(planted);
    }

    /// The same for the checker, to which it matters that each was met, and what is not ours.
    pub(super) fn items(&self) -> Vec<Item> {
        let planted = self.planted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let faults = self.faults().into_iter().map(Item::Fault);
        faults.chain(planted.into_iter().map(Item::Planted)).collect()
    }

    fn faults(&self) -> Vec<Fault> {
        let fault = |blow: Blow| {
            let met = u64::from(blow.ended.is_some());
            let Blow { kind, name, .. } = blow;
            let is_of_process = matches!(kind, "kill" | "point" | "pause" | "crash");
            let name = format!("{kind} {name}");
            let mut fault = Fault { name, by_rule: kind == "crash", ..Fault::default() };
            if !is_of_process {
                (fault.others_planned, fault.others) = (1, met);
            } else if fault.name.ends_with("paused") {
                (fault.pauses_planned, fault.pauses) = (1, met);
            } else {
                (fault.kills_planned, fault.kills) = (1, met);
            }
            fault
        };
        self.blows().into_iter().map(fault).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Blow>> {
        self.blows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
