//! `docker-compose.yml` tells the truth: the real compose takes it, every argument and setting in
//! it is one that ordain knows, addresses lead to what is there, and nobody has more rights than
//! needed.

#![expect(clippy::expect_used, reason = "a test that meets what must not be has failed")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

/// What a process may take to end beyond its limit for draining.
const ENDING_MS: u64 = 1_000;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The compose that the tests were given, else the one of this machine.
fn compose() -> Command {
    let built = root().join("target/tools/bin/docker-compose");
    if built.exists() {
        return Command::new(built);
    }
    let mut docker = Command::new("docker");
    docker.arg("compose");
    let version = docker.args(["version", "--short"]).output();
    let is_there = version.is_ok_and(|version| version.status.success());
    assert!(is_there, "there is no docker compose; run: cargo xtask tools");
    let mut docker = Command::new("docker");
    docker.arg("compose");
    docker
}

/// What compose makes of a file.
fn read(file: &Path) -> Output {
    let read = compose()
        .arg("--project-directory")
        .arg(root())
        .arg("--file")
        .arg(file)
        .args(["config", "--format", "json"])
        .output();
    read.expect("compose can be started")
}

/// The file as compose understands it.
fn file() -> &'static Value {
    static FILE: OnceLock<Value> = OnceLock::new();
    FILE.get_or_init(|| {
        let read = read(&root().join("docker-compose.yml"));
        let said = String::from_utf8_lossy(&read.stderr).into_owned();
        assert!(read.status.success() && said.is_empty(), "{said}");
        serde_json::from_slice(&read.stdout).expect("compose prints JSON")
    })
}

fn services() -> impl Iterator<Item = (&'static str, &'static Value)> {
    let services = file()["services"].as_object().expect("there are services");
    services.iter().map(|(name, service)| (name.as_str(), service))
}

/// The services that run ordain.
fn ours() -> impl Iterator<Item = (&'static str, &'static Value)> {
    services().filter(|(_, service)| text(&service["image"]).starts_with("ordain:"))
}

/// Those of them that run a role, with it.
fn roles() -> impl Iterator<Item = (&'static str, &'static Value, String)> {
    let with_role = |(name, service): (_, &'static Value)| {
        (name, service, texts(&service["command"]).swap_remove(0))
    };
    ours().map(with_role).filter(|(_, _, role)| role != "topics")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().expect("a list");
    list.iter().map(|item| text(item).to_owned()).collect()
}

fn replicas(service: &Value) -> u64 {
    service["deploy"]["replicas"].as_u64().unwrap_or(1)
}

/// The binary with the environment of a service and nothing else.
fn ordain(service: &Value, arguments: &[String]) -> Output {
    let environment = service["environment"].as_object();
    let variables = environment.into_iter().flatten().map(|(name, value)| (name, text(value)));
    let mut command = Command::new(env!("CARGO_BIN_EXE_ordain"));
    command.args(arguments).env_clear().envs(variables);
    command.output().expect("ordain can be started")
}

/// Whether ordain would begin to do what these arguments say.
fn takes(service: &Value, arguments: &[String]) -> Result<(), String> {
    let asked = ordain(service, &[arguments, &["--help".to_owned()]].concat());
    match asked.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&asked.stderr).into_owned()),
    }
}

/// What is in force in a service: values by name, and the sources of all.
fn in_force(service: &Value) -> (BTreeMap<String, Value>, Vec<String>) {
    let fleet = root().join("config/fleet.toml");
    let file = fleet.to_str().expect("a path of ours is UTF-8");
    let shown = ordain(service, &["config", "--json", "--config", file].map(str::to_owned));
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    let shown: Vec<Value> = serde_json::from_slice(&shown.stdout).expect("JSON");
    let sources = shown.iter().map(|value| text(&value["source"]).to_owned()).collect();
    let named = |value: &Value| (text(&value["name"]).to_owned(), value["value"].clone());
    (shown.iter().map(named).collect(), sources)
}

