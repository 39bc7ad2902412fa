//! Explores the deep configurations of the protocol model and prints what it finds.
//!
//! `ordain-model` explores all of them, `ordain-model NAME…` those of that name, `--small` the
//! configurations of the tests instead, and `--wrong` shows how each wrong variant breaks its
//! promise. Results go to stdout, progress to stderr. The exit code is 1 when the protocol breaks
//! a promise, never meets what it must be able to meet, or can go on for ever, or when a wrong
//! variant breaks other promises than it should.

use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use ordain_protocol::{
    Configuration, Effort, Report, can_go_on_for_ever, deep, explore, explore_deep, small, variants,
};

fn main() -> io::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let asked = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let names: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    let holds = if asked("--wrong") {
        show_wrong_variants()?
    } else {
        let all = if asked("--small") { small() } else { deep() };
        let wanted = |c: &Configuration| names.is_empty() || names.iter().any(|n| *n == c.name);
        explore_all(all.into_iter().filter(wanted).collect())?
    };
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Explores one configuration after the other; whether the protocol keeps its promises in all.
fn explore_all(configurations: Vec<Configuration>) -> io::Result<bool> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let effort = Effort { threads, every: Duration::from_secs(5) };
    let mut holds = true;
    let mut out = io::stdout().lock();
    for configuration in configurations {
        let name = configuration.name;
        writeln!(out, "{name}: {}\n  {}", configuration.purpose, configuration.bounds())?;
        let report = explore_deep(configuration.clone(), effort, |states, took| {
            eprintln!("{name}: {states} states in {} s", took.as_secs());
        });
        write!(out, "{report}")?;
        let ends = !can_go_on_for_ever(configuration);
        writeln!(
            out,
            "  {} every run comes to rest",
            if ends { "holds     " } else { "BROKEN    " }
        )?;
        holds &= is_sound(&report) && ends;
    }
    writeln!(out, "{}", if holds { "the protocol keeps its promises" } else { "BROKEN" })?;
    Ok(holds)
}

fn is_sound(report: &Report) -> bool {
    report.broken().is_empty() && report.never_met().is_empty()
}

/// Prints the shortest way to each broken promise of each wrong variant; whether they are those
/// that are expected.
fn show_wrong_variants() -> io::Result<bool> {
    let mut expected = true;
    let mut out = io::stdout().lock();
    for variant in variants() {
        let report = explore(variant.configuration.with(variant.wrong));
        writeln!(out, "{:?}", variant.wrong)?;
        write!(out, "{report}")?;
        let mut breaks = variant.breaks;
        breaks.sort_unstable();
        expected &= breaks == report.broken();
    }
    Ok(expected)
}
