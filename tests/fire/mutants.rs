//! Whether the proof can fail: every build that breaks one promise is run under load, and has to be
//! caught.

use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use ordain_tests::faults::mutants::{Caught, Mutant};

use crate::words;

const HEAD: &str = "# Builds that break one promise each\n\n\
    | what is broken | caught by | seconds of load |\n|---|---|---|\n";

/// Runs them all. Gives a report, and whether each was caught and the one that breaks nothing was
/// not.
pub(crate) async fn run_all(seed: u64) -> (String, bool) {
    let (mut text, mut are_caught, mut loads) = (HEAD.to_owned(), true, Vec::new());
    for mutant in Mutant::all() {
        let caught = run_one(mutant, seed).await;
        eprintln!("{}: {caught:?}", mutant.name);
        are_caught &= !caught.by.is_empty();
        if !caught.by.is_empty() {
            loads.push(caught.load.as_secs());
        }
        row(&mut text, mutant, &caught);
    }
    let mut are_clean = true;
    for control in Mutant::controls() {
        let none = run_one(control, seed).await;
        eprintln!("{}: {none:?}", control.name);
        are_clean &= none.found.is_empty() && none.rests;
        row(&mut text, control, &none);
    }
    loads.sort_unstable();
    let median = loads.get(loads.len() / 2).copied().unwrap_or_default();
    let _ = writeln!(text, "\nThe median is {median} s. Caught by a test of its own:\n");
    for (name, test) in Mutant::elsewhere() {
        let _ = writeln!(text, "- `{name}`: {test}");
    }
    (text, are_caught && are_clean)
}

/// One whose fleet breaks down is not caught, and the others are still run.
async fn run_one(mutant: &Mutant, seed: u64) -> Caught {
    let caught = AssertUnwindSafe(mutant.catch(seed)).catch_unwind().await;
    caught.unwrap_or_else(|panic| Caught {
        load: Duration::ZERO,
        by: Vec::new(),
        found: vec![(format!("it broke off: {}", words(panic.as_ref())), 1)],
        rests: false,
    })
}

fn row(text: &mut String, mutant: &Mutant, caught: &Caught) {
    let found: Vec<String> =
        caught.by.iter().map(|(kind, count)| format!("{kind} ({count})")).collect();
    let found = match (found.is_empty(), caught.found.is_empty(), caught.rests) {
        (false, ..) => found.join(", "),
        (true, true, true) => "nothing".to_owned(),
        // What is no reason to be caught, and what says why it was not.
        _ => format!("nothing; found: {:?}, at rest: {}", caught.found, caught.rests),
    };
    let (name, breaks, load) = (mutant.name, mutant.breaks, caught.load.as_secs());
    let _ = writeln!(text, "| `{name}`: {breaks} | {found} | {load} |");
}
