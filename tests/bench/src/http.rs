//! A server that answers at once, with the headers and the body that ordain answers a deposit with,
//! and the load on it.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use ordain_bench::{Plan, Workload};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// An answer of ordain to a deposit.
const BODY: &str = r#"{"requestId":"019ab2f4c1d07f3e8b1a2c3d4e5f6a7b-12-3456","type":"account","id":"bench-1234","command":"deposit","outcome":"SUCCESS","revision":2,"sequence":2,"events":[{"sequence":2,"type":"deposited","data":{"amount":1},"time":"2026-11-22T18:17:13.478271332Z"}],"receipt":"ZGVmYXVsdC9hY2NvdW50L2JlbmNoLTEyMzRAMg","time":"2026-11-22T18:17:13.478271332Z"}"#;
const HEADERS: [(&str, &str); 4] = [
    ("content-type", "application/json"),
    ("cache-control", "no-store"),
    ("idempotency-key", "019ab2f4c1d07f3e8b1a2c3d4e5f6a7b-12-3456"),
    ("etag", "\"2\""),
];

pub(crate) async fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    #[expect(clippy::print_stdout, reason = "whoever started it reads where it listens")]
    {
        println!("{}", listener.local_addr()?);
    }
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new();
            let connection = connection.serve_connection(TokioIo::new(stream), service_fn(answer));
            // The client has gone.
            drop(connection.await);
        });
    }
}

async fn answer(_: Request<hyper::body::Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::new(Bytes::from_static(BODY.as_bytes())));
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

pub(crate) fn load(address: String, connections: usize, seconds: u64) -> anyhow::Result<Value> {
    let duration = Duration::from_secs(seconds);
    let plan = Plan { connections, duration, ..plan(address, 10_000) };
    let load = ordain_bench::load(&plan, "run", &mut |_| {})?;
    anyhow::ensure!(load.unexpected.is_none(), "answered {:?}", load.unexpected);
    Ok(json!({
        "perSecond": load.answered() as f64 / duration.as_secs_f64(),
        "p50Ms": load.answers.value_at_quantile(0.5) as f64 / 1e3,
        "p99Ms": load.answers.value_at_quantile(0.99) as f64 / 1e3,
    }))
}

/// What each account holds, and what the view shows of each.
pub(crate) fn funds(address: String, accounts: u32) -> anyhow::Result<Value> {
    let (accounts, view) = ordain_bench::funds(&plan(address, accounts))?;
    Ok(json!({"accounts": accounts, "view": view}))
}

fn plan(address: String, accounts: u32) -> Plan {
    Plan {
        address,
        workload: Workload::DepositUniform,
        connections: 1,
        rate: None,
        duration: Duration::ZERO,
        warm_up: Duration::from_secs(1),
        accounts,
        name: "bench".to_owned(),
        batch: 1,
        views_within: Duration::ZERO,
    }
}
