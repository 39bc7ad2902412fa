//! The heart of a worker: says every second that it lives, and how its lanes are doing.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use ordain_model::{Command, Timestamp};
use ordain_ports::{Announced, Heartbeat, Lane};
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

use crate::Ports;
use crate::measured::{LastError, Measured};

/// The heart of a worker.
pub(crate) struct Heart {
    ports: Ports,
    member: String,
    started: Timestamp,
    announced: Vec<Announced>,
    lanes: Mutex<Vec<Weak<Measured>>>,
    last_error: Arc<LastError>,
    /// A lane has begun: whoever sends to it shall know soon.
    changed: Notify,
}

impl Heart {
    pub(crate) fn new(ports: &Ports, announced: Vec<Announced>) -> Self {
        let member = uuid::Uuid::new_v4().to_string();
        // Where a member of that name runs is found by this line.
        tracing::info!(member, "worker begins");
        Self {
            ports: ports.clone(),
            member,
            started: ports.clock.now(),
            announced,
            lanes: Mutex::default(),
            last_error: Arc::default(),
            changed: Notify::new(),
        }
    }

    /// A lane of this worker, measured from now on until it is dropped.
    pub(crate) fn measured(&self, lane: Arc<dyn Lane<Command>>) -> Arc<Measured> {
        let lane = Arc::new(Measured::new(lane, Arc::clone(&self.last_error)));
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.retain(|lane| lane.strong_count() > 0);
        lanes.push(Arc::downgrade(&lane));
        self.changed.notify_one();
        lane
    }

    /// Beats for ever. What cannot be written is said anew with the next.
    pub(crate) async fn run(self: Arc<Self>, every_ms: u64) {
        let mut every = interval(Duration::from_millis(every_ms));
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for beat in 1.. {
            tokio::select! {
                _ = every.tick() => {}
                () = self.changed.notified() => {}
            }
            if let Err(error) = self.ports.heartbeats.beat(self.beat(beat)).await {
                metrics::counter!("ordain_engine_failed_heartbeats").increment(1);
                tracing::warn!(%error, "heartbeat not written");
            }
        }
    }

    /// The worker is gone. Whoever does not read this sees that it beats no more.
    pub(crate) async fn leave(&self) {
        if let Err(error) = self.ports.heartbeats.leave(&self.member).await {
            tracing::warn!(%error, "leaving not written");
        }
    }

    fn beat(&self, beat: u64) -> Heartbeat {
        let now = self.ports.clock.now();
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // A lane whose partition is gone may end later than its successor begins.
        let held = lanes.iter().filter_map(Weak::upgrade).filter(|lane| !lane.is_revoked());
        Heartbeat {
            member: self.member.clone(),
            beat,
            role: Heartbeat::WORKER.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started,
            lanes: held.map(|lane| lane.beat(now)).collect(),
            announced: self.announced.clone(),
            last_error: self.last_error.get(),
        }
    }
}
