//! `cargo xtask bench`: what a release build does on this machine, next to what the machine, the
//! disk, Kafka and MongoDB do by themselves, measured in the same run. All is on one machine, the
//! load generator included.
//!
//! Every measurement has a server of its own: a new directory, or a new fleet. After each case the
//! server is started again, and must hold what was answered.

mod cases;
mod growth;
mod large;
mod level;
mod limits;
mod results;
mod server;
mod syncs;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};
use serde_json::Value;

use self::cases::{Case, EMBEDDED, FLEET, Load};
use self::limits::{Limits, limit};
use self::results::{Measured, Results, machine};
use self::server::{Home, Server, Shape};
use crate::{run, services, tools};

/// How long services are under load before anything on them counts.
const WARM_UP_SECONDS: u64 = 45;

/// The views may be behind for so long after the last answer.
const VIEWS_WITHIN: &str = "2s";

/// What to measure.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  \
    cargo xtask bench                               all cases (about an hour)\n  \
    cargo xtask bench --homes embedded --runs 1     one process on one directory, quickly\n  \
    cargo xtask bench --only hot-key --homes fleet  one workload on a fleet\n  \
    cargo xtask bench --homes fleet --partitions 1  all cases on a fleet with one partition\n  \
    cargo xtask bench --large 1000000               a million accounts in one process\n  \
    cargo xtask bench --level 10                    memory under ten minutes of load\n  \
    cargo xtask bench --growth --runs 1             more accounts, partitions and workers")]
pub(crate) struct Arguments {
    /// Where it runs.
    #[arg(long, value_delimiter = ',', default_values_t = Where::ALL)]
    homes: Vec<Where>,
    /// Only cases that have this in their names.
    #[arg(long)]
    only: Option<String>,
    /// How often each case is measured; the figures are medians.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// How long each measurement takes.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// How many partitions each log has.
    #[arg(
        long,
        default_value_t = Shape::default().partitions,
        value_parser = clap::value_parser!(u32).range(1..=64)
    )]
    partitions: u32,
    /// Only what one process needs that keeps so many accounts: memory, and time to start.
    #[arg(
        long,
        value_name = "ACCOUNTS",
        conflicts_with_all = ["homes", "only", "runs", "seconds", "partitions"]
    )]
    large: Option<u32>,
    /// Only whether memory stays level under so many minutes of even deposits.
    #[arg(
        long,
        value_name = "MINUTES",
        value_parser = clap::value_parser!(u32).range(1..=60),
        conflicts_with_all = ["large", "only", "runs", "seconds", "partitions"]
    )]
    level: Option<u32>,
    /// Only how even deposits change with the number of accounts, partitions and, on a fleet,
    /// workers; as tables, and as a picture beside the report (each run takes minutes in one
    /// process, and far longer on a fleet).
    #[arg(long, conflicts_with_all = ["large", "level", "only", "partitions"])]
    growth: bool,
    /// The file that the results go to, as Markdown.
    #[arg(long, default_value = "target/bench.md")]
    report: PathBuf,
}

/// Where ordain runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Where {
    /// In one process on one directory.
    Embedded,
    /// On Kafka, MongoDB and Redis; all roles in one process, and other workers beside it where
    /// their number grows.
    Fleet,
}

impl Where {
    const ALL: [Self; 2] = [Self::Embedded, Self::Fleet];
}

impl std::fmt::Display for Where {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if *self == Self::Embedded { "embedded" } else { "fleet" })
    }
}

/// Builds, measures, prints, and writes it down.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let packages = ["--package", "ordain", "--package", "ordain-limits"];
    let binaries = ["--bin", "ordain", "--bin", "ordain-limits"];
    run::cargo(&[&["build", "--release"], &packages[..], &binaries].concat())?;
    if let Some(aggregates) = arguments.large {
        return tell(&large::run(aggregates)?, arguments);
    }
    if let Some(minutes) = arguments.level {
        let mut told = machine() + "\n\n";
        let done = everywhere(arguments, |place| {
            told += &format!("{}\n", level::run(place, minutes)?);
            Ok(())
        });
        return tell(&told, arguments).and(done);
    }
    if arguments.growth {
        let mut growths = Vec::new();
        let done = everywhere(arguments, |place| growth::run(place, arguments, &mut growths));
        let tables = growths.iter().map(|growth| format!("{growth}\n"));
        let told = tell(&tables.fold(machine() + "\n\n", |told, table| told + &table), arguments);
        let picture = run::root().join(&arguments.report).with_extension("svg");
        return told.and(done).and(growth::draw(&growths, &picture));
    }
    if arguments.homes.contains(&Where::Embedded) {
        tools::ensure_strace()?;
    }
    let mut results = Results::default();
    let done = everywhere(arguments, |place| all(arguments, &mut results, place));
    // What was measured before something failed is told all the same.
    tell(&results.to_string(), arguments).and(done)
}

