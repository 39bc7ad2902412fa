//! What was measured, as Markdown.

use std::fmt;
use std::fs;
use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

use super::cases::{BASE, Bar, Case, Load, UNIFORM};
use super::limits::{Limits, Services, median};
use super::syncs::Syncs;
use crate::run;

/// What was measured, place by place.
#[derive(Debug, Default)]
pub(super) struct Results {
    sections: Vec<Section>,
}

/// What was measured in one place.
#[derive(Debug)]
pub(super) struct Section {
    heading: String,
    /// Measured before each case.
    limits: Vec<Limits>,
    rows: Vec<Row>,
}

/// One measurement, or the medians of some.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    pub(super) per_second: f64,
    median_ms: f64,
    pub(super) p99_ms: f64,
    level_seconds: f64,
}

#[derive(Debug)]
struct Row {
    case: Case,
    counted: usize,
    of_runs: u32,
    median: Measured,
    least: f64,
    most: f64,
    syncs: Option<Syncs>,
}

impl Measured {
    /// From what `ordain bench --json` says.
    pub(super) fn of(report: &Value) -> anyhow::Result<Self> {
        let number = |pointer: &str| {
            let number = report.pointer(pointer).and_then(Value::as_f64);
            number.with_context(|| format!("no {pointer} in {report}"))
        };
        Ok(Self {
            per_second: number("/perSecond")?,
            median_ms: number("/latencyMs/p50")?,
            p99_ms: number("/latencyMs/p99")?,
            level_seconds: number("/checked/viewsLevelSeconds")?,
        })
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { per_second, median_ms, p99_ms, level_seconds } = self;
        write!(
            f,
            "{per_second:.0}/s, median {median_ms:.2} ms, p99 {p99_ms:.2} ms, \
             views level after {level_seconds:.2} s"
        )
    }
}

impl Results {
    /// A new section, which is the last.
    pub(super) fn section(&mut self, heading: String) -> &mut Section {
        let at = self.sections.len();
        self.sections.push(Section { heading, limits: Vec::new(), rows: Vec::new() });
        &mut self.sections[at]
    }
}

impl Section {
    /// The most commands a second that a closed loop of even deposits came to.
    pub(super) fn peak(&self) -> Option<f64> {
        let even = |row: &&Row| row.case.workload == UNIFORM && row.case.load == Load::Closed;
        let rates = self.rows.iter().filter(even).map(|row| row.median.per_second);
        rates.reduce(f64::max)
    }

    /// Adds what the machine and the services do by themselves, measured now.
    pub(super) fn add_limits(&mut self, limits: Limits) {
        self.limits.push(limits);
    }

    /// Adds a case by the medians of the runs that count, of so many.
    pub(super) fn add(
        &mut self,
        case: &Case,
        (runs, of_runs): (&[Measured], u32),
        syncs: Option<Syncs>,
    ) {
        let of = |figure: fn(&Measured) -> f64| median(runs.iter().map(figure));
        let rates = || runs.iter().map(|run| run.per_second);
        self.rows.push(Row {
            case: *case,
            counted: runs.len(),
            of_runs,
            median: Measured {
                per_second: of(|run| run.per_second),
                median_ms: of(|run| run.median_ms),
                p99_ms: of(|run| run.p99_ms),
                level_seconds: of(|run| run.level_seconds),
            },
            least: rates().fold(f64::INFINITY, f64::min),
            most: rates().fold(0.0, f64::max),
            syncs,
        });
    }

    /// What was measured in the case that others are compared with.
    fn base(&self) -> Option<&Measured> {
        self.rows.iter().find(|row| row.case.name == BASE).map(|row| &row.median)
    }

