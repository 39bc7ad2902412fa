//! TLS on a listener: its certificate, taken anew when the files change.

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};

/// The certificate of a listener. Without files it speaks plain HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSettings {
    /// The certificate and those that lead to its authority (PEM, the listener's own first).
    pub certificate_file: Option<PathBuf>,
    /// The key of the certificate (PEM).
    pub key_file: Option<PathBuf>,
    /// How often the files are looked at for a change. New connections get the new certificate;
    /// files that cannot be used leave the old one in force.
    pub reload_ms: u64,
    /// How long a client may take until its connection is secured.
    pub handshake_ms_max: u64,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self { certificate_file: None, key_file: None, reload_ms: 5_000, handshake_ms_max: 10_000 }
    }
}

/// Why a listener has no certificate.
#[derive(Debug, Error)]
pub enum TlsError {
    /// Only one of the two files is named.
    #[error("certificate_file and key_file belong together: only one of them is set")]
    Half,
    /// A file cannot be read.
    #[error("{} cannot be read", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// A file does not hold what it should.
    #[error("{} holds no usable {what}", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// Why it does not.
        #[source]
        why: pem::Error,
    },
    /// The key is not the certificate's, or of a kind that is not supported.
    #[error("the key does not fit the certificate")]
    Mismatch(#[source] rustls::Error),
}

/// A certificate that follows its files.
#[derive(Clone)]
pub struct Tls {
    settings: TlsSettings,
    files: Files,
    certificate: Arc<Certificate>,
    acceptor: TlsAcceptor,
}

/// Where certificate and key are, and what was last read there.
#[derive(Clone)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    read: (Vec<u8>, Vec<u8>),
}

/// The one that is in force.
#[derive(Debug)]
struct Certificate(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Tls {
    /// Reads the files; `None` when none are named.
    ///
    /// # Errors
    /// Why they cannot be used.
    pub fn load(settings: &TlsSettings) -> Result<Option<Self>, TlsError> {
        let (certificate, key) = match (&settings.certificate_file, &settings.key_file) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => (certificate.clone(), key.clone()),
            _ => return Err(TlsError::Half),
        };
        let mut files = Files { certificate, key, read: Default::default() };
        files.read = files.contents()?;
        let provider = Arc::new(ring::default_provider());
        let current = files.certified(&provider)?;
        let certificate = Arc::new(Certificate(RwLock::new(Arc::new(current))));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Mismatch)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificate) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Some(Self { settings: settings.clone(), files, certificate, acceptor }))
    }

    pub(super) const fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    pub(super) const fn handshake_limit(&self) -> Duration {
        Duration::from_millis(self.settings.handshake_ms_max)
    }

    /// Takes up every change of the files, for ever.
    pub(super) async fn follow(mut self) {
        let mut look = interval(Duration::from_millis(self.settings.reload_ms.max(1)));
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            let looked = tokio::task::spawn_blocking(move || {
                self.reload();
                self
            });
            match looked.await {
                Ok(tls) => self = tls,
                Err(_) => return,
            }
        }
    }

    /// Looks at the files once. While they are being replaced they may not fit each other.
    fn reload(&mut self) {
        let file = self.files.certificate.clone();
        let changed = self.files.contents().and_then(|read| {
            if read == self.files.read {
                return Ok(None);
            }
            self.files.read = read;
            self.files.certified(&ring::default_provider()).map(Some)
        });
        match changed {
            Ok(None) => {}
            Ok(Some(certified)) => {
                *self.certificate.0.write().unwrap_or_else(PoisonError::into_inner) =
                    Arc::new(certified);
                tracing::info!(file = %file.display(), "certificate reloaded");
            }
            Err(error) => {
                let why = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(%error, why, "certificate not reloaded, the old one stays");
            }
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Files {
    fn contents(&self) -> Result<(Vec<u8>, Vec<u8>), TlsError> {
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|why| TlsError::Unreadable(path.clone(), why))
        };
        Ok((read(&self.certificate)?, read(&self.key)?))
    }

    fn certified(&self, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
        let (certificate, key) = &self.read;
        let unusable = |path: &PathBuf, what| {
            let path = path.clone();
            move |why| TlsError::Unusable { path, what, why }
        };
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<_, _>>()
            .map_err(unusable(&self.certificate, "certificate"))?;
        if chain.is_empty() {
            let none = unusable(&self.certificate, "certificate");
            return Err(none(pem::Error::NoItemsFound));
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(unusable(&self.key, "private key"))?;
        CertifiedKey::from_der(chain, key, provider).map_err(TlsError::Mismatch)
    }
}
