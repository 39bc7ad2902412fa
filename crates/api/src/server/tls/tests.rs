//! TLS over real sockets and files.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_util::sync::CancellationToken;

use super::{Tls, TlsError, TlsSettings};
use crate::server::Drained;
use crate::{Server, Settings};

/// No test waits longer than this.
const LIMIT: Duration = Duration::from_secs(20);

/// Writes a new certificate and its key; gives the certificate.
fn issue(directory: &Path) -> String {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(directory.join("key.pem"), signing_key.serialize_pem()).unwrap();
    fs::write(directory.join("certificate.pem"), cert.pem()).unwrap();
    cert.pem()
}

fn settings(directory: &Path) -> TlsSettings {
    TlsSettings {
        certificate_file: Some(directory.join("certificate.pem")),
        key_file: Some(directory.join("key.pem")),
        reload_ms: 10,
        handshake_ms_max: 200,
    }
}

struct Secured {
    directory: TempDir,
    certificate: String,
    address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<Drained>,
}

impl Secured {
    async fn start() -> Self {
        Self::start_with(200).await
    }

    async fn start_with(handshake_ms_max: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let certificate = issue(directory.path());
        let settings = TlsSettings { handshake_ms_max, ..settings(directory.path()) };
        let tls = Tls::load(&settings).unwrap();
        let server = Server::bind(([127, 0, 0, 1], 0).into()).await.unwrap().secured(tls);
        let (address, stop) = (server.address(), CancellationToken::new());
        let stopped = stop.clone();
        let routes = Router::new().route("/hello", get(|| async { "hello" }));
        let serve = async move { server.serve(routes, &Settings::default(), stopped).await };
        Self { directory, certificate, address, stop, served: tokio::spawn(serve) }
    }

    /// What a client is answered that trusts this one certificate.
    async fn ask(&self, trusted: &str) -> Result<String, std::io::Error> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        let request = b"GET /hello HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    /// Asks until the client that trusts this certificate is answered.
    async fn ask_until_answered(&self, trusted: &str) {
        let asked = async {
            while self.ask(trusted).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LIMIT, asked).await.expect("the new certificate is taken up");
    }
}

#[tokio::test]
async fn a_client_that_trusts_the_certificate_is_answered() {
    let secured = Secured::start().await;
    let answer = secured.ask(&secured.certificate).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer}");
    secured.stop.cancel();
    assert_eq!(secured.served.await.unwrap(), Drained { cut: 0 });
}

#[tokio::test]
async fn a_new_certificate_is_taken_up_and_the_old_one_left() {
    let secured = Secured::start().await;
    let new = issue(secured.directory.path());
    secured.ask_until_answered(&new).await;
    assert!(secured.ask(&secured.certificate).await.is_err(), "the old one is still in force");
}

#[tokio::test]
async fn files_that_cannot_be_used_leave_the_old_certificate_in_force() {
    let secured = Secured::start().await;
    let path = secured.directory.path();
    let key = fs::read(path.join("key.pem")).unwrap();
    for broken in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAA\n"] {
        fs::write(path.join("certificate.pem"), broken).unwrap();
        // Time for several looks; were there fewer, the test would see less, not fail.
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(secured.ask(&secured.certificate).await.is_ok(), "after {broken:?}");
    }
    let new = issue(path);
    fs::write(path.join("key.pem"), key).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(secured.ask(&secured.certificate).await.is_ok(), "a key of another was taken up");
    assert!(secured.ask(&new).await.is_err());
    let newest = issue(path);
    secured.ask_until_answered(&newest).await;
}

#[tokio::test]
async fn a_client_that_speaks_no_tls_or_nothing_is_closed() {
    let secured = Secured::start().await;
    for sent in [&b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n"[..], b""] {
        let mut stream = TcpStream::connect(secured.address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        let mut answer = Vec::new();
        // Closed or reset: either ends it.
        drop(timeout(LIMIT, stream.read_to_end(&mut answer)).await.expect("the server closes"));
        assert!(!String::from_utf8_lossy(&answer).contains("hello"));
    }
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_client_that_says_nothing() {
    let secured = Secured::start_with(60_000).await;
    let silent = TcpStream::connect(secured.address).await.unwrap();
    // Whoever is answered came later, so the silent one has been accepted.
    secured.ask(&secured.certificate).await.unwrap();
    secured.stop.cancel();
    let drained = timeout(LIMIT, secured.served).await.expect("it stops").unwrap();
    assert_eq!(drained, Drained { cut: 0 });
    drop(silent);
}

#[test]
fn wrong_files_are_named_before_anything_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let wrong = |settings: &TlsSettings| Tls::load(settings).unwrap_err();
    assert!(Tls::load(&TlsSettings::default()).unwrap().is_none());
    let both = settings(directory.path());
    let half = TlsSettings { key_file: None, ..both.clone() };
    assert!(matches!(wrong(&half), TlsError::Half));
    assert!(wrong(&both).to_string().ends_with("certificate.pem cannot be read"));
    issue(directory.path());
    let key = directory.path().join("key.pem");
    fs::write(&key, "no key").unwrap();
    assert!(wrong(&both).to_string().ends_with("key.pem holds no usable private key"));
    let other = tempfile::tempdir().unwrap();
    issue(other.path());
    fs::copy(other.path().join("key.pem"), &key).unwrap();
    assert!(matches!(wrong(&both), TlsError::Mismatch(_)));
}
