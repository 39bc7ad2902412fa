//! Whether the proof can fail: every build that breaks one promise is run under load, and has to be
//! caught.

use std::fmt::Write as _;

use ordain_tests::faults::mutants::{Caught, Mutant};

const HEAD: &str = "# Builds that break one promise each\n\n\
    | what is broken | caught by | seconds of load |\n|---|---|---|\n";

/// Runs them all. Gives a report, and whether each was caught and the one that breaks nothing was
/// not.
pub(crate) async fn run_all(seed: u64) -> (String, bool) {
    let (mut text, mut are_caught, mut loads) = (HEAD.to_owned(), true, Vec::new());
    for mutant in Mutant::all() {
        let caught = mutant.catch(seed).await;
        eprintln!("{}: {caught:?}", mutant.name);
        are_caught &= !caught.by.is_empty();
        loads.push(caught.load.as_secs());
        row(&mut text, mutant, &caught);
    }
    let none = Mutant::none().catch(seed).await;
    eprintln!("nothing broken: {none:?}");
    row(&mut text, Mutant::none(), &none);
    loads.sort_unstable();
    let median = loads.get(loads.len() / 2).copied().unwrap_or_default();
    let _ = writeln!(text, "\nThe median is {median} s. Not caught by anything yet:\n");
    for (name, needed) in Mutant::uncaught() {
        let _ = writeln!(text, "- `{name}`: {needed}");
    }
    (text, are_caught && none.found.is_empty() && none.rests)
}

fn row(text: &mut String, mutant: &Mutant, caught: &Caught) {
    let found: Vec<String> =
        caught.by.iter().map(|(kind, count)| format!("{kind} ({count})")).collect();
    let found = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
    let (name, breaks, load) = (mutant.name, mutant.breaks, caught.load.as_secs());
    let _ = writeln!(text, "| `{name}`: {breaks} | {found} | {load} |");
}
