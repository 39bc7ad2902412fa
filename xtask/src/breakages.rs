//! `cargo xtask breakages`: breaks the code on purpose, one promise at a time, in a copy of the
//! checkout, and requires that the tests which guard it turn red. A test that stays green guards
//! nothing.

mod copy;
mod list;
mod trial;

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{bail, ensure};

use self::copy::Copy;
use self::list::Breakage;
use self::trial::{Fate, Suite};

/// Tries all breakages, or those that name `only` somewhere.
pub(crate) fn run(only: Option<&str>) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut breakages = list::read()?;
    if let Some(only) = only {
        breakages.retain(|breakage| breakage.names(only));
    }
    ensure!(!breakages.is_empty(), "no breakage names {}", only.unwrap_or_default());
    let copy = Copy::of_checkout()?;
    check_unbroken(&copy, &breakages)?;
    let (all, mut unseen) = (breakages.len(), Vec::new());
    for (n, breakage) in (1..).zip(&breakages) {
        let tried = Instant::now();
        let found = break_once(&copy, breakage)?;
        let red = if found.is_empty() { "red, as it should" } else { "NOT AS IT SHOULD" };
        eprintln!(
            "[{n}/{all}] promise {}: {red} ({} s): {}",
            breakage.promise,
            tried.elapsed().as_secs(),
            breakage.what
        );
        found.iter().for_each(|fault| eprintln!("    {fault}"));
        if !found.is_empty() {
            unseen.push(format!("{}\n    {}", breakage.what, found.join("\n    ")));
        }
    }
    let mut tests: Vec<&String> = breakages.iter().flat_map(|breakage| &breakage.tests).collect();
    tests.sort_unstable();
    tests.dedup();
    let seconds = began.elapsed().as_secs();
    if !unseen.is_empty() {
        bail!(
            "{} of {all} breakages were not as they should:\n{}",
            unseen.len(),
            unseen.join("\n")
        );
    }
    println!(
        "{all} breakages, each seen by its tests: {} tests turned red, {seconds} s",
        tests.len()
    );
    Ok(())
}

/// Before anything is broken all these tests have to pass, else their red would say nothing.
fn check_unbroken(copy: &Copy, breakages: &[Breakage]) -> anyhow::Result<()> {
    let mut suites: BTreeMap<&Suite, Vec<String>> = BTreeMap::new();
    for breakage in breakages {
        suites.entry(&breakage.suite).or_default().extend(breakage.tests.iter().cloned());
    }
    for (suite, mut tests) in suites {
        tests.sort_unstable();
        tests.dedup();
        eprintln!("unbroken: {suite}, {} tests", tests.len());
        let program = suite.build(copy)?;
        for (test, result) in tests.iter().zip(program.run(copy, &tests)?) {
            ensure!(result == Fate::Passed, "{test} does not pass unbroken: {result}");
        }
    }
    Ok(())
}

/// Breaks the copy, runs the tests, mends it; gives what was not as it should be.
fn break_once(copy: &Copy, breakage: &Breakage) -> anyhow::Result<Vec<String>> {
    let whole = copy.read(&breakage.file)?;
    let places = whole.matches(&breakage.from).count();
    if places != 1 {
        return Ok(vec![format!("its text is in {} {places} times", breakage.file)]);
    }
    copy.write(&breakage.file, &whole.replacen(&breakage.from, &breakage.to, 1))?;
    let program = breakage.suite.build(copy);
    let results = program.and_then(|program| program.run(copy, &breakage.tests));
    copy.write(&breakage.file, &whole)?;
    Ok(match results {
        Err(error) => vec![error.to_string()],
        Ok(results) => breakage
            .tests
            .iter()
            .zip(results)
            .filter(|(_, result)| !breakage.expects(*result))
            .map(|(test, result)| format!("{test}: {result}"))
            .collect(),
    })
}
