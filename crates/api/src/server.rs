//! Serves routes on a listener: a silent connection is closed, a stop lets what is in flight
//! finish.

#[cfg(test)]
mod tests;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::Settings;

pub use tls::{Tls, TlsError, TlsSettings};

/// How long to wait when the system gives out no connection, for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Bytes beyond the settings that are read all the same, so that the answer is a problem as any
/// other; behind that the connection is closed with a bare 431.
const HEADER_BYTES_SPARE: usize = 16 << 10;

/// So many headers hyper reads without a word about it, and faster than with one.
const HEADERS_READ: usize = 100;

/// A listener that routes are served on.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were still at work when the limit was over, and were cut.
    pub cut: u32,
}

/// What every connection of a server shares.
struct Connections {
    http: http1::Builder,
    router: Router,
    tls: Option<Tls>,
    /// Ends those that are not secured yet: nothing was asked on them.
    stop: CancellationToken,
    /// Ends the connections that are left once the limit for draining is over.
    cut: CancellationToken,
}

impl Server {
    /// Listens. Port 0 takes any that is free.
    ///
    /// # Errors
    /// The system does not give out the address.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, tls: None })
    }

    /// The same with TLS, or plain without.
    #[must_use]
    pub fn secured(mut self, tls: Option<Tls>) -> Self {
        self.tls = tls;
        self
    }

    /// Where it listens, with the port that was given out.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`; then takes no connection any more, closes those that wait for a next
    /// request, and lets those at work finish within the limit for draining.
    pub async fn serve(
        self,
        router: Router,
        settings: &Settings,
        stop: CancellationToken,
    ) -> Drained {
        let slots = Arc::new(Semaphore::new(settings.connections_max as usize));
        let graceful = GracefulShutdown::new();
        let connections = Arc::new(Connections {
            http: http(settings),
            router,
            tls: self.tls.clone(),
            stop: stop.clone(),
            cut: CancellationToken::new(),
        });
        let mut reloading = JoinSet::new();
        if let Some(tls) = &self.tls {
            reloading.spawn(tls.clone().follow());
        }
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = self.accept(&slots) => accepted,
            };
            let Some((stream, slot)) = accepted else {
                continue;
            };
            let connection = Arc::clone(&connections).serve(stream, graceful.watcher());
            tokio::spawn(async move {
                connection.await;
                drop(slot);
            });
        }
        drop(self.listener);
        let limit = Duration::from_millis(settings.drain_ms_max);
        let is_done = timeout(limit, graceful.shutdown()).await.is_ok();
        let open = settings.connections_max as usize - slots.available_permits();
        connections.cut.cancel();
        // A connection that has just ended may not have given its slot back yet.
        let cut = if is_done { 0 } else { u32::try_from(open).unwrap_or(u32::MAX) };
        Drained { cut }
    }

    /// The next connection, once there may be one more.
    async fn accept(&self, slots: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
        let slot = Arc::clone(slots).acquire_owned().await.ok()?;
        match self.listener.accept().await {
            Ok((stream, _)) => Some((stream, slot)),
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }
}

impl Connections {
    async fn serve(self: Arc<Self>, stream: TcpStream, watcher: Watcher) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "nodelay refused");
        }
        let open = metrics::gauge!("ordain_api_connections_open");
        open.increment(1.0);
        match &self.tls {
            None => self.exchange(stream, watcher).await,
            Some(tls) => self.secure(tls, stream, watcher).await,
        }
        open.decrement(1.0);
    }

    async fn secure(&self, tls: &Tls, stream: TcpStream, watcher: Watcher) {
        let handshake = timeout(tls.handshake_limit(), tls.acceptor().accept(stream));
        let secured = tokio::select! {
            secured = handshake => secured,
            () = self.stop.cancelled() => return,
        };
        match secured {
            Ok(Ok(stream)) => self.exchange(stream, watcher).await,
            Ok(Err(error)) => tracing::debug!(%error, "connection not secured"),
            Err(_) => tracing::debug!("connection not secured in time"),
        }
    }

    async fn exchange<S>(&self, stream: S, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let service = TowerToHyperService::new(self.router.clone());
        let connection = self.http.serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            ended = watcher.watch(connection) => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection broken");
                }
            }
            () = self.cut.cancelled() => tracing::warn!("connection cut"),
        }
    }
}

fn http(settings: &Settings) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(settings.header_ms_max))
        .max_header_size(settings.header_bytes_max + HEADER_BYTES_SPARE);
    if settings.headers_max >= HEADERS_READ {
        http.max_headers(settings.headers_max + 1);
    }
    http
}
