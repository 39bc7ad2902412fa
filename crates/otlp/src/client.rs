//! The HTTP client that batches are sent with.

use std::io;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError};
use rustls::{ClientConfig, RootCertStore};

/// So much of a collector's answer is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A client over kept-alive connections. It has no limits of time: whoever exports has one.
#[derive(Debug)]
pub(crate) struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Client {
    /// A client of the collector at this address. Over https it trusts whom the system trusts, or
    /// the certificates in the file `SSL_CERT_FILE`.
    ///
    /// # Errors
    /// Whom the system trusts cannot be read.
    pub(crate) fn new(endpoint: &str) -> io::Result<Self> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        let provider = rustls::crypto::ring::default_provider();
        let builder = if endpoint.starts_with("https:") {
            HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?
        } else {
            let nobody = ClientConfig::builder_with_provider(provider.into())
                .with_safe_default_protocol_versions()
                .map_err(io::Error::other)?
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth();
            HttpsConnectorBuilder::new().with_tls_config(nobody)
        };
        let connector = builder.https_or_http().enable_http1().wrap_connector(connector);
        Ok(Self { pool: Pool::builder(TokioExecutor::new()).build(connector) })
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let response = self.pool.request(request.map(Full::new)).await?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}
