//! The look-up of outcomes: replies may get lost, outcomes do not. One task asks for all that wait
//! too long, all of them in one query.

use std::sync::Arc;
use std::time::Duration;

use metrics::Counter;
use ordain_ports::Outcomes;
use tokio::time::{MissedTickBehavior, interval};

use super::SubmitLimits;
use super::waiting::{Due, Waiting};

/// Looks outcomes up for whoever waits.
pub(super) struct LookUp {
    waiting: Arc<Waiting>,
    outcomes: Arc<dyn Outcomes>,
    first: Duration,
    gap_max: Duration,
    commands_max: usize,
    asked: Counter,
    found: Counter,
    failed: Counter,
}

impl LookUp {
    pub(super) fn new(
        waiting: Arc<Waiting>,
        outcomes: Arc<dyn Outcomes>,
        limits: &SubmitLimits,
    ) -> Self {
        Self {
            waiting,
            outcomes,
            first: Duration::from_millis(limits.look_up_first_ms.max(1)),
            gap_max: Duration::from_millis(limits.look_up_gap_ms_max.max(1)),
            commands_max: limits.look_up_commands_max.max(1),
            asked: metrics::counter!("ordain_api_looked_up_commands"),
            found: metrics::counter!("ordain_api_looked_up_outcomes"),
            failed: metrics::counter!("ordain_api_failed_look_ups"),
        }
    }

    /// Looks up for ever; the task is aborted with its submitter.
    pub(super) async fn run(self) {
        // A fifth of the first gap keeps the look-ups near their time and in few queries.
        let mut tick = interval((self.first / 5).max(Duration::from_millis(1)));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = self.waiting.until_due() => {}
            }
            if self.waiting.is_empty() {
                continue;
            }
            for due in self.waiting.take_due(self.gap_max).chunks(self.commands_max) {
                self.ask(due).await;
            }
        }
    }

    async fn ask(&self, due: &[Due]) {
        let ids: Vec<_> = due.iter().map(|due| due.id.clone()).collect();
        self.asked.increment(ids.len() as u64);
        match self.outcomes.find(&ids).await {
            Ok(found) => {
                for (id, commit) in ids.iter().zip(found) {
                    if let Some(commit) = commit {
                        self.found.increment(1);
                        self.waiting.decided(id, &commit);
                    }
                }
            }
            Err(error) => {
                self.failed.increment(1);
                tracing::warn!(%error, "look_up_failed");
            }
        }
        due.iter().flat_map(|due| &due.flights).for_each(|flight| flight.end_look_up());
    }
}
