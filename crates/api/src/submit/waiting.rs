//! Who waits: all flights of this process, and where replies arrive.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fail::fail_point;
use foldhash::HashMap;
use ordain_model::{Commit, Fingerprint, RequestId};
use ordain_ports::{Answer, Delivered, Reply, ReplySink};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::flight::{Flight, Id, Known, Settled};

/// All flights of this process, by the id of their outcome. Several stand under one id when other
/// commands were sent under it meanwhile; the worker decides which of them it names.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    flights: Mutex<HashMap<Id, Vec<Arc<Flight>>>>,
    all_due: AtomicBool,
    due: Notify,
    /// Cancelled once nobody is to wait any longer.
    pub(super) over: CancellationToken,
}

/// How a caller came to a flight.
#[derive(Debug)]
pub(super) enum Boarded {
    /// The flight is new and has to be produced.
    New(Arc<Flight>),
    /// The same command was in flight already.
    Attached(Arc<Flight>),
}

/// A look-up that is due: an id, and the flights under it.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) id: Id,
    pub(super) flights: Vec<Arc<Flight>>,
}

impl Waiting {
    /// Attaches to the flight of the same command, or enters the one that `make` gives.
    ///
    /// # Errors
    /// Those of `make`.
    pub(super) fn board<E>(
        &self,
        id: &Id,
        fingerprint: &Fingerprint,
        make: impl FnOnce() -> Result<Flight, E>,
    ) -> Result<Boarded, E> {
        let mut flights = self.flights();
        let known = flights
            .get(id)
            .and_then(|under| under.iter().find(|flight| is_same_command(flight, fingerprint)));
        if let Some(flight) = known {
            flight.join();
            return Ok(Boarded::Attached(Arc::clone(flight)));
        }
        let flight = Arc::new(make()?);
        flights.entry(id.clone()).or_default().push(Arc::clone(&flight));
        Ok(Boarded::New(flight))
    }

    /// This outcome is stored: it settles every flight under its id, for there is no other.
    pub(super) fn decided(&self, id: &Id, commit: &Arc<Commit>) {
        let settled = self.flights().remove(id).unwrap_or_default();
        for flight in settled {
            flight.settle(Settled::Outcome(Arc::clone(commit)));
        }
    }

    /// Settles what waits under this request id, whatever it is about.
    fn decided_of_any(&self, request: &RequestId, commit: &Arc<Commit>) {
        let ids: Vec<Id> =
            self.flights().keys().filter(|(_, own)| own == request).cloned().collect();
        ids.iter().for_each(|id| self.decided(id, commit));
    }

    /// What became of the delivery of this flight.
    pub(super) fn delivered(&self, flight: &Arc<Flight>, delivered: Delivered) {
        match delivered {
            Delivered::At(_) => {
                fail_point!("C2");
                flight.delivered(Known::Durable);
                self.forget_if_left(flight);
            }
            Delivered::Unknown => {
                flight.delivered(Known::Never);
                self.forget_if_left(flight);
            }
            Delivered::Not(why) => {
                // First out of reach, so that whoever comes now is produced anew.
                self.forget_if(flight, |_| true);
                flight.settle(Settled::NotAccepted(why));
            }
        }
    }

    /// One caller waits no longer.
    pub(super) fn leave(&self, flight: &Arc<Flight>) {
        flight.leave();
        self.forget_if_left(flight);
    }

    fn forget_if_left(&self, flight: &Arc<Flight>) {
        if flight.is_forgettable() {
            self.forget_if(flight, Flight::is_forgettable);
        }
    }

    /// Has the outcome of this flight looked up now.
    pub(super) fn look_up_now(&self, flight: &Flight) {
        flight.make_due();
        self.due.notify_one();
    }

    /// Waits until somebody wants a look-up before its time.
    pub(super) async fn until_due(&self) {
        self.due.notified().await;
    }

    /// The look-ups that are due, which begin with this.
    pub(super) fn take_due(&self, gap_max: Duration) -> Vec<Due> {
        let now = Instant::now();
        let all = self.all_due.swap(false, Ordering::AcqRel);
        let mut due = Vec::new();
        for (id, flights) in self.flights().iter() {
            if all || flights.iter().any(|flight| flight.is_due(now)) {
                flights.iter().for_each(|flight| flight.begin_look_up(now, gap_max));
                due.push(Due { id: id.clone(), flights: flights.clone() });
            }
        }
        due
    }

    /// Whether nothing is in flight.
    pub(super) fn is_empty(&self) -> bool {
        self.flights().is_empty()
    }

    /// Takes the flight out of reach, if it is still there and `when` holds: nobody can attach
    /// between the look and the removal.
    fn forget_if(&self, flight: &Arc<Flight>, when: impl FnOnce(&Flight) -> bool) {
        let mut flights = self.flights();
        if !when(flight) {
            return;
        }
        if let Some(under) = flights.get_mut(&flight.id) {
            under.retain(|other| !Arc::ptr_eq(other, flight));
            if under.is_empty() {
                flights.remove(&flight.id);
            }
        }
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<Id, Vec<Arc<Flight>>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The id is that of the flight already, so the fingerprint makes it the same command.
fn is_same_command(flight: &Flight, fingerprint: &Fingerprint) -> bool {
    fail_point!("broken-attach-by-id-alone", |_| true);
    flight.fingerprint == *fingerprint
}

/// The wrong variant takes a reply by its request id alone.
fn is_taken_by_request() -> bool {
    fail_point!("broken-reply-without-nonce", |_| true);
    false
}

impl ReplySink for Waiting {
    fn reply(&self, reply: Reply) {
        let id = (reply.aggregate, reply.request);
        match reply.answer {
            Answer::Commit(commit) => {
                if is_taken_by_request() {
                    self.decided_of_any(&id.1, &commit);
                }
                self.decided(&id, &commit);
            }
            Answer::LookUp => {
                let flights = self.flights();
                if let Some(flights) = flights.get(&id) {
                    flights.iter().for_each(|flight| self.look_up_now(flight));
                }
            }
        }
    }

    fn lost(&self) {
        self.all_due.store(true, Ordering::Release);
        self.due.notify_one();
    }
}
