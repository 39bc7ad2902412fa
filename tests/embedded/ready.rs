//! Whether a process is ready, asked by whoever has its configuration.

use std::path::{Path, PathBuf};

use ordain_testkit::free_port;
use ordain_tests::{Process, broken_binary};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::process::Command as Program;

/// Who watches a process asks it where it listens: at an address that no certificate names.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_its_configuration_learns_whether_a_process_with_a_certificate_is_ready() {
    let directory = tempfile::tempdir().unwrap();
    let certificate = |name: &str| {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["ordain.example".to_owned()]).unwrap();
        let files = (directory.path().join(name), directory.path().join(format!("{name}-key")));
        std::fs::write(&files.0, cert.pem()).unwrap();
        std::fs::write(&files.1, signing_key.serialize_pem()).unwrap();
        files
    };
    let (own, other) = (certificate("own"), certificate("other"));
    let free = format!("127.0.0.1:{}", free_port());
    let configured = |name: &str, (certificate, key): &(PathBuf, PathBuf)| {
        let file = directory.path().join(name);
        let text = format!(
            "data = {:?}\nlisten = \"127.0.0.1:0\"\nmetrics = \"{free}\"\n\
             [api.tls]\ncertificate_file = {certificate:?}\nkey_file = {key:?}\n",
            directory.path().join("data"),
        );
        std::fs::write(&file, text).unwrap();
        file
    };
    let (file, wrong) = (configured("own.toml", &own), configured("other.toml", &other));
    let mut command = Program::new(broken_binary());
    command.args(["dev", "--json", "--config"]).arg(&file);
    let process = Process::start(command).await.unwrap();
    assert_eq!(process.metrics, format!("https://{free}"));
    let ready = async |file: &Path| {
        let asked = Program::new(broken_binary()).args(["ready", "--config"]).arg(file).output();
        asked.await.unwrap()
    };
    let well = ready(&file).await;
    assert_eq!(well.status.code(), Some(0), "{well:?}");
    assert_eq!(ready(&wrong).await.status.code(), Some(3), "another's certificate");
    assert_eq!(process.terminate().await.code(), Some(0));
}
