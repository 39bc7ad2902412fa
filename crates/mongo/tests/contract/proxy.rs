//! A way to the server that can be cut, or held up, at the next insert, counted mark or write of
//! rows.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens to the next insert, counted mark or write of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It goes through.
    Pass,
    /// It does not reach the server, and the connection is cut.
    CutBefore,
    /// It reaches the server, and the connection is cut instead of an answer.
    CutAfter,
    /// It reaches the server, and its answer never comes.
    Hold,
    /// It reaches the server, and its answer comes once the proxy lets it go on.
    Pause,
}

/// What is to happen on the way, and what has.
#[derive(Default)]
struct Way {
    /// Of the next writes, one by one; those behind them pass.
    next: Mutex<VecDeque<Next>>,
    goes_on: watch::Sender<bool>,
    writes: AtomicU64,
}

impl Way {
    fn next(&self) -> MutexGuard<'_, VecDeque<Next>> {
        self.next.lock().expect("nobody panics meanwhile")
    }
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
        self.way.next().is_empty()
    }

    /// How many inserts, counted marks and writes of rows were sent.
    pub(crate) fn writes(&self) -> u64 {
        self.way.writes.load(Ordering::SeqCst)
    }

    pub(crate) fn next(&self, next: Next) {
        self.in_turn([next]);
    }

    /// What happens to the next writes, one after the other.
    pub(crate) fn in_turn(&self, next: impl IntoIterator<Item = Next>) {
        *self.way.next() = next.into_iter().collect();
    }

    /// The answers that pause go on, now and later.
    pub(crate) fn go_on(&self) {
        self.way.goes_on.send_replace(true);
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
    let (met, meets) = watch::channel(Next::Pass);
    tokio::select! {
        () = requests(from_client, to_server, &way, &met) => {}
        () = answers(from_server, to_client, (meets, way.goes_on.subscribe())) => {}
    }
}

/// How the commands begin that are looked for; of updates only those of rows.
const LOOKED_FOR: [&[u8]; 3] = [b"insert\0", b"findAndModify\0", b"update\0\x05\0\0\0rows\0"];

/// Passes requests on; looks for certain commands in them.
async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: &Way,
    met: &watch::Sender<Next>,
) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let some = &bytes[..count];
        let has = |begin: &[u8]| some.windows(begin.len()).any(|window| window == begin);
        if LOOKED_FOR.into_iter().any(has) {
            way.writes.fetch_add(1, Ordering::SeqCst);
            match way.next().pop_front() {
                Some(Next::CutBefore) => return,
                Some(fate) => drop(met.send_replace(fate)),
                None => {}
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
    (meets, mut goes_on): (watch::Receiver<Next>, watch::Receiver<bool>),
) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let fate = *meets.borrow();
        match fate {
            Next::Hold => std::future::pending().await,
            Next::CutAfter => return,
            Next::Pause => drop(goes_on.wait_for(|goes_on| *goes_on).await),
            Next::Pass | Next::CutBefore => {}
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
