//! `cargo xtask faults`: a fleet under fire, as quick as a release, on servers of its own.

use std::path::PathBuf;
use std::process::Command;

use anyhow::ensure;
use clap::Args;
use serde_json::json;

use crate::{run, services, tools};

/// The kinds of faults there are.
const KINDS: [&str; 19] = [
    "point", "owners", "kill", "pause", "leave", "rule", "clock", "expired", "link", "cut-off",
    "kafka", "mongodb", "redis", "replay", "foreign", "raise", "mutants", "measured", "three",
];
/// Those that run alone.
const ALONE: [&str; 3] = ["mutants", "measured", "three"];

/// What to run.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  \
    cargo xtask faults                              one round of all faults\n  \
    cargo xtask faults --rounds 5 --seed 12         five rounds, with other choices\n  \
    cargo xtask faults --only redis,kafka           outages of these servers alone\n  \
    cargo xtask faults --only three                 three brokers and three members of MongoDB\n  \
    cargo xtask faults --only mutants               builds that break a promise, all of them\n  \
    cargo xtask faults --only measured              how long answers take while one thing fails")]
pub(crate) struct Arguments {
    /// How many rounds; in each every crash point is killed and paused once, beside all else, and a
    /// worker amid two owners and amid raised partitions (owners).
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Only faults of these kinds.
    #[arg(long, value_delimiter = ',', value_parser = KINDS)]
    only: Vec<String>,
    /// What the order and the choices are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The directory for the report and the history, which are replaced.
    #[arg(long, default_value = "target/faults")]
    report: PathBuf,
}

/// Builds what is needed and runs it.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { rounds, only, seed, report } = arguments;
    let alone = only.iter().find(|kind| ALONE.contains(&kind.as_str()));
    if let Some(kind) = alone {
        ensure!(only.len() == 1, "this kind runs alone: --only {kind}");
    }
    // Together with what the tests build, so that nothing is compiled in two ways.
    let binaries = ["--bin", "ordain-broken", "--bin", "ordain-fire", "--test", "tidy"];
    let features = ["--features", "ordain/broken"];
    run::cargo(
        &[&["build", "--profile", "fire", "--workspace"], &binaries[..], &features].concat(),
    )?;
    let (toxiproxy, clock) = (tools::toxiproxy()?, tools::clock()?);
    let what = json!({
        "rounds": rounds,
        "only": only,
        "seed": seed,
        "report": run::root().join(report),
        "toxiproxy": toxiproxy,
        "clock": clock,
        "kafka": services::kafka_jars()?,
    });
    let mut fire = Command::new(run::root().join("target/fire/ordain-fire"));
    fire.arg(what.to_string()).current_dir(run::root());
    services::during(|| run::run(&mut fire, "the fleet under fire"))
}
