//! A node: opens its home, runs its roles, and drains them in order when it is asked to end.

use std::sync::Arc;
use std::time::Duration;

use ordain_api::{Api, Parts};
use ordain_model::{BadDefinition, Registry};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use crate::home::{Home, HomeKind};
use crate::listeners::{Bound, Listeners};
use crate::roles::{self, Health, Role, Running};
use crate::telemetry::Telemetry;
use crate::{Configuration, Loaded, logs, meters};

/// A node that serves.
#[derive(Debug, Clone, Serialize)]
pub struct Ready {
    /// Its roles.
    pub roles: Vec<Role>,
    /// Where clients are served; nowhere without the role `api`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Where metrics and operators are served.
    pub metrics: String,
    /// The directory that holds everything, or the prefix of the fleet.
    pub home: String,
    /// The partitions of the log of requests.
    pub partitions: u32,
    /// The id of this process.
    pub process: u32,
}

/// Which part of the limit for draining there is to answer what was accepted.
const ANSWERING: u32 = 2;

/// How a node ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It answered all that it had accepted, and left.
    Drained,
    /// The limit for draining was over before everything was answered. Nothing is lost: what was
    /// accepted is decided after the next start, or by the other workers of the fleet.
    CutOff,
    /// The disk or a part of the node failed: what is not answered is unknown until the next start.
    Failed,
}

/// Runs a whole node on one directory until it is asked to end, by SIGTERM or SIGINT. `ready` is
/// called once it serves.
///
/// # Errors
/// It cannot start, or a part of it failed; in words for the person who started it.
pub async fn dev(loaded: Loaded, ready: impl FnOnce(&Ready)) -> anyhow::Result<Ended> {
    run(HomeKind::Directory, &Role::ALL, loaded, ready).await
}

/// Runs some roles of a fleet in this process until it is asked to end, by SIGTERM or SIGINT.
/// `ready` is called once they work.
///
/// # Errors
/// It cannot start, or a part of it failed; in words for the person who started it.
pub async fn fleet(
    roles: &[Role],
    loaded: Loaded,
    ready: impl FnOnce(&Ready),
) -> anyhow::Result<Ended> {
    run(HomeKind::Fleet, roles, loaded, ready).await
}

async fn run(
    kind: HomeKind,
    roles: &[Role],
    loaded: Loaded,
    ready: impl FnOnce(&Ready),
) -> anyhow::Result<Ended> {
    logs::start(&loaded.configuration.log)?;
    let mut stop = Signals::new()?;
    let mut node = tokio::select! {
        node = Node::start(kind, roles, &loaded) => node?,
        () = stop.arrived() => return Ok(Ended::Drained),
    };
    ready(&node.ready(kind, &loaded.configuration));
    tokio::select! {
        () = stop.arrived() => {}
        failure = node.home.failed() => {
            tracing::error!(failure, "the disk failed: ending without a further answer");
            return Ok(Ended::Failed);
        }
        error = roles::failed(&mut node.running) => {
            // Nothing works without it: as with a failed disk, the next start decides.
            tracing::error!(error = format!("{error:#}"), "a part failed: ending");
            return Ok(Ended::Failed);
        }
    }
    node.drain(Duration::from_millis(loaded.configuration.drain_ms_max)).await
}

/// A running node. Every node has an API, for its operators; clients reach it only where the node
/// has that role.
struct Node {
    api: Arc<Api>,
    listeners: Listeners,
    /// In the order in which they leave.
    running: Vec<Running>,
    roles: Vec<Role>,
    home: Home,
    telemetry: Telemetry,
}

impl Node {
    async fn start(kind: HomeKind, roles: &[Role], loaded: &Loaded) -> anyhow::Result<Self> {
        let configuration = &loaded.configuration;
        let render = meters::start()?;
        let health = Health::default();
        let (telemetry, spans) = Telemetry::start(configuration, roles)?;
        let home = Home::open(kind, configuration, &health.readiness).await?.telling(spans);
        let registry = Arc::new(registry()?);
        let api = Api::start(Parts {
            settings: configuration.api.clone(),
            registry: Arc::clone(&registry),
            ports: home.api_ports(),
            views: roles::view_infos(),
            liveness: health.liveness.clone(),
            readiness: health.readiness.clone(),
            metrics: render,
            configuration: serde_json::to_value(&loaded.values)?,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
        .await?;
        let for_clients = roles.contains(&Role::Api);
        // Who cannot listen shall not have joined anything.
        let bound = Bound::bind(configuration, for_clients).await?;
        let mut running = Vec::new();
        // The worker announces its commands before any is taken.
        if roles.contains(&Role::Worker) {
            running.push(roles::worker(&home, configuration, &registry, &health).await?);
        }
        if roles.contains(&Role::View) {
            running.push(roles::views(&home, configuration, &health));
        }
        let listeners = bound.serve(&api, configuration);
        Ok(Self { api, listeners, running, roles: roles.to_vec(), home, telemetry })
    }

    fn ready(&self, kind: HomeKind, configuration: &Configuration) -> Ready {
        let scheme = self.listeners.scheme;
        Ready {
            roles: self.roles.clone(),
            address: self.listeners.address.map(|address| format!("{scheme}://{address}")),
            metrics: format!("{scheme}://{}", self.listeners.metrics),
            home: match kind {
                HomeKind::Directory => configuration.data.display().to_string(),
                HomeKind::Fleet => configuration.prefix.clone(),
            },
            partitions: self.home.partitions(),
            process: std::process::id(),
        }
    }

    /// Leaves in order: takes nothing more, answers what it has accepted, then the worker, the
    /// views and the home. No part can use up the time of those behind it: half of the limit is
    /// for answers, a quarter for connections, and of what is left half for each part.
    async fn drain(self, limit: Duration) -> anyhow::Result<Ended> {
        tracing::info!("draining");
        let until = Instant::now() + limit;
        let home = self.home.clone();
        let leave = async {
            let answered = self.api.drain(limit / ANSWERING).await;
            let mut is_whole = self.listeners.stop().await? && answered;
            for role in self.running {
                let left = until.saturating_duration_since(Instant::now());
                is_whole &= role.drain_within(left / 2).await?;
            }
            self.home.close().await;
            self.telemetry.end().await;
            anyhow::Ok(if is_whole { Ended::Drained } else { Ended::CutOff })
        };
        tokio::select! {
            left = tokio::time::timeout_at(until, leave) => left.unwrap_or(Ok(Ended::CutOff)),
            _ = home.failed() => Ok(Ended::Failed),
        }
    }
}

/// The aggregate types of this build.
fn registry() -> Result<Registry, BadDefinition> {
    #[cfg(feature = "broken")]
    fail::fail_point!("newer-build", |_| ordain_domain::newer_registry());
    ordain_domain::registry()
}

/// What asks the process to end.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn arrived(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
