//! The roles of a node: each part runs until it is told to drain, or fails.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use ordain_api::{Liveness, Readiness, ViewInfo};
use ordain_engine::{Overrun, ReportStop, Watchdog, Worker};
use ordain_model::Registry;
use ordain_views::Projector;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Configuration;
use crate::home::Home;

/// How long a rule that never returns may be seen in `/livez` before the process ends.
const OVERRUN_SHOWN: Duration = Duration::from_millis(500);

/// What a process does in a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Takes commands over HTTP and answers them; reads aggregates and views.
    Api,
    /// Decides commands.
    Worker,
    /// Folds events into the rows of views.
    View,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Api, Self::Worker, Self::View];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Worker => "worker",
            Self::View => "view",
        }
    }
}

/// A part of a node that is running, and how to make it leave.
pub(crate) struct Running {
    name: &'static str,
    leave: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Running {
    fn new(name: &'static str) -> Self {
        Self { name, leave: CancellationToken::new(), tasks: JoinSet::new() }
    }

    /// Waits until a task of the part has ended by itself, which it must not.
    async fn failed(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Ok(Ok(()))) => anyhow::anyhow!("the {} ended by itself", self.name),
            Some(Ok(Err(error))) => error.context(format!("the {} failed", self.name)),
            Some(Err(panic)) => anyhow::anyhow!("the {} ended by a bug: {panic}", self.name),
            None => std::future::pending().await,
        }
    }

    /// Makes the part leave. Says whether it has left within its time; one that has not is
    /// dropped, as in a crash.
    pub(crate) async fn drain_within(self, limit: Duration) -> anyhow::Result<bool> {
        let part = self.name;
        match tokio::time::timeout(limit, self.drain()).await {
            Ok(left) => left.map(|()| true),
            Err(_) => {
                tracing::warn!(part, limit_ms = limit.as_millis(), "a part did not leave in time");
                Ok(false)
            }
        }
    }

    async fn drain(mut self) -> anyhow::Result<()> {
        self.leave.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended?.with_context(|| format!("the {} did not leave in order", self.name))?;
        }
        Ok(())
    }
}

/// Waits until one of the parts has failed.
pub(crate) async fn failed(running: &mut [Running]) -> anyhow::Error {
    let mut failures: FuturesUnordered<_> = running.iter_mut().map(Running::failed).collect();
    match failures.next().await {
        Some(error) => error,
        None => std::future::pending().await,
    }
}

/// Where the roles say how they are doing.
#[derive(Clone, Default)]
pub(crate) struct Health {
    pub(crate) liveness: Liveness,
    pub(crate) readiness: Readiness,
}

impl Health {
    /// Makes every lane that waits for a person show in `/readyz`.
    fn reporting(&self, what: String) -> ReportStop {
        let readiness = self.readiness.clone();
        Arc::new(move |partition, stopped| {
            let status = stopped.map_or(Ok(()), |why| Err(format!("stopped: {why}")));
            readiness.set(format!("{what} lane {partition}"), status);
        })
    }
}

/// Runs the worker, once what it knows is announced.
pub(crate) async fn worker(
    home: &Home,
    configuration: &Configuration,
    registry: &Arc<Registry>,
    health: &Health,
) -> anyhow::Result<Running> {
    let watchdog = watchdog(configuration.engine.decide_ms_max, health.liveness.clone())?;
    let settings = configuration.engine.clone();
    let worker = Worker::new(home.engine_ports(), Arc::clone(registry), settings, watchdog)
        .reporting(health.reporting("worker".to_owned()));
    worker.announce().await.context("the commands cannot be announced")?;
    let mut role = Running::new("worker");
    let (feed, leave) = (home.join_requests(), role.leave.clone());
    role.tasks.spawn(async move { worker.run(feed, leave).await.map_err(Into::into) });
    Ok(role)
}

/// Runs a projector for every view.
pub(crate) fn views(home: &Home, configuration: &Configuration, health: &Health) -> Running {
    let mut role = Running::new("view");
    for view in ordain_views::views() {
        let feed = home.join_events(&Projector::group(view.as_ref()));
        let (ports, settings) = (home.view_ports(), configuration.views.clone());
        let report = health.reporting(format!("view {}", view.name()));
        let projector = Projector::new(view, ports, settings).reporting(report);
        let leave = role.leave.clone();
        role.tasks.spawn(async move { projector.run(feed, leave).await.map_err(Into::into) });
    }
    role
}

/// What the API needs to know of the views.
pub(crate) fn view_infos() -> Vec<ViewInfo> {
    let info = |view: &Arc<dyn ordain_views::View>| ViewInfo {
        name: view.name().to_owned(),
        types: view.follows().iter().map(|name| (*name).to_owned()).collect(),
        sole_row: view.sole_row(),
    };
    ordain_views::views().iter().map(info).collect()
}

/// Ends the process when a rule does not return: nothing else can end the rule.
fn watchdog(decide_ms_max: u64, liveness: Liveness) -> anyhow::Result<Arc<Watchdog>> {
    let end = move |overrun: Overrun| {
        tracing::error!(
            aggregate = %overrun.aggregate,
            request = %overrun.request,
            decide_ms_max,
            "rule does not return"
        );
        liveness.fail(format!("a rule runs over {decide_ms_max} ms"));
        std::thread::sleep(OVERRUN_SHOWN);
        std::process::abort();
    };
    Watchdog::start(decide_ms_max, end).context("the watchdog cannot be started")
}
