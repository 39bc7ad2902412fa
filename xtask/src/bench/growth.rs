//! How throughput and latency change with the number of accounts, of partitions and of workers.

use std::fmt;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use anyhow::{bail, ensure};

use super::limits::{limit, median};
use super::results::Measured;
use super::server::{Home, Shape};
use super::{Arguments, Where, answer};

/// Every account is asked what it holds; the view shows the last of so many a while later.
const VIEWS_WITHIN: &str = "10m";
/// A command may take at most so many times what it took a step before.
const STEP_MAX: f64 = 2.0;

const ACCOUNTS: &[u32] = &[10_000, 100_000, 1_000_000];
const PARTITIONS: &[u32] = &[1, 8, 64];
const WORKERS: &[u32] = &[1, 2, 4];

/// What grows while all else stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Growing {
    Accounts,
    Partitions,
    Workers,
}

impl Growing {
    const fn name(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Partitions => "partitions",
            Self::Workers => "workers",
        }
    }

    const fn steps(self) -> &'static [u32] {
        match self {
            Self::Accounts => ACCOUNTS,
            Self::Partitions => PARTITIONS,
            Self::Workers => WORKERS,
        }
    }

    /// How many accounts there are at a step, and on what.
    fn at(self, step: u32) -> (u32, Shape) {
        let (accounts, shape) = (ACCOUNTS[0], Shape::default());
        match self {
            Self::Accounts => (step, shape),
            Self::Partitions => (accounts, Shape { partitions: step, ..shape }),
            Self::Workers => (accounts, Shape { workers: step, ..shape }),
        }
    }
}

/// What was measured of what grows, step by step.
#[derive(Debug)]
pub(super) struct Growth {
    place: Where,
    growing: Growing,
    steps: Vec<Step>,
    of_runs: u32,
}

#[derive(Debug)]
struct Step {
    step: u32,
    /// Those that count.
    runs: Vec<Measured>,
}

/// Measures even deposits from 64 connections at every step of all that can grow there.
pub(super) fn run(
    place: Where,
    arguments: &Arguments,
    growths: &mut Vec<Growth>,
) -> anyhow::Result<()> {
    // What many accounts leave behind in the services of a fleet is not in the way of the others.
    let growing: &[Growing] = match place {
        Where::Embedded => &[Growing::Partitions, Growing::Accounts],
        Where::Fleet => &[Growing::Workers, Growing::Partitions, Growing::Accounts],
    };
    for growing in growing {
        let growth = grow(place, *growing, arguments);
        let lacking = growth.steps.iter().find(|step| step.runs.is_empty()).map(|step| step.step);
        growths.push(growth);
        if let Some(step) = lacking {
            bail!("{place}: no run with {step} {} counts", growing.name());
        }
    }
    Ok(())
}

/// The steps take turns, since a machine may be slower an hour later.
fn grow(place: Where, growing: Growing, arguments: &Arguments) -> Growth {
    let steps = growing.steps().iter().map(|step| Step { step: *step, runs: Vec::new() });
    let mut steps: Vec<_> = steps.collect();
    for number in 1..=arguments.runs {
        for Step { step, runs } in &mut steps {
            let name = growing.name();
            match once(place, growing.at(*step), arguments.seconds) {
                Ok(measured) => {
                    eprintln!("bench: {place}: {step} {name}, run {number}: {measured}");
                    runs.push(measured);
                }
                Err(why) => {
                    let run = format!("{step} {name}, run {number}");
                    eprintln!("bench: {place}: {run} does not count: {why:#}");
                }
            }
        }
    }
    Growth { place, growing, steps, of_runs: arguments.runs }
}

fn once(place: Where, (accounts, shape): (u32, Shape), seconds: u64) -> anyhow::Result<Measured> {
    let home = Home::new(place, shape)?;
    let mut server = home.start()?;
    let mut bench = server.bench();
    bench.args(["--views-within", VIEWS_WITHIN, "--accounts", &accounts.to_string()]);
    bench.arg("--duration").arg(format!("{seconds}s"));
    let report = answer(&mut bench, "ordain bench")?;
    server.stop()?;
    Measured::of(&report)
}

/// Draws what was measured into this file.
pub(super) fn draw(growths: &[Growth], file: &Path) -> anyhow::Result<()> {
    let mut picture = limit("picture").arg(file).stdin(Stdio::piped()).spawn()?;
    let curves = self::curves(growths);
    let written = picture.stdin.take().map_or(Ok(()), |mut stdin| write!(stdin, "{curves}"));
    let status = picture.wait()?;
    ensure!(status.success(), "drawing ended with {status}");
    Ok(written?)
}

fn curves(growths: &[Growth]) -> serde_json::Value {
    let curve = |growth: &Growth| {
        let name = format!("{}, {}", growth.place, growth.growing.name());
        let points = growth.medians().map(|(step, per_second, p99_ms)| {
            serde_json::json!({ "step": step, "perSecond": per_second, "p99Ms": p99_ms })
        });
        serde_json::json!({ "name": name, "points": points.collect::<Vec<_>>() })
    };
    growths.iter().map(curve).collect()
}

impl Growth {
    /// Each step with its throughput and 99th percentile.
    fn medians(&self) -> impl Iterator<Item = (u32, f64, f64)> {
        self.steps.iter().map(|Step { step, runs }| {
            let of = |figure: fn(&Measured) -> f64| median(runs.iter().map(figure));
            (*step, of(|run| run.per_second), of(|run| run.p99_ms))
        })
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, growing, steps, of_runs } = self;
        writeln!(
            f,
            "| {place}: {} | runs | commands/s | p99 ms | time per command, × the step before |",
            growing.name()
        )?;
        writeln!(f, "|---|---|---|---|---|")?;
        let mut before = None;
        for (step, (_, per_second, p99_ms)) in steps.iter().zip(self.medians()) {
            let (counted, step) = (step.runs.len(), step.step);
            let times = before.map_or_else(String::new, |before: f64| {
                let times = before / per_second;
                let reached = if times <= STEP_MAX { "" } else { ": **more than doubled**" };
                format!("{times:.2}{reached}")
            });
            writeln!(
                f,
                "| {step} | {counted} of {of_runs} | {per_second:.0} | {p99_ms:.2} | {times} |"
            )?;
            before = Some(per_second);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_worker_has_partitions_at_every_step() {
        let (_, most) = Growing::Workers.at(WORKERS[WORKERS.len() - 1]);
        assert!(most.workers <= most.partitions, "{most:?}");
    }
}
