//! Checks a simulated run and says how long that took: `cargo run --release -p ordain-checker
//! --example scale [operations]`, two million when none are named. Fails where an anomaly is found.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a measurement that meets what must not be has failed"
)]
#![expect(dead_code, reason = "the tests use more of what they share")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use ordain_checker::{Checker, Demands};

#[path = "../tests/checker/run.rs"]
mod run;
#[path = "../tests/checker/simulated.rs"]
mod simulated;

use simulated::{Simulation, Size};

const OPERATIONS: usize = 2_000_000;

fn main() -> ExitCode {
    let named = std::env::args().nth(1).map(|operations| operations.parse());
    let operations = named.map_or(OPERATIONS, |named| named.expect("a number of operations"));
    let mut simulation =
        Simulation::new(1, Size { operations, clients: 64, accounts: operations / 200 + 1 });
    let mut checker = Checker::new(Demands::default());
    let mut taking = Duration::ZERO;
    loop {
        let goes_on = (0..1_000).all(|_| simulation.step());
        if !goes_on {
            simulation.run.rests();
        }
        let begun = Instant::now();
        simulation.run.lines.drain(..).for_each(|line| checker.take_line(line));
        simulation.run.items.drain(..).for_each(|item| checker.take_item(item));
        taking += begun.elapsed();
        if !goes_on {
            break;
        }
    }
    drop(simulation);
    let before = memory("VmRSS:");
    let begun = Instant::now();
    let report = checker.finish();
    let deciding = begun.elapsed();
    let (taking, deciding) = (taking.as_secs_f64(), deciding.as_secs_f64());
    let totals = report.totals;
    println!("{totals:#?}");
    println!("taking in {taking:.1} s, deciding {deciding:.1} s");
    println!("memory: {before} taken in, {} at most, the simulation's included", memory("VmHWM:"));
    for anomaly in &report.anomalies {
        println!("{}: {anomaly}", anomaly.kind());
    }
    if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the system says of this process's memory.
fn memory(what: &str) -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    line.map_or_else(|| "unknown".to_owned(), |line| line.trim().to_owned())
}
