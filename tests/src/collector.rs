//! A collector of spans: takes OTLP over HTTP, as the processes of ordain send it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::until;

/// A running collector, and what it was sent.
#[derive(Debug)]
pub struct Collector {
    /// Where it listens, `http://127.0.0.1:port`.
    pub address: String,
    spans: Arc<Mutex<Vec<Collected>>>,
    serving: JoinHandle<()>,
}

/// A span that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// The roles of the process that sent it, separated by commas.
    pub roles: String,
    /// The trace, in hexadecimal digits.
    pub trace: String,
    /// Its own id, in hexadecimal digits.
    pub id: String,
    /// The id of its parent; empty at the beginning of a trace.
    pub parent: String,
    /// Its name.
    pub name: String,
    /// How long it took, in nanoseconds.
    pub took_ns: Option<u64>,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
}

impl Collector {
    /// Begins to listen.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn start() -> Self {
        #[expect(clippy::expect_used, reason = "a test without a port has failed")]
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        #[expect(clippy::expect_used, reason = "a test without a port has failed")]
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let spans = Arc::default();
        let serving = tokio::spawn(serve(listener, Arc::clone(&spans)));
        Self { address, spans, serving }
    }

    /// All that it was sent until now.
    #[must_use]
    pub fn spans(&self) -> Vec<Collected> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for a span of this name in this trace.
    ///
    /// # Panics
    /// When it does not come.
    pub async fn span(&self, trace: &str, name: &str) -> Collected {
        until(&format!("the span {name}"), || async {
            self.spans().into_iter().find(|span| span.trace == trace && span.name == name)
        })
        .await
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, spans: Arc<Mutex<Vec<Collected>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let spans = Arc::clone(&spans);
        let take = service_fn(move |request| take(request, Arc::clone(&spans)));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), take));
    }
}

async fn take(
    request: Request<Incoming>,
    spans: Arc<Mutex<Vec<Collected>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let is_ours = request.method() == "POST"
        && request.uri().path() == "/v1/traces"
        && request.headers().get("content-type").is_some_and(|is| is == "application/x-protobuf");
    let body = request.into_body().collect().await.ok().map(http_body_util::Collected::to_bytes);
    let read = body.filter(|_| is_ours).and_then(|body| read(&body));
    let mut response = Response::new(Full::default());
    match read {
        Some(read) => spans.lock().unwrap_or_else(PoisonError::into_inner).extend(read),
        None => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    Ok(response)
}

fn read(body: &[u8]) -> Option<Vec<Collected>> {
    let sent = ExportTraceServiceRequest::decode(body).ok()?;
    let mut spans = Vec::new();
    for of_process in sent.resource_spans {
        let process = texts(&of_process.resource?.attributes);
        let roles = process.get("ordain.roles").cloned().unwrap_or_default();
        let all = of_process.scope_spans.into_iter().flat_map(|scope| scope.spans);
        spans.extend(all.map(|span| collected(&roles, &span)));
    }
    Some(spans)
}

fn collected(roles: &str, span: &Span) -> Collected {
    Collected {
        roles: roles.to_owned(),
        trace: hexadecimal(&span.trace_id),
        id: hexadecimal(&span.span_id),
        parent: hexadecimal(&span.parent_span_id),
        name: span.name.clone(),
        took_ns: span.end_time_unix_nano.checked_sub(span.start_time_unix_nano),
        attributes: texts(&span.attributes),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |attribute: &KeyValue| match &attribute.value {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) => {
            Some((attribute.key.clone(), text.clone()))
        }
        _ => None,
    };
    attributes.iter().filter_map(text).collect()
}
