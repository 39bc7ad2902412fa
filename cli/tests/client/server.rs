//! A tiny HTTP server whose answers a test writes.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(20);

/// What a client asked.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Request {
    /// The request id that it travelled under.
    pub(crate) fn key(&self) -> &str {
        &self.headers["idempotency-key"]
    }

    /// Method and path.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// What the script answers.
pub(crate) enum Reply {
    /// Status, headers, body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// The connection ends without an answer.
    Close,
    /// No answer, until the client goes away.
    Hang,
}

pub(crate) fn answer(status: u16, body: impl Into<String>) -> Reply {
    Reply::Answer(status, Vec::new(), body.into())
}

/// A problem document with this code.
pub(crate) fn problem(status: u16, code: &str) -> Reply {
    answer(status, format!(r#"{{"title":"a title","status":{status},"code":"{code}"}}"#))
}

/// The outcome document of a command, as the server would store it.
pub(crate) fn document(request: &Request, outcome: &str) -> String {
    let key = request.key();
    format!(
        r#"{{"requestId":"{key}","type":"account","id":"a","command":"deposit","outcome":"{outcome}","revision":2,"sequence":2,"events":[{{"sequence":2,"type":"deposited","data":{{"amount":5}},"time":"2026-01-01T00:00:00.000000001Z"}}],"receipt":"cmVjZWlwdA","time":"2026-01-01T00:00:00.000000001Z"}}"#
    )
}

pub(crate) fn success(request: &Request) -> Reply {
    answer(200, document(request, "SUCCESS"))
}

/// A problem that carries an outcome.
pub(crate) fn outcome(status: u16, code: &str, request: &Request, outcome: &str) -> Reply {
    let result = document(request, outcome);
    answer(status, format!(r#"{{"title":"t","code":"{code}","result":{result}}}"#))
}

type Script = dyn Fn(usize, &Request) -> Reply + Send + Sync;

struct Shared {
    script: Box<Script>,
    requests: Mutex<Vec<Request>>,
    arrived: Mutex<mpsc::Sender<()>>,
    connections: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
    stopped: AtomicBool,
}

/// Listens there. Of a port that was let go before, someone else's connection may have got hold.
fn listener(address: SocketAddr) -> TcpListener {
    let until = Instant::now() + LIMIT;
    loop {
        match TcpListener::bind(address) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(10));
            }
            bound => return bound.unwrap(),
        }
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    arrivals: mpsc::Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// A server that answers by `script`, which is told how many requests came before.
    pub(crate) fn start(script: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), script)
    }

    pub(crate) fn start_at(
        address: SocketAddr,
        script: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = listener(address);
        let address = listener.local_addr().unwrap();
        let (arrived, arrivals) = mpsc::channel();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            requests: Mutex::default(),
            arrived: Mutex::new(arrived),
            connections: AtomicUsize::new(0),
            open: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        let thread = std::thread::spawn(move || accept(&listener, &accepting));
        Self { address, shared, arrivals, thread: Some(thread) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Returns when another request has arrived whole.
    pub(crate) fn wait_for_request(&self) {
        self.arrivals.recv_timeout(LIMIT).expect("no request came");
    }

    /// Closes every connection and listens no more.
    pub(crate) fn stop(mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        self.thread.take().unwrap().join().unwrap();
        for stream in self.shared.open.lock().unwrap().drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}

/// An address where nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { return };
        shared.connections.fetch_add(1, Ordering::SeqCst);
        shared.open.lock().unwrap().push(stream.try_clone().unwrap());
        let shared = Arc::clone(shared);
        std::thread::spawn(move || serve(stream, &shared));
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(request) = read(&mut reader) {
        let before = {
            let mut requests = shared.requests.lock().unwrap();
            requests.push(request.clone());
            requests.len() - 1
        };
        // Nobody need wait for it.
        shared.arrived.lock().unwrap().send(()).ok();
        match (shared.script)(before, &request) {
            Reply::Answer(status, headers, body) => {
                let mut text =
                    format!("HTTP/1.1 {status} Status\r\ncontent-length: {}\r\n", body.len());
                for (name, value) in headers {
                    text.push_str(&format!("{name}: {value}\r\n"));
                }
                text.push_str("\r\n");
                text.push_str(&body);
                if stream.write_all(text.as_bytes()).is_err() {
                    return;
                }
            }
            Reply::Close => {
                drop(stream.shutdown(Shutdown::Both));
                return;
            }
            Reply::Hang => {
                drop(reader.read(&mut [0]));
                return;
            }
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path, headers, body: String::from_utf8(body).unwrap() })
}
