//! Kafka out of its jars: one broker that is its own controller.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use uuid::Uuid;

use super::cache;
use super::server::{Server, connect};
use crate::{run, tools};

const POM: &str = include_str!("../../services/kafka/pom.xml");
const PROPERTIES: &str = include_str!("../../services/kafka/server.properties");
const LOGGING: &str = include_str!("../../services/kafka/log4j2.properties");
/// So many processes of a fleet can have a proxy each.
const PROXIES: usize = 7;
/// A proxy stands so many ports below the listener that it stands before.
const PROXY_BELOW: u16 = 12_000;
/// The version is the one in the pom.
const CACHED: &str = "kafka-4.1.1";

/// The broker.
pub(crate) struct Kafka;

impl Server for Kafka {
    fn name(&self) -> &'static str {
        "kafka"
    }

    fn ports(&self) -> usize {
        2 + PROXIES
    }

    fn service(&self) -> (&'static str, u16) {
        ("kafka", 19_092)
    }

    fn address(&self, ports: &[u16]) -> String {
        format!("127.0.0.1:{}", ports[0])
    }

    /// The directory of the jars.
    fn prepare(&self) -> anyhow::Result<PathBuf> {
        tools::ensure_program("java", "-version", &["default-jre-headless"])?;
        cache::directory(CACHED, |directory| {
            tools::ensure_program("mvn", "-version", &["maven"])?;
            fs::write(directory.join("pom.xml"), POM)?;
            let mut maven = Command::new("mvn");
            maven.args(["--quiet", "--batch-mode", "dependency:copy-dependencies"]);
            maven.args(["-DincludeScope=runtime", "-DoutputDirectory=jars"]);
            run::run(maven.current_dir(directory), "mvn dependency:copy-dependencies for Kafka")
        })
    }

    fn command(&self, program: &Path, directory: &Path, ports: &[u16]) -> anyhow::Result<Command> {
        let data = directory.join("data");
        let settings = directory.join("server.properties");
        let text = PROPERTIES
            .replace("{port}", &ports[0].to_string())
            .replace("{controller_port}", &ports[1].to_string())
            .replace("{data}", &data.to_string_lossy());
        let text = with_proxies(&text, &ports[2..]);
        fs::write(&settings, text)?;
        fs::write(directory.join("log4j2.properties"), LOGGING)?;
        if !data.exists() {
            format(program, &settings)?;
        }
        let mut command = java(program);
        command.args(["-Xms128m", "-Xmx512m", "-XX:+ExitOnOutOfMemoryError"]);
        command.arg("-Dlog4j2.configurationFile=log4j2.properties");
        command.arg("kafka.Kafka").arg(settings);
        Ok(command)
    }

    /// Asks which requests it understands: a broker answers that at its clients' port only once it
    /// serves them.
    fn answers(&self, port: u16) -> anyhow::Result<()> {
        const API_VERSIONS: i16 = 18;
        const CORRELATION: i32 = 7;
        let mut request = Vec::new();
        request.extend(API_VERSIONS.to_be_bytes());
        request.extend(0_i16.to_be_bytes());
        request.extend(CORRELATION.to_be_bytes());
        request.extend((-1_i16).to_be_bytes());
        let mut stream = connect(port)?;
        stream.write_all(&(request.len() as u32).to_be_bytes())?;
        stream.write_all(&request)?;
        let mut head = [0; 10];
        stream.read_exact(&mut head)?;
        let [_, _, _, _, correlation @ .., error_high, error_low] = head;
        let error = i16::from_be_bytes([error_high, error_low]);
        ensure!(correlation == CORRELATION.to_be_bytes(), "not the answer to what was asked");
        ensure!(error == 0, "it answered with error {error}");
        Ok(())
    }
}

/// Fills in the listeners behind proxies, at these ports.
fn with_proxies(text: &str, ports: &[u16]) -> String {
    let listeners = |line: &dyn Fn(usize, u16) -> String| -> String {
        ports.iter().enumerate().map(|(number, port)| line(number, *port)).collect()
    };
    let protocols = |number, _| format!(",PROXY{number}:PLAINTEXT");
    let threads = |number, _| format!("listener.name.proxy{number}.num.network.threads=1\n");
    let behind = |number, port| format!(",PROXY{number}://127.0.0.1:{port}");
    text.replace("{behind_proxies}", &listeners(&behind))
        .replace("{proxies}", &listeners(&|number, port| behind(number, port - PROXY_BELOW)))
        .replace("{protocols}", &listeners(&protocols))
        .replace("{threads}", &listeners(&threads))
}

fn java(jars: &Path) -> Command {
    let mut command = Command::new("java");
    command.arg("-cp").arg(jars.join("jars/*"));
    command
}

/// Writes what a new broker's directory has to begin with.
fn format(jars: &Path, settings: &Path) -> anyhow::Result<()> {
    let cluster = uuid_text(Uuid::new_v4());
    let mut command = java(jars);
    command.args(["kafka.tools.StorageTool", "format", "--standalone", "--cluster-id", &cluster]);
    let output =
        command.arg("--config").arg(settings).output().context("java cannot be started")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "kafka cannot format its directory: {said}");
    Ok(())
}

/// A cluster's id is any text of up to 22 characters that names it.
fn uuid_text(id: Uuid) -> String {
    let mut text = id.simple().to_string();
    text.truncate(22);
    text
}
