//! The server, over real sockets.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::{Drained, Server};
use crate::frame::frame;
use crate::staged::Stage;
use crate::{Problem, Settings, body};

/// No test waits longer than this.
const LIMIT: Duration = Duration::from_secs(20);

/// A server with a few routes, and the ends of it that a test holds.
struct Running {
    address: std::net::SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<Drained>,
    /// A request to `/held` has arrived.
    arrived: Arc<Notify>,
    /// It may be answered.
    release: Arc<Notify>,
}

impl Running {
    async fn start(settings: Settings) -> Self {
        let stage = Stage::set_with(settings.clone()).await;
        let (arrived, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let held = {
            let (arrived, release) = (Arc::clone(&arrived), Arc::clone(&release));
            move || {
                let (arrived, release) = (Arc::clone(&arrived), Arc::clone(&release));
                async move {
                    arrived.notify_one();
                    release.notified().await;
                    "done"
                }
            }
        };
        let limits = settings.clone();
        let whole = move |request: Request| async move {
            let (parts, sent) = request.into_parts();
            let read = body::whole(&parts.headers, sent, limits.body_bytes_max, &limits).await;
            read.map(|bytes| bytes.len().to_string())
        };
        let routes = Router::new()
            .route("/hello", get(|| async { "hello" }))
            .route("/held", get(held))
            .route("/body", post(whole))
            .fallback(|| async { Problem::unknown_route() })
            .layer(from_fn_with_state(Arc::clone(&stage.api), frame));
        let server = Server::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let (address, stop) = (server.address(), CancellationToken::new());
        let stopped = stop.clone();
        let served = tokio::spawn(async move { server.serve(routes, &settings, stopped).await });
        Self { address, stop, served, arrived, release }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

async fn send(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// Reads until the server closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(LIMIT, stream.read_to_end(&mut bytes)).await;
    read.expect("the server closes").unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Reads until the text has come so often.
async fn until(stream: &mut TcpStream, text: &str, count: usize) -> String {
    let mut read = String::new();
    let mut bytes = [0; 4096];
    while read.matches(text).count() < count {
        let got = timeout(LIMIT, stream.read(&mut bytes)).await.expect("an answer").unwrap();
        assert_ne!(got, 0, "closed after {read:?}");
        read.push_str(std::str::from_utf8(&bytes[..got]).unwrap());
    }
    read
}

fn quick() -> Settings {
    Settings { header_ms_max: 200, ..Settings::default() }
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let running = Running::start(quick()).await;
    let mut stream = running.connect().await;
    let begun = Instant::now();
    assert_eq!(rest(&mut stream).await, "");
    assert!(begun.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn a_header_that_never_ends_is_not_waited_for() {
    let running = Running::start(quick()).await;
    let mut stream = running.connect().await;
    let begun = Instant::now();
    send(&mut stream, "GET /hello HTTP/1.1\r\nhost: a\r\n").await;
    let (mut reader, mut writer) = stream.split();
    // A header every 50 ms keeps the connection busy, and does not keep it open.
    let feed = async {
        loop {
            if writer.write_all(b"x-a: b\r\n").await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let closed = async {
        let mut bytes = Vec::new();
        drop(reader.read_to_end(&mut bytes).await);
    };
    tokio::select! {
        () = feed => {}
        closed = timeout(LIMIT, closed) => closed.expect("the server closes"),
    }
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_was_kept_open_until_then() {
    let running = Running::start(quick()).await;
    let mut stream = running.connect().await;
    for _ in 0..2 {
        send(&mut stream, "GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let answer = until(&mut stream, "hello", 1).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let running = Running::start(Settings::default()).await;
    let mut stream = running.connect().await;
    let one = "GET /hello HTTP/1.1\r\nhost: a\r\n\r\n";
    let other = "GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n";
    send(&mut stream, &format!("{one}{other}{one}")).await;
    let answers = until(&mut stream, "hello", 2).await;
    let statuses: Vec<_> =
        answers.matches("HTTP/1.1 200").chain(answers.matches("HTTP/1.1 404")).collect();
    assert_eq!(statuses.len(), 3, "{answers}");
    assert!(answers.find("404") < answers.rfind("HTTP/1.1 200"), "{answers}");
}

#[tokio::test]
async fn a_flood_of_headers_is_431() {
    let running = Running::start(Settings::default()).await;
    for (count, is_problem) in [(65, true), (500, false)] {
        let mut stream = running.connect().await;
        let headers: String = (0..count).map(|n| format!("x-{n}: v\r\n")).collect();
        let request = format!("GET /hello HTTP/1.1\r\nconnection: close\r\n{headers}\r\n");
        send(&mut stream, &request).await;
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{count}: {answer}");
        assert_eq!(answer.contains("HEADERS_TOO_LARGE"), is_problem, "{count}: {answer}");
    }
    let mut stream = running.connect().await;
    let large = "v".repeat(20 << 10);
    let request = format!("GET /hello HTTP/1.1\r\nconnection: close\r\nx: {large}\r\n\r\n");
    send(&mut stream, &request).await;
    assert!(rest(&mut stream).await.contains("HEADERS_TOO_LARGE"));
}

#[tokio::test]
async fn a_body_too_large_is_413_without_reading_it_all() {
    let settings =
        Settings { body_bytes_max: 1_000, body_discard_bytes_max: 100_000, ..Settings::default() };
    let running = Running::start(settings).await;
    let head = "POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 10000000000\r\n\r\n";
    let mut stream = running.connect().await;
    send(&mut stream, head).await;
    let answer = until(&mut stream, "BODY_TOO_LARGE", 1).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");

    // What is not much too large is read to its end, so that the client sees the answer.
    let mut stream = running.connect().await;
    send(&mut stream, "POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 90000\r\n\r\n").await;
    send(&mut stream, &"a".repeat(90_000)).await;
    until(&mut stream, "BODY_TOO_LARGE", 1).await;
    send(&mut stream, "GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await;
    until(&mut stream, "hello", 1).await;
}

#[tokio::test]
async fn a_chunked_body_has_the_same_limit() {
    let settings = Settings { body_bytes_max: 1_000, ..Settings::default() };
    let running = Running::start(settings).await;
    let mut stream = running.connect().await;
    send(&mut stream, "POST /body HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").await;
    for _ in 0..3 {
        send(&mut stream, &format!("190\r\n{}\r\n", "a".repeat(400))).await;
    }
    send(&mut stream, "0\r\n\r\n").await;
    let answer = until(&mut stream, "BODY_TOO_LARGE", 1).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_408() {
    let running = Running::start(Settings { body_ms_max: 200, ..Settings::default() }).await;
    let mut stream = running.connect().await;
    send(&mut stream, "POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc").await;
    let answer = until(&mut stream, "SLOW_BODY", 1).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn no_more_connections_are_served_than_may_be() {
    let running = Running::start(Settings { connections_max: 1, ..Settings::default() }).await;
    let mut first = running.connect().await;
    send(&mut first, "GET /held HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    timeout(LIMIT, running.arrived.notified()).await.unwrap();
    let mut second = running.connect().await;
    send(&mut second, "GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let early = timeout(Duration::from_millis(200), second.readable()).await;
    assert!(early.is_err(), "the second connection was served beside the first");
    running.release.notify_one();
    assert!(rest(&mut first).await.ends_with("done"));
    until(&mut second, "hello", 1).await;
}

#[tokio::test]
async fn a_stop_lets_what_is_in_flight_finish_and_closes_what_is_idle() {
    let running = Running::start(Settings::default()).await;
    let mut idle = running.connect().await;
    send(&mut idle, "GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").await;
    until(&mut idle, "hello", 1).await;
    let mut busy = running.connect().await;
    send(&mut busy, "GET /held HTTP/1.1\r\nhost: a\r\n\r\n").await;
    timeout(LIMIT, running.arrived.notified()).await.unwrap();
    running.stop.cancel();
    assert_eq!(rest(&mut idle).await, "");
    let early = timeout(Duration::from_millis(200), busy.readable()).await;
    assert!(early.is_err(), "the busy connection was not left to finish");
    assert!(!running.served.is_finished());
    assert!(TcpStream::connect(running.address).await.is_err());
    running.release.notify_one();
    let answer = rest(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
    let drained = timeout(LIMIT, running.served).await.expect("the server returns").unwrap();
    assert_eq!(drained, Drained { cut: 0 });
}

#[tokio::test]
async fn a_stop_cuts_what_does_not_finish_in_time() {
    let running = Running::start(Settings { drain_ms_max: 200, ..Settings::default() }).await;
    let mut busy = running.connect().await;
    send(&mut busy, "GET /held HTTP/1.1\r\nhost: a\r\n\r\n").await;
    timeout(LIMIT, running.arrived.notified()).await.unwrap();
    running.stop.cancel();
    let drained = timeout(LIMIT, running.served).await.expect("the server returns").unwrap();
    assert_eq!(drained, Drained { cut: 1 });
    let mut bytes = Vec::new();
    let closed = timeout(LIMIT, busy.read_to_end(&mut bytes)).await.expect("closed");
    assert!(closed.is_err() || bytes.is_empty());
}
