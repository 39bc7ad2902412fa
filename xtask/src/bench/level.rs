//! Whether memory stays level under load.

use std::fmt;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::Where;
use super::limits::median;
use super::server::{Home, Process, Shape};

/// The view is not what is measured here.
const VIEWS_WITHIN: &str = "10m";
/// How often a server is looked at.
const EVERY: Duration = Duration::from_secs(1);
const PER_MINUTE: usize = 60;
/// Memory that grew by no more than this part from the second third of the time to the last.
const LEVEL: f64 = 0.1;

/// What was resident, in MiB, second by second.
#[derive(Debug)]
pub(super) struct Level {
    place: Where,
    per_second: f64,
    resident: Vec<f64>,
}

/// Loads a server with even deposits for so many minutes, and looks at its memory all the time.
pub(super) fn run(place: Where, minutes: u32) -> anyhow::Result<Level> {
    let home = Home::new(place, Shape::default())?;
    let mut server = home.start()?;
    let mut bench = server.bench();
    bench.args(["--views-within", VIEWS_WITHIN, "--duration", &format!("{minutes}m")]);
    bench.stdout(Stdio::piped());
    let mut bench = Process(bench.spawn().context("ordain bench cannot be started")?);
    let mut resident = Vec::new();
    let status = loop {
        if let Some(status) = bench.0.try_wait()? {
            break status;
        }
        resident.push(server.resident_mib()?);
        if resident.len() % PER_MINUTE == 0 {
            let minute = resident.len() / PER_MINUTE;
            eprintln!("bench: {place}: minute {minute}: {:.0} MiB", resident[resident.len() - 1]);
        }
        sleep(EVERY);
    };
    let printed = bench.0.stdout.take().map(std::io::read_to_string).transpose()?;
    let printed = printed.unwrap_or_default();
    ensure!(status.success(), "ordain bench ended with {status}: {printed}");
    let report: serde_json::Value = serde_json::from_str(&printed)?;
    let per_second = report.pointer("/perSecond").and_then(serde_json::Value::as_f64);
    let per_second = per_second.context("ordain bench says no throughput")?;
    server.stop()?;
    Ok(Level { place, per_second, resident })
}

impl Level {
    /// By how much the last third of the time needed more than the one before.
    fn growth(&self) -> f64 {
        let third = (self.resident.len() / 3).max(1);
        let mut thirds = self.resident.chunks(third).map(|part| median(part.iter().copied()));
        let (before, last) = (thirds.nth(1), thirds.next());
        last.zip(before).map_or(f64::NAN, |(last, before)| last / before - 1.0)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, per_second, resident } = self;
        writeln!(f, "| {place}, {per_second:.0} commands/s: minute | resident, MiB |")?;
        writeln!(f, "|---|---|")?;
        for (minute, seconds) in (1..).zip(resident.chunks(PER_MINUTE)) {
            let least = seconds.iter().copied().fold(f64::INFINITY, f64::min);
            let most = seconds.iter().copied().fold(0.0, f64::max);
            writeln!(f, "| {minute} | {least:.0}–{most:.0} |")?;
        }
        let (growth, bar) = (100.0 * self.growth(), 100.0 * LEVEL);
        let reached = if growth <= bar { "" } else { ": **not level**" };
        writeln!(
            f,
            "\nThe last third of the time needed {growth:.1} % more than the second; up to {bar:.0} % \
             is level{reached}."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_to_the_end_is_not_level() {
        let level =
            |resident: Vec<f64>| Level { place: Where::Embedded, per_second: 1.0, resident };
        let filling = level((0..600).map(|second| f64::from(second.min(150))).collect());
        assert!(filling.growth().abs() < 1e-9, "{}", filling.growth());
        assert!(!filling.to_string().contains("not level"));
        let growing = level((0..600).map(f64::from).collect());
        assert!(growing.growth() > 0.5);
        assert!(growing.to_string().contains("not level"), "{growing}");
    }
}
