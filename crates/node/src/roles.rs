//! The roles of a node: each runs until it is told to drain, or fails.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ordain_api::{Liveness, ViewInfo};
use ordain_embedded::Home;
use ordain_engine::{Overrun, Watchdog, Worker};
use ordain_model::Registry;
use ordain_views::Projector;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Configuration;
use crate::home;

/// How long a rule that never returns may be seen in `/livez` before the process ends.
const OVERRUN_SHOWN: Duration = Duration::from_millis(500);

/// A role that is running, and how to make it leave.
pub(crate) struct Role {
    name: &'static str,
    leave: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Role {
    fn new(name: &'static str) -> Self {
        Self { name, leave: CancellationToken::new(), tasks: JoinSet::new() }
    }

    /// Waits until a part of the role has ended by itself, which it must not.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Ok(Ok(()))) => anyhow::anyhow!("the {} ended by itself", self.name),
            Some(Ok(Err(error))) => error.context(format!("the {} failed", self.name)),
            Some(Err(panic)) => anyhow::anyhow!("the {} ended by a bug: {panic}", self.name),
            None => std::future::pending().await,
        }
    }

    /// Makes the role leave, and waits until it has.
    pub(crate) async fn drain(mut self) -> anyhow::Result<()> {
        self.leave.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended?.with_context(|| format!("the {} did not leave in order", self.name))?;
        }
        Ok(())
    }
}

/// Runs the worker.
pub(crate) fn worker(
    home: &Home,
    configuration: &Configuration,
    registry: &Arc<Registry>,
    liveness: &Liveness,
) -> anyhow::Result<Role> {
    let watchdog = watchdog(configuration.engine.decide_ms_max, liveness.clone())?;
    let settings = configuration.engine.clone();
    let worker = Worker::new(home::engine_ports(home), Arc::clone(registry), settings, watchdog);
    let mut role = Role::new("worker");
    let (feed, leave) = (home.join_requests(), role.leave.clone());
    role.tasks.spawn(async move { worker.run(feed, leave).await.map_err(Into::into) });
    Ok(role)
}

/// Runs a projector for every view.
pub(crate) fn views(home: &Home, configuration: &Configuration) -> Role {
    let mut role = Role::new("view");
    for view in ordain_views::views() {
        let feed = home.join_events(&Projector::group(view.as_ref()));
        let (ports, settings) = (home::view_ports(home), configuration.views.clone());
        let projector = Projector::new(view, ports, settings);
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
