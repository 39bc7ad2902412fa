//! Connections over TLS, to a door in front of the server that speaks it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ordain_ports::Action;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::database::Database;

/// A door to the server with a certificate for 127.0.0.1, and the authority that signed it.
struct Door {
    url: String,
    authority: PathBuf,
}

async fn door(server: &str, directory: &Path) -> Door {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(parameters, key).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let parameters = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    let certificate = parameters.signed_by(&key, &authority).expect("a certificate");
    let file = directory.join(format!("{}.pem", uuid::Uuid::new_v4()));
    fs::write(&file, authority.pem()).expect("writes");

    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    let acceptor = TlsAcceptor::from(Arc::new(config.expect("a configuration")));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let own = listener.local_addr().expect("an address");
    let server = server.trim_start_matches("mongodb://").split('/').next().expect("a host");
    tokio::spawn(accept(listener, acceptor, server.to_owned()));
    Door { url: format!("mongodb://{own}/?directConnection=true"), authority: file }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, server: String) {
    while let Ok((client, _)) = listener.accept().await {
        let (acceptor, server) = (acceptor.clone(), server.clone());
        tokio::spawn(async move {
            let mut client = acceptor.accept(client).await?;
            let mut server = TcpStream::connect(server).await?;
            copy_bidirectional(&mut client, &mut server).await
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_is_spoken_to_when_it_is_who_it_should_be() {
    let database = Database::new();
    let directory = tempfile::tempdir().expect("a directory");
    let ours = door(&database.0.url, directory.path()).await;
    let theirs = door(&database.0.url, directory.path()).await;
    let through = async |url: &str, authority: Option<&PathBuf>| {
        let mongo = database.connect_with(|settings| {
            settings.url = url.to_owned();
            settings.tls_ca_file = authority.cloned();
            settings.server_selection_ms_max = 1_000;
        });
        mongo.await.ping().await
    };
    through(&ours.url, Some(&ours.authority)).await.expect("the server is who it should be");
    let refused = through(&ours.url, Some(&theirs.authority)).await.expect_err("a stranger");
    assert_eq!(refused.action(), Action::TryAgain, "{refused}");
    through(&ours.url, None).await.expect_err("the door speaks TLS only");
    let plain = &database.0.url;
    through(plain, Some(&ours.authority)).await.expect_err("the server does not speak TLS");
}
