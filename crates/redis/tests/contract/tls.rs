//! Replies over TLS.

use std::fs;
use std::path::{Path, PathBuf};

use ordain_redis::Settings;
use ordain_testkit::free_port;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::login::{assert_works, file, refusal};
use crate::server::Server;

/// A certificate for 127.0.0.1 and the authority that signed it, as files.
struct Certificates {
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

fn certificates(directory: &Path) -> Certificates {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let parameters = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = parameters.signed_by(&key, &authority).unwrap();
    Certificates {
        authority: file(directory, "authority.pem", &authority.pem()),
        certificate: file(directory, "certificate.pem", &certificate.pem()),
        key: file(directory, "key.pem", &key.serialize_pem()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_go_over_tls_when_the_server_is_who_it_should_be() {
    let directory = tempfile::tempdir().unwrap();
    let (ours, theirs) = (directory.path().join("ours"), directory.path().join("theirs"));
    fs::create_dir_all(&ours).unwrap();
    fs::create_dir_all(&theirs).unwrap();
    let (ours, theirs) = (certificates(&ours), certificates(&theirs));
    let port = free_port().to_string();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let (certificate, key) = (path(&ours.certificate), path(&ours.key));
    let authority = path(&ours.authority);
    let server = Server::start_with(&[
        "--tls-port",
        &port,
        "--tls-auth-clients",
        "no",
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &authority,
    ])
    .await;
    let url = format!("rediss://127.0.0.1:{port}");
    let trusting = Settings { url, tls_ca_file: Some(ours.authority), ..server.settings() };
    assert_works(&trusting).await;
    let strangers = Settings { tls_ca_file: Some(theirs.authority), ..trusting.clone() };
    refusal(&strangers).await;
    refusal(&Settings { tls_ca_file: None, ..trusting }).await;
}