    /// A bar in words, what was measured against it, and whether that reaches it.
    fn held_against(&self, bar: Bar, measured: &Measured, limits: &Limits) -> String {
        let base = |figure: fn(&Measured) -> f64| self.base().map_or(f64::NAN, figure);
        let singles = limits.services.map_or(f64::NAN, |one| one.produce_ms + one.insert_ms);
        let Measured { per_second, median_ms, p99_ms, .. } = *measured;
        match bar {
            Bar::RateOfHttp(bar) => at_least(per_second / limits.http_per_second, bar, "HTTP"),
            Bar::RateOfBase(bar) => at_least(per_second / base(|one| one.per_second), bar, BASE),
            Bar::P99Ms(bar) => at_most(p99_ms, bar, "p99"),
            Bar::MedianOfSyncs(syncs, ms) => {
                at_most(median_ms, (syncs * limits.sync_ms).max(ms), "median")
            }
            Bar::MedianOfSingles(times) => at_most(median_ms, times * singles, "median"),
            Bar::MedianOfBase(times) => {
                at_most(median_ms, times * base(|one| one.median_ms), "median")
            }
        }
    }
}

fn at_least(ratio: f64, bar: f64, of: &str) -> String {
    if ratio.is_nan() {
        return format!("{of}: not measured");
    }
    let reached = if ratio >= bar { "" } else { ": **not reached**" };
    format!("{ratio:.3} × {of}, at least {bar}{reached}")
}

fn at_most(figure: f64, bar: f64, what: &str) -> String {
    if bar.is_nan() {
        return format!("{BASE}: not measured");
    }
    let reached = if figure <= bar { "" } else { ": **not reached**" };
    format!("{what} {figure:.3} ms, at most {bar:.3}{reached}")
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", machine())?;
        for section in &self.sections {
            writeln!(f, "\n{section}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = Limits::medians(&self.limits);
        let Limits { http_per_second, sync_ms, services } = limits;
        let count = self.limits.len();
        writeln!(f, "## {}\n\n| raw limit, median of {count} | |\n|---|---|", self.heading)?;
        writeln!(
            f,
            "| HTTP server that answers at once, 64 connections | {http_per_second:.0}/s |"
        )?;
        writeln!(f, "| one sync of the disk, median | {sync_ms:.3} ms |")?;
        if let Some(Services { produce_ms, insert_ms, both_ways_per_second, inserts_per_second }) =
            services
        {
            writeln!(f, "| one record to Kafka, median | {produce_ms:.2} ms |")?;
            writeln!(f, "| one document to MongoDB at majority, median | {insert_ms:.2} ms |")?;
            writeln!(f, "| Kafka, produced and consumed | {both_ways_per_second:.0}/s |")?;
            writeln!(f, "| MongoDB, ordered inserts of 100 | {inserts_per_second:.0}/s |")?;
        }
        writeln!(
            f,
            "\n| case | commands/s (least–most) | × HTTP | median ms | p99 ms | views level \
             | syncs/s, traced | bar |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|")?;
        for Row { case, counted, of_runs, median, least, most, syncs } in &self.rows {
            let syncs = syncs.map_or_else(
                || "–".to_owned(),
                |Syncs { per_second, commands_per_second }| {
                    format!("{per_second:.0} at {commands_per_second:.0}/s")
                },
            );
            let Measured { per_second, median_ms, p99_ms, level_seconds } = median;
            let bars = case.bars.iter().map(|bar| self.held_against(*bar, median, &limits));
            let bars = bars.collect::<Vec<_>>().join("; ");
            let ratio = per_second / http_per_second;
            writeln!(
                f,
                "| {}, {counted} of {of_runs} runs | {per_second:.0} ({least:.0}–{most:.0}) | \
                 {ratio:.3} | {median_ms:.2} | {p99_ms:.2} | {level_seconds:.2} s | {syncs} | \
                 {bars} |",
                case.name
            )?;
        }
        Ok(())
    }
}

/// The machine, the commit and the day.
pub(super) fn machine() -> String {
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(run::root()).output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        text.unwrap_or_default()
    };
    let value = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.split_once(':'));
        value.map_or_else(|| "?".to_owned(), |(_, value)| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!(
        "{}, commit {}, {cores} cores ({}), {} of memory, {}, {}",
        said("date", &["-u", "+%F"]),
        said("git", &["describe", "--always", "--dirty"]),
        value("/proc/cpuinfo", "model name"),
        value("/proc/meminfo", "MemTotal"),
        said("uname", &["-sr"]),
        said("rustc", &["--version"]),
    )
}
