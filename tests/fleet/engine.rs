//! The services of developers in containers. No engine is needed for this: one is acted, which
//! writes down what it is told and lets the shared servers stand for what it would start.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ordain_testkit::{Services, services};
use ordain_tests::xtask_binary;
use serde_json::{Value, json};
use tempfile::TempDir;

/// An engine that is acted, first on the path.
struct Engine {
    directory: TempDir,
    set: String,
}

/// The port at the end of an address, or before its path.
fn port(address: &str) -> &str {
    let (_, end) = address.rsplit_once(':').unwrap();
    end.split('/').next().unwrap()
}

/// Answers as Docker does: with the ports of the shared servers; `info` only while its daemon runs.
fn script(directory: &Path, services: &Services) -> String {
    let Services { kafka, mongodb, redis } = services;
    let (kafka, mongodb, redis) = (port(kafka), port(mongodb), port(redis));
    let here = directory.display();
    format!(
        "#!/bin/sh
echo \"$*\" >> {here}/told
case \"$*\" in
  'compose version') echo 'Docker Compose version v2.40.3' ;;
  info) test -e {here}/daemon ;;
  *' port kafka 19092') echo 127.0.0.1:{kafka} ;;
  *' port mongo 27017') echo 127.0.0.1:{mongodb} ;;
  *' port redis 6379') echo 127.0.0.1:{redis} ;;
  *' up --detach --wait kafka mongo redis') ;;
  *' run --rm --no-deps -T mongo-set') ;;
  *' down --volumes --remove-orphans') ;;
  *) echo \"unknown: $*\" >&2; exit 1 ;;
esac
"
    )
}

impl Engine {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for program in ["docker", "podman"] {
            let path = directory.path().join(program);
            fs::write(&path, script(directory.path(), &services())).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        }
        Self { directory, set: format!("engine-{}", uuid::Uuid::new_v4().simple()) }
    }

    fn run_daemon(&self) {
        fs::write(self.directory.path().join("daemon"), "").unwrap();
    }

    fn services(&self, task: &str, more: &[&str]) -> Output {
        let path = std::env::var_os("PATH").unwrap();
        let before = PathBuf::from(self.directory.path());
        let all = std::iter::once(before).chain(std::env::split_paths(&path));
        let mut command = Command::new(xtask_binary());
        command.env("PATH", std::env::join_paths(all).unwrap());
        command.args(["services", task, "--set", &self.set]).args(more);
        command.output().unwrap()
    }

    /// What the engine was told since the last look, without the project and its file.
    fn told(&self) -> Vec<String> {
        let path = self.directory.path().join("told");
        let told = fs::read_to_string(&path).unwrap_or_default();
        fs::write(&path, "").unwrap();
        let project = format!("--project-name ordain-services-{} --file ", self.set);
        let plain = |line: &str| match line.split_once(&project) {
            Some((before, rest)) => {
                let (file, rest) = rest.split_once(' ').unwrap();
                assert!(Path::new(file).ends_with("docker-compose.yml"), "{line}");
                format!("{before}{rest}")
            }
            None => line.to_owned(),
        };
        told.lines().map(plain).collect()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        drop(self.services("down", &[]));
    }
}

fn said(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr];
    texts.map(|text| String::from_utf8_lossy(text)).join("\n")
}

const UP: [&str; 5] = [
    "compose up --detach --wait kafka mongo redis",
    "compose port kafka 19092",
    "compose run --rm --no-deps -T mongo-set",
    "compose port mongo 27017",
    "compose port redis 6379",
];

#[test]
fn an_engine_runs_the_services_of_the_compose_file_and_nothing_of_ordain() {
    let engine = Engine::new();
    engine.run_daemon();
    let up = engine.services("up", &["--engine"]);
    assert!(up.status.success(), "{}", said(&up));
    assert_eq!(engine.told(), [&["compose version", "info"][..], &UP].concat());
    let status = engine.services("status", &["--json"]);
    assert!(status.status.success(), "{}", said(&status));
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    let Services { kafka, mongodb, redis } = services();
    let addresses = json!({ "kafka": kafka, "mongodb": mongodb, "redis": redis });
    assert_eq!((&status["up"], &status["addresses"]), (&json!(true), &addresses), "{status}");
    assert_eq!(engine.told(), [""; 0], "servers are asked themselves whether they answer");
    // As they run already, and nothing else beside them.
    let again = engine.services("up", &[]);
    assert!(again.status.success(), "{}", said(&again));
    assert_eq!(engine.told(), UP);
    let native = engine.services("up", &["--native"]);
    assert!(!native.status.success() && said(&native).contains("in containers"), "{native:?}");
    let down = engine.services("down", &[]);
    assert!(down.status.success(), "{}", said(&down));
    assert_eq!(engine.told(), ["compose down --volumes --remove-orphans"]);
    let status = engine.services("status", &["--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["servers"], json!([]), "{status}");
}

#[test]
fn an_engine_without_a_daemon_is_none() {
    let engine = Engine::new();
    let up = engine.services("up", &["--engine"]);
    assert!(!up.status.success() && said(&up).contains("no container engine"), "{}", said(&up));
    assert_eq!(engine.told(), ["compose version", "info", "compose version", "info"]);
}
