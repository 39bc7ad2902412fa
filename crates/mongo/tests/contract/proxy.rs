//! A way to the server that can be cut, or held up, at the next insert or counted mark.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens to the next insert or mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Next {
    /// It goes through.
    Pass,
    /// It does not reach the server, and the connection is cut.
    CutBefore,
    /// It reaches the server, and the connection is cut instead of an answer.
    CutAfter,
    /// It reaches the server, and its answer never comes.
    Hold,
}

/// What is to happen on the way, and what has.
#[derive(Default)]
struct Way {
    /// [`Next::Pass`] is zero.
    next: AtomicU8,
    writes: AtomicU64,
}

/// A proxy to the server; ends with its runtime.
pub(crate) struct Proxy {
    pub(crate) url: String,
    way: Arc<Way>,
    is_shut: watch::Sender<bool>,
}

impl Proxy {
    /// A way to the server of this URL.
    pub(crate) async fn to(url: &str) -> Self {
        let server = url.trim_start_matches("mongodb://").split('/').next().expect("a host");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let own = listener.local_addr().expect("an address").to_string();
        let way = Arc::<Way>::default();
        let is_shut = watch::Sender::new(false);
        let shut = is_shut.subscribe();
        tokio::spawn(accept(listener, server.to_owned(), (Arc::clone(&way), shut)));
        Self { url: format!("mongodb://{own}/?directConnection=true"), way, is_shut }
    }

    /// From now on nothing gets through, and what is there is cut; or again as before.
    pub(crate) fn shut(&self, is_shut: bool) {
        self.is_shut.send_replace(is_shut);
    }

    /// Whether what was to happen next has happened.
    pub(crate) fn has_happened(&self) -> bool {
        self.way.next.load(Ordering::SeqCst) == Next::Pass as u8
    }

    /// How many inserts and counted marks were sent.
    pub(crate) fn writes(&self) -> u64 {
        self.way.writes.load(Ordering::SeqCst)
    }

    pub(crate) fn next(&self, next: Next) {
        self.way.next.store(next as u8, Ordering::SeqCst);
    }
}

async fn accept(
    listener: TcpListener,
    server: String,
    (way, shut): (Arc<Way>, watch::Receiver<bool>),
) {
    while let Ok((client, _)) = listener.accept().await {
        if *shut.borrow() {
            continue;
        }
        let Ok(server) = TcpStream::connect(&server).await else { continue };
        let (carried, mut shut) = (connection(client, server, Arc::clone(&way)), shut.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = carried => {}
                _ = shut.wait_for(|shut| *shut) => {}
            }
        });
    }
}

async fn connection(client: TcpStream, server: TcpStream, way: Arc<Way>) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (met, meets) = tokio::sync::watch::channel(Next::Pass);
    tokio::select! {
        () = requests(from_client, to_server, &way, &met) => {}
        () = answers(from_server, to_client, meets) => {}
    }
}

/// Passes requests on; looks for an insert or a mark in them.
async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: &Way,
    met: &tokio::sync::watch::Sender<Next>,
) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let some = &bytes[..count];
        let writes = |name: &[u8]| some.windows(name.len()).any(|window| window == name);
        if writes(b"insert\0") || writes(b"findAndModify\0") {
            way.writes.fetch_add(1, Ordering::SeqCst);
            let fate = way.next.swap(Next::Pass as u8, Ordering::SeqCst);
            if fate == Next::CutBefore as u8 {
                return;
            }
            if fate == Next::CutAfter as u8 {
                met.send_replace(Next::CutAfter);
            }
            if fate == Next::Hold as u8 {
                met.send_replace(Next::Hold);
            }
        }
        if to.write_all(some).await.is_err() {
            return;
        }
    }
}

/// Passes answers on, until one is to be held or to be the end.
async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    meets: tokio::sync::watch::Receiver<Next>,
) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let fate = *meets.borrow();
        match fate {
            Next::Hold => std::future::pending().await,
            Next::CutAfter => return,
            Next::Pass | Next::CutBefore => {}
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
