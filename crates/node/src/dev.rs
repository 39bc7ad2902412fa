//! `ordain dev`: all roles in one process, on one directory.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ordain_api::{Api, Parts, Server};
use ordain_embedded::Home;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::roles::{self, Health, Role};
use crate::{Configuration, Loaded, home, logs, meters};

/// A node that serves.
#[derive(Debug, Clone, Serialize)]
pub struct Ready {
    /// Where clients are served.
    pub address: String,
    /// Where metrics and operators are served.
    pub metrics: String,
    /// The directory that holds everything.
    pub data: String,
    /// The partitions of the log of requests.
    pub partitions: u32,
    /// The id of this process.
    pub process: u32,
}

/// Which part of the limit for draining there is to answer what was accepted.
const ANSWERING: u32 = 2;
/// Which part of it there is for connections to end, once all is answered.
const CLOSING: u64 = 4;

/// How a node ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It answered all that it had accepted, and left.
    Drained,
    /// The limit for draining was over before everything was answered. Nothing is lost: what was
    /// accepted is decided after the next start.
    CutOff,
    /// The disk or a part of the node failed: what is not answered is unknown until the next start.
    Failed,
}

/// Runs a whole node until it is asked to end, by SIGTERM or SIGINT. `ready` is called once it
/// serves.
///
/// # Errors
/// It cannot start, or a part of it failed; in words for the person who started it.
pub async fn dev(loaded: Loaded, ready: impl FnOnce(&Ready)) -> anyhow::Result<Ended> {
    let configuration = &loaded.configuration;
    logs::start(&configuration.log)?;
    let mut stop = Signals::new()?;
    let render = meters::start()?;
    let home = Home::open(&configuration.data, &configuration.embedded)?;
    let health = Health::default();
    let registry = Arc::new(ordain_domain::registry()?);
    let api = Api::start(Parts {
        settings: configuration.api.clone(),
        registry: Arc::clone(&registry),
        ports: home::api_ports(&home),
        views: roles::view_infos(),
        liveness: health.liveness.clone(),
        readiness: health.readiness.clone(),
        metrics: render,
        configuration: serde_json::to_value(&loaded.values)?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
    .await?;
    // The worker announces its commands before any is taken.
    let mut worker = roles::worker(&home, configuration, &registry, &health).await?;
    let mut views = roles::views(&home, configuration, &health);
    let servers = Servers::start(&api, configuration).await?;
    ready(&Ready {
        address: format!("http://{}", servers.address),
        metrics: format!("http://{}", servers.metrics),
        data: configuration.data.display().to_string(),
        partitions: home.partitions(),
        process: std::process::id(),
    });
    tokio::select! {
        () = stop.arrived() => {}
        failure = home.failed() => {
            tracing::error!(%failure, "the disk failed: ending without a further answer");
            return Ok(Ended::Failed);
        }
        error = worker.failed() => return Ok(broken(&error)),
        error = views.failed() => return Ok(broken(&error)),
    }
    let node = Node { api, servers, worker, views, home };
    node.drain(Duration::from_millis(configuration.drain_ms_max)).await
}

/// A part has failed that nothing works without: as with a failed disk, the next start decides.
fn broken(error: &anyhow::Error) -> Ended {
    tracing::error!(error = format!("{error:#}"), "a part failed: ending");
    Ended::Failed
}

/// A running node.
struct Node {
    api: Arc<Api>,
    servers: Servers,
    worker: Role,
    views: Role,
    home: Home,
}

impl Node {
    /// Leaves in order: takes nothing more, answers what it has accepted, then the worker, the
    /// views and the home. No part can use up the time of those behind it: half of the limit is
    /// for answers, a quarter for connections, and of what is left half for the worker.
    async fn drain(self, limit: Duration) -> anyhow::Result<Ended> {
        tracing::info!("draining");
        let until = Instant::now() + limit;
        let home = self.home.clone();
        let leave = async {
            let answered = self.api.drain(limit / ANSWERING).await;
            let served = self.servers.stop().await?;
            let left = until.saturating_duration_since(Instant::now());
            let worked = in_time("worker", left / 2, self.worker.drain()).await?;
            let left = until.saturating_duration_since(Instant::now());
            let viewed = in_time("views", left / 2, self.views.drain()).await?;
            self.home.close().await;
            let is_whole = answered && served && worked && viewed;
            anyhow::Ok(if is_whole { Ended::Drained } else { Ended::CutOff })
        };
        tokio::select! {
            left = tokio::time::timeout_at(until, leave) => left.unwrap_or(Ok(Ended::CutOff)),
            _ = home.failed() => Ok(Ended::Failed),
        }
    }
}

/// Says whether the part has left within its time. One that has not is dropped, as in a crash.
async fn in_time(
    part: &'static str,
    limit: Duration,
    leaving: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<bool> {
    match tokio::time::timeout(limit, leaving).await {
        Ok(left) => left.map(|()| true),
        Err(_) => {
            tracing::warn!(part, limit_ms = limit.as_millis(), "a part did not leave in time");
            Ok(false)
        }
    }
}

/// The two listeners.
struct Servers {
    address: SocketAddr,
    metrics: SocketAddr,
    stop: CancellationToken,
    public: JoinHandle<ordain_api::Drained>,
    admin: JoinHandle<ordain_api::Drained>,
}

impl Servers {
    async fn start(api: &Arc<Api>, configuration: &Configuration) -> anyhow::Result<Self> {
        let public = bind(&configuration.listen).await?;
        let admin = bind(&configuration.metrics).await?;
        let (address, metrics) = (public.address(), admin.address());
        let stop = CancellationToken::new();
        let closing = configuration.drain_ms_max / CLOSING;
        let serve = |server: Server, router| {
            let (mut settings, stop) = (configuration.api.clone(), stop.clone());
            settings.drain_ms_max = settings.drain_ms_max.min(closing);
            tokio::spawn(async move { server.serve(router, &settings, stop).await })
        };
        Ok(Self {
            address,
            metrics,
            public: serve(public, ordain_api::public(api)),
            admin: serve(admin, ordain_api::admin(api)),
            stop,
        })
    }

    /// Says whether every connection could finish.
    async fn stop(self) -> anyhow::Result<bool> {
        self.stop.cancel();
        let (public, admin) = (self.public.await?, self.admin.await?);
        Ok(public.cut + admin.cut == 0)
    }
}

async fn bind(address: &str) -> anyhow::Result<Server> {
    let resolved = tokio::net::lookup_host(address)
        .await
        .with_context(|| format!("{address} is not an address to listen on"))?
        .next()
        .with_context(|| format!("{address} is not an address to listen on"))?;
    Server::bind(resolved).await.with_context(|| format!("cannot listen on {address}"))
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
