//! One server over HTTP: calls, answers, and the difference between a call that never left and
//! one that was not answered.

mod own;

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::{ClientConfig, RootCertStore};

use crate::exit::Exit;
use crate::failure::Failure;

const CONNECT_SECONDS_MAX: u64 = 5;
const IDLE_SECONDS_MAX: u64 = 20;
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What to do when a server's certificate is not trusted.
const TRUST: &str = "SSL_CERT_FILE names a file of certificates (PEM) to trust";

/// How long an answer may take beyond the wait that the server was asked for.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// Characters of ids and names stand for themselves; everything else is escaped, so no argument
/// can reach another route.
const ESCAPED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');

/// A server, and the connections to it. Reads no proxy from the environment.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
}

/// What is asked of the server.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// No answer within this time counts as none.
    pub(crate) limit: Duration,
}

/// What the server said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broken {
    /// There was no connection: the server has certainly seen nothing.
    NotReached(String),
    /// The call may have reached the server.
    NoAnswer(String),
}

impl Call {
    /// A question that changes nothing.
    pub(crate) fn get(path: String, wait: Duration) -> Self {
        Self {
            method: Method::GET,
            path,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            limit: wait.saturating_add(GRACE),
        }
    }
}

impl Answer {
    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Broken {
    pub(crate) fn why(&self) -> &str {
        match self {
            Self::NotReached(why) | Self::NoAnswer(why) => why,
        }
    }
}

impl Client {
    /// A client of the server at this address. Connects when it is first used. Over https it
    /// trusts whom the system trusts, or the certificates in the file `SSL_CERT_FILE`.
    ///
    /// # Errors
    /// The address is none that this program can speak to.
    pub(crate) fn new(address: &str) -> Result<Self, Box<Failure>> {
        let base = base(address)?;
        let trusted = if base.starts_with("https:") { Trusted::Usual } else { Trusted::Nobody };
        let connector = connector(&trusted)
            .map_err(|why| Failure::usage(format!("no https: {why}")).hint(TRUST))?;
        Ok(Self::over(connector, base))
    }

    /// A client of a process of one's own, which is known by the certificate in this file.
    ///
    /// # Errors
    /// The certificate cannot be read.
    pub(crate) fn of_own(address: &str, certificate: &Path) -> Result<Self, Box<Failure>> {
        let unreadable = |why| {
            let file = certificate.display();
            Failure::usage(format!("no https: {file} (`api.tls.certificate_file`): {why}"))
        };
        let connector = connector(&Trusted::Own(certificate)).map_err(unreadable)?;
        Ok(Self::over(connector, base(address)?))
    }

    fn over(connector: HttpsConnector<HttpConnector>, base: String) -> Self {
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(IDLE_SECONDS_MAX))
            .build(connector);
        Self { pool, base }
    }

    /// The server's address.
    pub(crate) fn address(&self) -> &str {
        &self.base
    }

    /// Makes a call and reads the answer whole.
    ///
    /// # Errors
    /// There is no answer; says whether the call may have reached the server.
    pub(crate) async fn call(&self, call: Call) -> Result<Answer, Broken> {
        let limit = call.limit;
        tokio::time::timeout(limit, self.exchange(call)).await.unwrap_or_else(|_| {
            Err(Broken::NoAnswer(format!("no answer within {} s", limit.as_secs())))
        })
    }

    async fn exchange(&self, call: Call) -> Result<Answer, Broken> {
        let mut request = Request::new(Full::new(call.body));
        *request.method_mut() = call.method;
        *request.headers_mut() = call.headers;
        *request.uri_mut() = format!("{}{}", self.base, call.path)
            .parse()
            .map_err(|error| Broken::NotReached(format!("no valid address: {error}")))?;
        let response = self.pool.request(request).await.map_err(|error| {
            let why = root_cause(&error);
            if error.is_connect() { Broken::NotReached(why) } else { Broken::NoAnswer(why) }
        })?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| Broken::NoAnswer(root_cause(error.as_ref())))?.to_bytes();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }

    /// Asks until the server answers with this status.
    ///
    /// # Errors
    /// There was no answer, or another one.
    pub(crate) async fn get(&self, path: String, wait: Duration) -> Result<Answer, Box<Failure>> {
        let answer = self.call(Call::get(path, wait)).await;
        answer.map_err(|broken| self.unreachable(&broken))
    }

    /// The failure of a question that got no answer.
    pub(crate) fn unreachable(&self, broken: &Broken) -> Box<Failure> {
        Failure::new(Exit::Unknown, format!("no answer from {}: {}", self.base, broken.why()))
            .hint(self.advice(broken))
    }

    /// What to do about a missing answer.
    pub(crate) fn advice(&self, broken: &Broken) -> String {
        match broken {
            Broken::NotReached(why) if why.contains("certificate") => TRUST.to_owned(),
            Broken::NotReached(_) => "is the server running? start one with `ordain dev`, \
                 or name another with --server URL or ORDAIN_SERVER"
                .replace("dev`, ", "dev`,\n"),
            Broken::NoAnswer(_) => format!("is {} an ordain server, and is it well?", self.base),
        }
    }
}

