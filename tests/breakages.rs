//! The list of deliberate breakages fits the code as it is: what each replaces is there, its tests
//! are there, no test of the engine is forgotten and no promise. That the tests turn red is shown
//! by `cargo xtask breakages`.

#![expect(clippy::expect_used, reason = "a test that meets what must not be has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// The promises that `crates/README.md` numbers.
const PROMISES: std::ops::RangeInclusive<u32> = 1..=11;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_default()
}

fn breakages() -> Vec<Table> {
    let list: Table = read("tests/breakages.toml").parse().expect("the list is TOML");
    let breakages = list.get("breakage").and_then(Value::as_array).expect("it has entries");
    breakages.iter().filter_map(Value::as_table).cloned().collect()
}

fn text<'a>(breakage: &'a Table, name: &str) -> &'a str {
    breakage.get(name).and_then(Value::as_str).expect("an entry is whole")
}

fn tests(breakage: &Table) -> Vec<&str> {
    let tests = breakage.get("tests").and_then(Value::as_array).expect("an entry names its tests");
    tests.iter().filter_map(Value::as_str).collect()
}

fn folder(package: &str) -> String {
    format!("crates/{}", package.strip_prefix("ordain-").unwrap_or(package))
}

/// The files in which a test may stand: its module, or that module's file of tests.
fn homes(breakage: &Table, test: &str) -> Vec<String> {
    let folder = folder(text(breakage, "package"));
    let modules: Vec<&str> = test.rsplit("::").skip(1).collect();
    let modules: Vec<&str> = modules.into_iter().rev().collect();
    let within = modules.join("/");
    match text(breakage, "target") {
        "lib" => {
            let outer = within.strip_suffix("/tests").unwrap_or(&within);
            vec![format!("{folder}/src/{outer}.rs"), format!("{folder}/src/{within}.rs")]
        }
        target if within.is_empty() => {
            let tests = format!("{folder}/tests/{target}");
            vec![format!("{tests}/main.rs"), format!("{tests}.rs")]
        }
        target => vec![format!("{folder}/tests/{target}/{within}.rs")],
    }
}

/// The names of the functions under `#[test]` or `#[tokio::test]`.
fn functions(source: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim_start) {
        is_test |= line.starts_with("#[test") || line.starts_with("#[tokio::test");
        let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        if let Some(name) = name.filter(|_| is_test) {
            names.insert(name.split('(').next().unwrap_or_default().to_owned());
            is_test = false;
        }
    }
    names
}

fn assert_none(what: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{what}:\n{}", faults.join("\n"));
}

#[test]
fn what_a_breakage_replaces_stands_in_its_file_once() {
    let mut faults = Vec::new();
    for breakage in breakages() {
        let (what, file) = (text(&breakage, "what"), text(&breakage, "file"));
        let places = read(file).matches(text(&breakage, "from")).count();
        if places != 1 {
            faults.push(format!("{what}: its text is in {file} {places} times"));
        }
        if text(&breakage, "from") == text(&breakage, "to") {
            faults.push(format!("{what}: it changes nothing"));
        }
    }
    assert_none("breakages that break nothing", &faults);
}

#[test]
fn the_tests_that_a_breakage_names_are_there() {
    let mut faults = Vec::new();
    for breakage in breakages() {
        let what = text(&breakage, "what");
        if tests(&breakage).is_empty() {
            faults.push(format!("{what}: it names no test"));
        }
        for test in tests(&breakage) {
            let name = test.rsplit("::").next().unwrap_or(test);
            let is_in = |file: &String| functions(&read(file)).contains(name);
            if !homes(&breakage, test).iter().any(is_in) {
                faults.push(format!("{what}: there is no test {test}"));
            }
        }
    }
    assert_none("tests that are not there", &faults);
}

#[test]
fn every_test_of_the_engine_is_seen_to_fail() {
    let breakages = breakages();
    let engine = breakages.iter().filter(|breakage| text(breakage, "package") == "ordain-engine");
    let named: BTreeSet<&str> = engine.flat_map(tests).collect();
    let mut found = 0;
    let mut faults = Vec::new();
    let folder = root().join("crates/engine/tests/engine");
    for file in fs::read_dir(folder).expect("the engine has tests") {
        let path = file.expect("a file of ours can be listed").path();
        let module = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        for name in functions(&fs::read_to_string(&path).unwrap_or_default()) {
            found += 1;
            let test = format!("{module}::{name}");
            if !named.contains(test.as_str()) {
                faults.push(test);
            }
        }
    }
    assert!(found > 0, "the engine has tests");
    assert_none("tests of the engine that no breakage names", &faults);
}

#[test]
fn every_promise_is_broken_once() {
    let breakages = breakages();
    let named: BTreeSet<&str> =
        breakages.iter().map(|breakage| text(breakage, "promise")).collect();
    let missing: Vec<String> =
        PROMISES.map(|n| n.to_string()).filter(|n| !named.contains(n.as_str())).collect();
    assert_none("promises that no breakage breaks", &missing);
}
