//! Checks a simulated run and says how long that took: `cargo run --release -p ordain-checker
//! --example scale [operations]`, two million when none are named. Fails where an anomaly is found.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a measurement that meets what must not be has failed"
)]
#![expect(dead_code, reason = "the tests use more of what they share")]

use std::process::ExitCode;

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
    let mut taking = 0.0;
    loop {
        let goes_on = (0..1_000).all(|_| simulation.step());
        if !goes_on {
            simulation.run.rests();
        }
        let begun = seconds();
        simulation.run.lines.drain(..).for_each(|line| checker.take_line(line));
        simulation.run.items.drain(..).for_each(|item| checker.take_item(item));
        taking += seconds() - begun;
        if !goes_on {
            break;
        }
    }
    drop(simulation);
    let before = memory("VmRSS:");
    let begun = seconds();
    let report = checker.finish();
    let deciding = seconds() - begun;
    let totals = report.totals;
    println!("{totals:#?}");
    println!("taking in {taking:.1} s, deciding {deciding:.1} s");
    println!("memory: {before} taken in, {} at most, the simulation's included", memory("VmHWM:"));
    for anomaly in &report.anomalies {
        println!("{}: {anomaly}", anomaly.kind());
    }
    if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// So long has this thread run; how long it has waited for others says nothing of the checker.
fn seconds() -> f64 {
    let status = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let ran = status.split(' ').next().and_then(|nanoseconds| nanoseconds.parse::<f64>().ok());
    ran.expect("nanoseconds") / 1e9
}

/// What the system says of this process's memory.
fn memory(what: &str) -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    line.map_or_else(|| "unknown".to_owned(), |line| line.trim().to_owned())
}