/// Whose certificates are trusted.
enum Trusted<'a> {
    /// Whoever the system trusts, or the file that the environment names.
    Usual,
    /// Only who shows the certificate in this file.
    Own(&'a Path),
    Nobody,
}

fn connector(trusted: &Trusted<'_>) -> Result<HttpsConnector<HttpConnector>, Box<dyn Error>> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(Duration::from_secs(CONNECT_SECONDS_MAX)));
    connector.enforce_http(false);
    let provider = rustls::crypto::ring::default_provider();
    let builder = match trusted {
        Trusted::Usual => HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?,
        Trusted::Own(certificate) => {
            HttpsConnectorBuilder::new().with_tls_config(own::config(certificate, provider)?)
        }
        // Reading whom to trust takes longer than most calls.
        Trusted::Nobody => {
            let nobody = ClientConfig::builder_with_provider(Arc::new(provider))
                .with_safe_default_protocol_versions()?
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth();
            HttpsConnectorBuilder::new().with_tls_config(nobody)
        }
    };
    Ok(builder.https_or_http().enable_http1().wrap_connector(connector))
}

/// A path from its segments, escaped.
pub(crate) fn path(segments: &[&str]) -> String {
    segments.iter().fold(String::from("/v1"), |mut path, segment| {
        path.push('/');
        path.extend(utf8_percent_encode(segment, ESCAPED));
        path
    })
}

/// Adds a query to a path, escaped.
pub(crate) fn with_query(mut path: String, pairs: &[(&str, &str)]) -> String {
    for (at, (name, value)) in pairs.iter().enumerate() {
        path.push(if at == 0 { '?' } else { '&' });
        path.push_str(name);
        path.push('=');
        path.extend(utf8_percent_encode(value, ESCAPED));
    }
    path
}

/// A wait as the server is told it: whole seconds, rounded up.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

fn base(address: &str) -> Result<String, Box<Failure>> {
    let bad = |why: &str| {
        Err(Failure::usage(format!("the server's address {address} {why}"))
            .hint("an address is like http://127.0.0.1:7400"))
    };
    let full =
        if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    let Ok(uri) = full.parse::<Uri>() else {
        return bad("is not a URL");
    };
    match uri.scheme_str() {
        Some("http" | "https") => {}
        _ => return bad("is not an http URL"),
    }
    if uri.query().is_some() || full.contains('#') {
        return bad("has more than host, port and path");
    }
    Ok(full.trim_end_matches('/').to_owned())
}

/// The innermost reason, because the outer ones only say that something failed.
fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    let text = inner.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_cannot_reach_another_route() {
        assert_eq!(path(&["account", "a/../b?c#d", "e f"]), "/v1/account/a%2F..%2Fb%3Fc%23d/e%20f");
        assert_eq!(
            with_query("/v1/x".to_owned(), &[("prefix", "a&b=c/"), ("limit", "1")]),
            "/v1/x?prefix=a%26b%3Dc%2F&limit=1"
        );
        assert_eq!(path(&["a", "A-z.0_:~"]), "/v1/a/A-z.0_:~");
    }

    #[test]
    fn addresses_are_read_leniently_and_refused_clearly() {
        assert_eq!(base("http://h:1/").unwrap(), "http://h:1");
        assert_eq!(base("h:1").unwrap(), "http://h:1");
        assert_eq!(base("http://h/behind/").unwrap(), "http://h/behind");
        assert_eq!(base("https://h/").unwrap(), "https://h");
        for bad in ["ftp://h", "http://", "http://h?x=1", "http://h/#x", "a b"] {
            assert_eq!(base(bad).unwrap_err().exit, Exit::Refused, "{bad}");
        }
    }

    #[test]
    fn waits_are_rounded_up() {
        assert_eq!(whole_seconds(Duration::from_millis(1)), 1);
        assert_eq!(whole_seconds(Duration::from_secs(5)), 5);
        assert_eq!(whole_seconds(Duration::ZERO), 0);
    }
}
