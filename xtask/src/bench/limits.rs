//! What the machine, the disk, Kafka and MongoDB do by themselves.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use serde_json::Value;

use super::answer;
use super::server::Process;
use crate::{run, services};

/// The raw limits of this machine, measured in this run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Requests a second, of 64 connections, to an HTTP server that answers at once.
    pub(super) http_per_second: f64,
    /// The median of one sync of the disk behind a small write.
    pub(super) sync_ms: f64,
    pub(super) services: Option<Services>,
}

/// What the services do by themselves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Services {
    /// The median of one record.
    pub(super) produce_ms: f64,
    /// The median of one document at majority.
    pub(super) insert_ms: f64,
    /// Records a second, produced and consumed.
    pub(super) both_ways_per_second: f64,
    /// Documents a second, in ordered inserts of 100, four at once.
    pub(super) inserts_per_second: f64,
}

/// How long each of them is measured, in seconds.
const SECONDS: &str = "3";

impl Limits {
    /// Measures them, those of the services for a fleet.
    pub(super) fn measure(directory: &Path, fleet: bool) -> anyhow::Result<Self> {
        let disk = answer(limit("disk").arg(directory), "syncs of the disk")?;
        let server = AtOnce::start()?;
        let mut http = limit("http");
        let http = http.args([server.address.as_str(), "64", SECONDS]);
        let http = answer(http, "a server that answers at once")?;
        drop(server);
        let services = if fleet { Some(Services::measure()?) } else { None };
        Ok(Self {
            http_per_second: number(&http, "perSecond")?,
            sync_ms: number(&disk, "syncMs")?,
            services,
        })
    }
}

impl Limits {
    /// The medians of some measurements.
    pub(super) fn medians(of: &[Self]) -> Self {
        let services = of.iter().filter_map(|limits| limits.services).collect::<Vec<_>>();
        let service = |figure: fn(&Services) -> f64| median(services.iter().map(figure));
        Self {
            http_per_second: median(of.iter().map(|limits| limits.http_per_second)),
            sync_ms: median(of.iter().map(|limits| limits.sync_ms)),
            services: services.first().map(|_| Services {
                produce_ms: service(|one| one.produce_ms),
                insert_ms: service(|one| one.insert_ms),
                both_ways_per_second: service(|one| one.both_ways_per_second),
                inserts_per_second: service(|one| one.inserts_per_second),
            }),
        }
    }
}

/// The median of figures; the mean of the two in the middle, where there are two.
pub(super) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    let middle = |at: usize| figures.get(at).copied().unwrap_or(f64::NAN);
    f64::midpoint(middle(figures.len().saturating_sub(1) / 2), middle(figures.len() / 2))
}

impl Services {
    fn measure() -> anyhow::Result<Self> {
        let addresses = services::addresses()?;
        let address = |name: &str| {
            let address = addresses.get(name).and_then(Value::as_str);
            address.with_context(|| format!("{name} is not up"))
        };
        let kafka = answer(limit("kafka").args([address("kafka")?, SECONDS]), "Kafka alone")?;
        let mongodb =
            answer(limit("mongodb").args([address("mongodb")?, SECONDS]), "MongoDB alone")?;
        Ok(Self {
            produce_ms: number(&kafka, "produceMs")?,
            insert_ms: number(&mongodb, "insertMs")?,
            both_ways_per_second: number(&kafka, "bothWaysPerSecond")?,
            inserts_per_second: number(&mongodb, "insertsPerSecond")?,
        })
    }
}

/// What measures a raw limit.
pub(super) fn limit(name: &str) -> Command {
    let mut command = Command::new(run::root().join("target/release/ordain-limits"));
    command.arg(name);
    command
}

fn number(found: &Value, name: &str) -> anyhow::Result<f64> {
    found.get(name).and_then(Value::as_f64).with_context(|| format!("no {name} in {found}"))
}

/// A server that answers at once, as long as this lives.
struct AtOnce {
    _process: Process,
    address: String,
}

impl AtOnce {
    fn start() -> anyhow::Result<Self> {
        let mut child = limit("serve").stdout(Stdio::piped()).spawn()?;
        let mut address = String::new();
        let stdout = child.stdout.take();
        let process = Process(child);
        let stdout = stdout.context("the server says nothing")?;
        BufReader::new(stdout).read_line(&mut address)?;
        Ok(Self { _process: process, address: address.trim().to_owned() })
    }
}
