//! The listeners of a node: one for clients where it has the role `api`, one for operators always.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use ordain_api::{Api, Server, Tls};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::Configuration;

/// Which part of the limit for draining there is for connections to end, once all is answered.
const CLOSING: u64 = 4;

/// The listeners of a node.
pub(crate) struct Listeners {
    /// Where clients are served, if they are.
    pub(crate) address: Option<SocketAddr>,
    /// Where operators are served.
    pub(crate) metrics: SocketAddr,
    /// `https` with a certificate, else `http`.
    pub(crate) scheme: &'static str,
    stop: CancellationToken,
    serving: Vec<JoinHandle<ordain_api::Drained>>,
}

/// Listeners that nobody is served on yet.
pub(crate) struct Bound {
    public: Option<Server>,
    admin: Server,
    scheme: &'static str,
}

impl Bound {
    /// Listens for operators, and for clients if so said.
    ///
    /// # Errors
    /// An address that cannot be listened on, or a certificate that cannot be used.
    pub(crate) async fn bind(
        configuration: &Configuration,
        for_clients: bool,
    ) -> anyhow::Result<Self> {
        let tls = Tls::load(&configuration.api.tls).context("no TLS (`api.tls`)")?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let public = match for_clients {
            true => Some(bind("listen", &configuration.listen).await?.secured(tls.clone())),
            false => None,
        };
        let admin = bind("metrics", &configuration.metrics).await?.secured(tls);
        Ok(Self { public, admin, scheme })
    }

    /// Begins to serve whoever has come, and whoever comes.
    pub(crate) fn serve(self, api: &Arc<Api>, configuration: &Configuration) -> Listeners {
        let Self { public, admin, scheme } = self;
        let (address, metrics) = (public.as_ref().map(Server::address), admin.address());
        let stop = CancellationToken::new();
        let closing = configuration.drain_ms_max / CLOSING;
        let serve = |server: Server, router| {
            let (mut settings, stop) = (configuration.api.clone(), stop.clone());
            settings.drain_ms_max = settings.drain_ms_max.min(closing);
            tokio::spawn(async move { server.serve(router, &settings, stop).await })
        };
        let public = public.map(|server| serve(server, ordain_api::public(api)));
        let admin = serve(admin, ordain_api::admin(api));
        let serving = public.into_iter().chain([admin]).collect();
        Listeners { address, metrics, scheme, stop, serving }
    }
}

impl Listeners {
    /// Says whether every connection could finish.
    pub(crate) async fn stop(self) -> anyhow::Result<bool> {
        self.stop.cancel();
        let mut cut = 0;
        for serving in self.serving {
            cut += serving.await?.cut;
        }
        Ok(cut == 0)
    }
}

async fn bind(setting: &str, address: &str) -> anyhow::Result<Server> {
    let unusable = || format!("{address} (`{setting}`) is not an address to listen on");
    let mut resolved = tokio::net::lookup_host(address).await.with_context(unusable)?;
    let resolved = resolved.next().with_context(unusable)?;
    let bound = Server::bind(resolved).await;
    bound.with_context(|| format!("cannot listen on {address} (`{setting}`)"))
}
