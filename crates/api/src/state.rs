//! What every route works with: the ports, the types, the limits, and how the process is doing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ordain_model::Registry;
use ordain_ports::{
    Clock, CommandLog, Commits, DeadLetters, Error, Heartbeats, Outcomes, Replies, SoleRow, Spans,
    ViewStore,
};
use tokio_util::sync::CancellationToken;

use crate::measured::Requests;
use crate::routes::health::Probes;
use crate::routes::{known_types, openapi};
use crate::{Problem, Settings, SubmitPorts, Submitter};

/// The ports that the API works with.
#[derive(Clone)]
pub struct Ports {
    /// Where commands go.
    pub log: Arc<dyn CommandLog>,
    /// Where replies come from.
    pub replies: Arc<dyn Replies>,
    /// Where outcomes are looked up.
    pub outcomes: Arc<dyn Outcomes>,
    /// Where aggregates and their events are read.
    pub commits: Arc<dyn Commits>,
    /// Where views are read.
    pub views: Arc<dyn ViewStore>,
    /// Where dead letters are read.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// Who owns which partition.
    pub heartbeats: Arc<dyn Heartbeats>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Where it tells what was done for commands that belong to a trace.
    pub spans: Arc<dyn Spans>,
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ports")
    }
}

/// A view that can be read: its name, and the aggregate types that it follows.
#[derive(Debug, Clone)]
pub struct ViewInfo {
    /// The view's name.
    pub name: String,
    /// The types whose events it folds.
    pub types: Vec<String>,
    /// The row that says how far the view has come with an aggregate; `None`: its mark does.
    pub sole_row: Option<SoleRow>,
}

/// Draws what an operator's scraper reads: the metrics, as Prometheus text.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// What an [`Api`] is made of.
#[derive(Clone)]
pub struct Parts {
    /// The limits.
    pub settings: Settings,
    /// The aggregate types.
    pub registry: Arc<Registry>,
    /// The ports.
    pub ports: Ports,
    /// The views.
    pub views: Vec<ViewInfo>,
    /// Whether the process still works.
    pub liveness: Liveness,
    /// Whether the process can take commands.
    pub readiness: Readiness,
    /// Draws the metrics.
    pub metrics: RenderMetrics,
    /// The configuration in force, with where each value comes from.
    pub configuration: serde_json::Value,
    /// The version of the program.
    pub version: String,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("registry", &self.registry).finish_non_exhaustive()
    }
}

/// What every route works with. Shared by all requests.
pub struct Api {
    /// What it was made of.
    pub(crate) parts: Parts,
    /// Takes commands to their outcomes.
    pub(crate) submitter: Arc<Submitter>,
    /// When it was made.
    pub(crate) begun: Instant,
    /// What `GET /v1/types` answers.
    pub(crate) types: Bytes,
    /// What `GET /openapi.json` answers.
    pub(crate) description: Bytes,
    /// Asks the dependencies whether they are there.
    pub(crate) probes: Probes,
    /// How long requests took.
    pub(crate) requests: Requests,
    /// Cancelled when the process begins to go down: whoever only asks or still sends does not
    /// keep it.
    pub(crate) going_down: CancellationToken,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Api").field(&self.parts).finish()
    }
}

impl Api {
    /// An API that takes commands from now on.
    ///
    /// # Errors
    /// The reply channel of this process cannot be opened.
    pub async fn start(parts: Parts) -> Result<Arc<Self>, Error> {
        let ports = SubmitPorts {
            registry: Arc::clone(&parts.registry),
            log: Arc::clone(&parts.ports.log),
            outcomes: Arc::clone(&parts.ports.outcomes),
            replies: Arc::clone(&parts.ports.replies),
            heartbeats: Arc::clone(&parts.ports.heartbeats),
            clock: Arc::clone(&parts.ports.clock),
            spans: Arc::clone(&parts.ports.spans),
        };
        let submitter = Submitter::start(ports, parts.settings.submit.clone()).await?;
        Ok(Arc::new(Self {
            submitter,
            begun: Instant::now(),
            types: known_types::document(&parts.registry).into(),
            description: openapi::document(&parts.registry, &parts.version).into(),
            probes: Probes::default(),
            requests: Requests::default(),
            going_down: CancellationToken::new(),
            parts,
        }))
    }

    /// The limits.
    pub(crate) fn settings(&self) -> &Settings {
        &self.parts.settings
    }

    /// Reads what a client is still sending, unless the process goes down meanwhile.
    ///
    /// # Errors
    /// 503, and those of `reading`.
    pub(crate) async fn unless_going_down<T>(
        &self,
        reading: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        tokio::select! {
            biased;
            read = reading => read,
            () = self.going_down.cancelled() => Err(Problem::going_down()),
        }
    }

    /// The view of that name.
    pub(crate) fn view(&self, name: &str) -> Option<&ViewInfo> {
        self.parts.views.iter().find(|view| view.name == name)
    }

    /// Takes no command any more, and waits until those on their way are answered; says whether
    /// that was reached within the limit. Who would wait longer than three quarters of it is told
    /// then that the outcome is unknown, which is better than a broken connection. Whoever waits
    /// for a look-up or a view is told at once how far it has come, and a body that has not wholly
    /// arrived is certainly not accepted.
    pub async fn drain(&self, limit: Duration) -> bool {
        self.parts.readiness.set("drain", Err("going down".to_owned()));
        self.going_down.cancel();
        let patience = limit * 3 / 4;
        if self.submitter.drain(patience).await {
            return true;
        }
        self.submitter.end_waits();
        self.submitter.drain(limit - patience).await
    }
}

/// Whether the process still works. Whoever finds that it does not says so here, and it stays
/// said: only a new process is alive again.
#[derive(Debug, Clone, Default)]
pub struct Liveness(Arc<Mutex<Option<String>>>);

impl Liveness {
    /// The process does not work any more. The first reason stays.
    pub fn fail(&self, why: impl Into<String>) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.get_or_insert_with(|| why.into());
    }

    /// Why the process does not work any more.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What others in the process say about being ready: by name, well or why not.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<String, Result<(), String>>>>);

impl Readiness {
    /// Says how the part of that name is doing; the last word counts.
    pub fn set(&self, name: impl Into<String>, status: Result<(), String>) {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.insert(name.into(), status);
    }

    /// All that was said, in the order of the names.
    #[must_use]
    pub fn statuses(&self) -> Vec<(String, Result<(), String>)> {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.iter().map(|(name, status)| (name.clone(), status.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_stays() {
        let liveness = Liveness::default();
        assert_eq!(liveness.failure(), None);
        let handle = liveness.clone();
        handle.fail("one");
        handle.fail("two");
        assert_eq!(liveness.failure().as_deref(), Some("one"));
    }
}