/// Does this in one place behind the other, as far as they are asked for.
fn everywhere(
    arguments: &Arguments,
    mut measure: impl FnMut(Where) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if arguments.homes.contains(&Where::Embedded) {
        measure(Where::Embedded)?;
    }
    if arguments.homes.contains(&Where::Fleet) {
        services::during(|| {
            warm_up()?;
            measure(Where::Fleet)
        })?;
    }
    Ok(())
}

/// Sends deposits through the services, and counts nothing: a broker that was just started has half
/// of its speed until it has compiled what it does all the time.
fn warm_up() -> anyhow::Result<()> {
    let case = FLEET.first().context("no case of a fleet")?;
    eprintln!("bench: fleet: {WARM_UP_SECONDS} s for the services to get warm");
    let home = Home::new(Where::Fleet, Shape::default())?;
    let mut server = home.start()?;
    if let Err(why) = load(&server, case, None, WARM_UP_SECONDS) {
        eprintln!("bench: fleet: it was not all right while they got warm: {why:#}");
    }
    server.stop()
}

fn tell(text: &str, arguments: &Arguments) -> anyhow::Result<()> {
    #[expect(clippy::print_stdout, reason = "the results")]
    {
        println!("{text}");
    }
    let report = run::root().join(&arguments.report);
    fs::write(&report, text).with_context(|| format!("{} cannot be written", report.display()))
}

fn all(arguments: &Arguments, results: &mut Results, place: Where) -> anyhow::Result<()> {
    let cases = match place {
        Where::Embedded => EMBEDDED,
        Where::Fleet => FLEET,
    };
    let shape = Shape { partitions: arguments.partitions, ..Shape::default() };
    let section = results.section(format!("{place}, partitions: {}", shape.partitions));
    let wanted = |case: &&Case| arguments.only.as_ref().is_none_or(|only| case.name.contains(only));
    for case in cases.iter().filter(wanted) {
        let directory = tempfile::tempdir_in(run::root().join("target"))?;
        section.add_limits(Limits::measure(directory.path(), place == Where::Fleet)?);
        let mut runs = Vec::new();
        for number in 1..=arguments.runs {
            let measured = Home::new(place, shape)
                .and_then(|home| once(&home, case, section.peak(), arguments.seconds));
            match measured {
                Ok(measured) => {
                    eprintln!("bench: {place}: {}, run {number}: {measured}", case.name);
                    runs.push(measured);
                }
                Err(why) => {
                    let name = case.name;
                    eprintln!("bench: {place}: {name}, run {number} does not count: {why:#}");
                }
            }
        }
        ensure!(!runs.is_empty(), "{place}: no run of {} counts", case.name);
        // Those of a fleet are Kafka's and MongoDB's.
        let syncs = (place == Where::Embedded)
            .then(|| syncs::measure(shape, case, section.peak(), arguments.seconds))
            .transpose();
        let syncs = syncs.unwrap_or_else(|why| {
            eprintln!("bench: {place}: the syncs of {} are not known: {why:#}", case.name);
            None
        });
        section.add(case, (&runs, arguments.runs), syncs);
    }
    Ok(())
}

/// Measures once, and reads everything back after a restart.
fn once(home: &Home, case: &Case, peak: Option<f64>, seconds: u64) -> anyhow::Result<Measured> {
    let mut server = home.start()?;
    let report = load(&server, case, peak, seconds)?;
    let before = funds(&server)?;
    server.stop()?;

    let mut again = home.start()?;
    let after = funds(&again)?;
    again.stop()?;
    ensure!(before == after, "after a restart accounts or rows are not what they were");
    Measured::of(&report)
}

/// Puts the load of a case on a server; gives what the generator says of it.
fn load(server: &Server, case: &Case, peak: Option<f64>, seconds: u64) -> anyhow::Result<Value> {
    let mut bench = server.bench();
    bench.args(["--workload", case.workload, "--views-within", VIEWS_WITHIN]);
    bench.arg("--connections").arg(case.connections.to_string());
    bench.arg("--duration").arg(format!("{seconds}s"));
    if case.load == Load::HalfOfPeak {
        let peak = peak.context("the peak is measured first: --only must not leave it out")?;
        bench.arg("--rate").arg(format!("{:.0}", peak / 2.0));
    }
    answer(&mut bench, "ordain bench")
}

/// What each account holds, and what the view shows of each.
fn funds(server: &Server) -> anyhow::Result<Value> {
    answer(limit("funds").args([server.address(), "10000"]), "reading accounts back")
}

/// Runs a program, and reads the one line of JSON that it prints.
fn answer(command: &mut Command, what: &str) -> anyhow::Result<Value> {
    let output = command.output().with_context(|| format!("{what} cannot be started"))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{what} ended with {}: {printed}{said}", output.status);
    serde_json::from_str(&printed).with_context(|| format!("{what} printed {printed}"))
}