#[test]
fn compose_takes_the_file_and_no_other_key() {
    assert!(services().count() > 5);
    let good = std::fs::read_to_string(root().join("docker-compose.yml")).expect("the file");
    let directory = tempfile::tempdir().expect("a directory");
    let bad = directory.path().join("bad.yml");
    std::fs::write(&bad, good.replace("stop_grace_period", "stop_grace_time")).expect("a file");
    let read = read(&bad);
    let said = String::from_utf8_lossy(&read.stderr);
    assert!(!read.status.success() && said.contains("stop_grace_time"), "{said}");
}

#[test]
fn ordain_takes_every_command_and_health_check() {
    let entry = std::fs::read_to_string(root().join("Dockerfile")).expect("the Dockerfile");
    assert!(entry.lines().any(|line| line == r#"ENTRYPOINT ["/ordain"]"#), "{entry}");
    for (name, service) in ours() {
        let command = texts(&service["command"]);
        assert_eq!(takes(service, &command), Ok(()), "{name}");
        let wrong = [&command[..], &["--nonsense".to_owned()]].concat();
        assert!(takes(service, &wrong).is_err(), "{name}");
        let mounted = text(&service["configs"][0]["target"]);
        assert!(command.iter().any(|word| word.ends_with(mounted)), "{name} reads its file");
    }
    for (name, service, _) in roles() {
        let check = texts(&service["healthcheck"]["test"]);
        assert_eq!(check[..2], ["CMD", "/ordain"], "{name}");
        assert_eq!(takes(service, &check[2..]), Ok(()), "{name}");
    }
    let source = text(&file()["configs"]["fleet"]["file"]);
    assert_eq!(
        Path::new(source).canonicalize().ok(),
        root().join("config/fleet.toml").canonicalize().ok()
    );
}

#[test]
fn every_setting_in_the_environment_exists_and_is_in_force() {
    for (name, service) in ours() {
        let (_, sources) = in_force(service);
        for variable in service["environment"].as_object().expect("settings").keys() {
            assert!(sources.contains(variable), "{name}: {variable} sets nothing");
        }
    }
}

#[test]
fn addresses_lead_to_what_is_there() {
    let hosts: Vec<&str> = services().map(|(name, _)| name).collect();
    for (name, service) in ours() {
        let (values, _) = in_force(service);
        for setting in ["kafka.bootstrap_servers", "mongo.url", "redis.url"] {
            let address = text(&values[setting]);
            let host = address.split("://").last().and_then(|rest| rest.split(':').next());
            assert!(host.is_some_and(|host| hosts.contains(&host)), "{name}: {address}");
        }
        // The health check asks the default address of the listener for operators.
        assert_eq!(text(&values["metrics"]), "127.0.0.1:7401", "{name}");
    }
    let (values, _) = in_force(&file()["services"]["worker"]);
    let kafka = &file()["services"]["kafka"];
    let (host, port) = text(&values["kafka.bootstrap_servers"]).split_once(':').expect("a port");
    let here = &kafka["ports"][0];
    let listeners = text(&kafka["environment"]["KAFKA_LISTENERS"]);
    let advertised = text(&kafka["environment"]["KAFKA_ADVERTISED_LISTENERS"]);
    let ends = |list: &str, end: &str| list.split(',').any(|listener| listener.ends_with(end));
    for (listens, known_as) in [
        (format!("://:{port}"), format!("://{host}:{port}")),
        (
            format!("://:{}", here["target"]),
            format!("://{}:{}", text(&here["host_ip"]), text(&here["published"])),
        ),
    ] {
        assert!(ends(listeners, &listens) && ends(advertised, &known_as), "{known_as}");
    }
    let check = texts(&kafka["healthcheck"]["test"]).join(" ");
    assert!(check.ends_with(&format!("/{port}")), "{check}");
    let set = text(&values["mongo.url"]).split("replicaSet=").nth(1).expect("a replica set");
    let started = texts(&file()["services"]["mongo"]["command"]).join(" ");
    assert!(started.contains(&format!("--replSet {set} ")), "{started}");
    let made = texts(&file()["services"]["mongo-set"]["command"]).join(" ");
    assert!(made.contains(&format!(r#"_id: "{set}""#)) && made.contains(r#"host: "mongo:27017""#));
}

#[test]
fn published_ports_are_listened_on_and_reached_from_this_machine_only() {
    for (name, service) in services() {
        for port in service["ports"].as_array().into_iter().flatten() {
            assert_eq!(text(&port["host_ip"]), "127.0.0.1", "{name}");
        }
    }
    for (name, service, role) in roles() {
        let ports = service["ports"].as_array().cloned().unwrap_or_default();
        assert_eq!(ports.len(), usize::from(role == "api"), "{name}");
        for port in ports {
            let (values, _) = in_force(service);
            assert_eq!(text(&values["listen"]), format!("0.0.0.0:{}", port["target"]), "{name}");
        }
    }
}

#[test]
fn there_are_two_apis_three_workers_one_view_and_partitions_for_them() {
    let mut counts = BTreeMap::new();
    for (_, service, role) in roles() {
        *counts.entry(role).or_default() += replicas(service);
    }
    let workers = 3;
    let expected = [("api", 2), ("view", 1), ("worker", workers)];
    assert_eq!(counts, expected.map(|(role, count)| (role.to_owned(), count)).into());
    let topics = texts(&file()["services"]["topics"]["command"]);
    let number = |flag: &str| -> Option<u64> {
        topics.iter().find_map(|word| word.strip_prefix(flag)).and_then(|n| n.parse().ok())
    };
    assert_eq!(number("--workers="), Some(workers));
    assert!(number("--partitions=") >= Some(10 * workers));
}

#[test]
fn nobody_is_root_or_writes_to_the_image() {
    for (name, service) in services() {
        let user = text(&service["user"]);
        assert!(!user.starts_with("root") && !user.starts_with("0"), "{name} is {user}");
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(texts(&service["cap_drop"]), ["ALL"], "{name}");
        assert_eq!(texts(&service["security_opt"]), ["no-new-privileges:true"], "{name}");
        let image = text(&service["image"]);
        let version = image.split(':').nth(1).unwrap_or_default();
        assert!(version.split('.').count() >= 3, "{image} is not pinned");
        let names = service["environment"].as_object();
        let mut names = names.into_iter().flatten().map(|(name, _)| name.to_lowercase());
        assert!(!names.any(|n| n.contains("password") || n.contains("secret")), "{name}");
    }
}

#[test]
fn whoever_starts_waits_for_what_it_needs_and_has_time_to_end() {
    for (name, service) in services() {
        let is_once = service["restart"] == "on-failure";
        assert!(is_once || service["restart"] == "unless-stopped", "{name}");
        assert_eq!(is_once, service["healthcheck"].is_null(), "{name}");
        for (on, how) in service["depends_on"].as_object().into_iter().flatten() {
            let ends = file()["services"][on]["restart"] == "on-failure";
            let wanted = if ends { "service_completed_successfully" } else { "service_healthy" };
            assert_eq!(text(&how["condition"]), wanted, "{name} on {on}");
        }
    }
    for (name, service, _) in roles() {
        let (values, _) = in_force(service);
        let drain = values["drain_ms_max"].as_u64().expect("a limit");
        let grace = text(&service["stop_grace_period"]);
        let grace: u64 = grace.trim_end_matches('s').parse().expect("seconds");
        assert!(grace * 1_000 >= drain + ENDING_MS, "{name} is killed while it drains");
    }
}

#[test]
fn the_image_has_the_version_of_the_binary() {
    let version = env!("CARGO_PKG_VERSION");
    for (name, service) in ours() {
        assert_eq!(text(&service["image"]), format!("ordain:{version}"), "{name}");
    }
    let recipe = std::fs::read_to_string(root().join("Dockerfile")).expect("the Dockerfile");
    assert!(recipe.contains(&format!("image.version=\"{version}\"")), "the label says another");
}
