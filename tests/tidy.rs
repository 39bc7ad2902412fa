//! The code's own rules: heads, lengths, allowed dependencies, drivers in their crates only, and
//! documents that speak of files which are there.

#![expect(clippy::expect_used, reason = "a test that meets what must not be has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file, its tests not counted.
const LINES_MAX: usize = 400;
const COLUMNS_MAX: usize = 100;

/// Which of our crates each crate may depend on, tests and all. Data: a new edge is a decision.
const ALLOWED: &[(&str, &[&str])] = &[
    ("ordain-model", &[]),
    ("ordain-ports", &["ordain-model"]),
    ("ordain-domain", &["ordain-model", "ordain-testkit"]),
    (
        "ordain-engine",
        &["ordain-model", "ordain-ports", "ordain-domain", "ordain-embedded", "ordain-testkit"],
    ),
    (
        "ordain-views",
        &["ordain-model", "ordain-ports", "ordain-domain", "ordain-embedded", "ordain-testkit"],
    ),
    ("ordain-api", &["ordain-model", "ordain-ports", "ordain-domain", "ordain-testkit"]),
    ("ordain-embedded", &["ordain-model", "ordain-ports", "ordain-testkit"]),
    ("ordain-kafka", &["ordain-model", "ordain-ports", "ordain-testkit"]),
    ("ordain-mongo", &["ordain-model", "ordain-ports", "ordain-testkit"]),
    ("ordain-redis", &["ordain-model", "ordain-ports", "ordain-testkit"]),
    ("ordain-otlp", &["ordain-model", "ordain-ports"]),
    (
        "ordain-node",
        &[
            "ordain-model",
            "ordain-ports",
            "ordain-domain",
            "ordain-engine",
            "ordain-views",
            "ordain-api",
            "ordain-embedded",
            "ordain-kafka",
            "ordain-mongo",
            "ordain-redis",
            "ordain-otlp",
        ],
    ),
    ("ordain-protocol", &[]),
    ("ordain-bench", &[]),
    ("ordain-limits", &["ordain-bench", "ordain-domain", "ordain-embedded", "ordain-model"]),
    ("ordain-checker", &[]),
    ("ordain-testkit", &["ordain-model", "ordain-ports", "ordain-domain", "ordain-embedded"]),
    ("ordain", &["ordain-node", "ordain-model", "ordain-bench"]),
    (
        "ordain-tests",
        &[
            "ordain-model",
            "ordain-ports",
            "ordain-domain",
            "ordain-embedded",
            "ordain-kafka",
            "ordain-mongo",
            "ordain-engine",
            "ordain-views",
            "ordain-checker",
            "ordain-testkit",
        ],
    ),
    ("xtask", &[]),
];

/// Crates that must not depend on an adapter or on each other outside their tests.
const NEVER_IN_PRODUCT: &[(&str, &[&str])] = &[
    ("ordain-engine", &["ordain-embedded", "ordain-domain", "ordain-testkit"]),
    ("ordain-views", &["ordain-embedded", "ordain-domain", "ordain-testkit"]),
    ("ordain-api", &["ordain-domain", "ordain-testkit"]),
    ("ordain-embedded", &["ordain-testkit"]),
    ("ordain-kafka", &["ordain-testkit"]),
    ("ordain-mongo", &["ordain-testkit"]),
    ("ordain-redis", &["ordain-testkit"]),
    ("ordain-domain", &["ordain-testkit"]),
    ("ordain-limits", &["ordain-domain", "ordain-embedded", "ordain-model"]),
];

/// Drivers, and the only folders whose packages may depend on each. The tests read what a fleet
/// left behind as any other tool would, past our adapters.
const DRIVERS: &[(&str, &[&str])] = &[
    ("fjall", &["crates/embedded"]),
    ("axum", &["crates/api", "crates/bench"]),
    ("rdkafka", &["crates/kafka", "tests", "tests/bench"]),
    ("mongodb", &["crates/mongo", "tests", "tests/bench"]),
    ("redis", &["crates/redis"]),
    ("opentelemetry", &["crates/otlp"]),
    ("opentelemetry_sdk", &["crates/otlp"]),
    ("opentelemetry-otlp", &["crates/otlp"]),
    ("stateright", &["crates/protocol", "crates/checker"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn files(ending: &str) -> Vec<PathBuf> {
    let listed = std::process::Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the files");
    let files: Vec<PathBuf> = String::from_utf8(listed.stdout)
        .expect("paths are UTF-8")
        .lines()
        .filter(|path| path.ends_with(ending))
        .map(|path| root().join(path))
        .filter(|path| path.exists())
        .collect();
    assert!(!files.is_empty(), "there are files that end in {ending}");
    files
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("a file of ours can be read")
}

fn short(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn assert_none(rule: &str, breaches: &[String]) {
    assert!(breaches.is_empty(), "{rule}:\n{}", breaches.join("\n"));
}

#[test]
fn every_file_says_first_what_it_is_for() {
    let breaches: Vec<String> = files(".rs")
        .iter()
        .filter(|path| !text(path).trim_start_matches("#!").starts_with("//! "))
        .map(|path| short(path))
        .collect();
    assert_none("files that do not begin with //!", &breaches);
}

#[test]
fn no_file_is_long() {
    let mut breaches = Vec::new();
    for path in files(".rs") {
        let name = short(&path);
        let is_test = name.contains("/tests/") || name.starts_with("tests/");
        let all = text(&path);
        let code = all.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines = code.lines().count();
        if lines > LINES_MAX && !(is_test && lines <= 2 * LINES_MAX) {
            breaches.push(format!("{name}: {lines} lines"));
        }
        // A text or the row of a table has to stand whole; code and sentences do not.
        let is_whole = |line: &str| line.contains('"') || line.starts_with("//! |");
        let is_wide = |line: &&str| line.chars().count() > COLUMNS_MAX && !is_whole(line);
        let wide = all.lines().filter(is_wide).count();
        if wide > 0 {
            breaches.push(format!("{name}: {wide} lines over {COLUMNS_MAX} columns"));
        }
    }
    assert_none("files that are too long or wide", &breaches);
}

#[test]
fn no_module_hides_in_mod_rs_or_says_nothing() {
    let empty = ["mod.rs", "utils.rs", "helpers.rs", "common.rs", "types.rs"];
    let breaches: Vec<String> = files(".rs")
        .iter()
        .map(|path| short(path))
        .filter(|name| empty.iter().any(|bad| name.ends_with(&format!("/{bad}"))))
        .collect();
    assert_none("files with a name that says nothing", &breaches);
}

/// The dependencies of each package on packages of ours: (in the product, anywhere).
fn our_dependencies() -> BTreeMap<String, (Vec<String>, Vec<String>)> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = std::process::Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo tells of the packages");
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo tells in JSON");
    let packages = metadata["packages"].as_array().expect("there are packages").clone();
    let ours: Vec<String> =
        packages.iter().filter_map(|p| p["name"].as_str().map(str::to_owned)).collect();
    let mut found = BTreeMap::new();
    for package in &packages {
        let (mut product, mut anywhere) = (Vec::new(), Vec::new());
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let name = dependency["name"].as_str().unwrap_or_default().to_owned();
            if ours.contains(&name) {
                if dependency["kind"].is_null() {
                    product.push(name.clone());
                }
                anywhere.push(name);
            }
        }
        let name = package["name"].as_str().unwrap_or_default().to_owned();
        found.insert(name, (product, anywhere));
    }
    found
}

#[test]
fn crates_depend_only_on_what_the_table_allows() {
    let mut breaches = Vec::new();
    for (name, (product, anywhere)) in our_dependencies() {
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
            breaches.push(format!("{name} is not in the table"));
            continue;
        };
        let forbidden = anywhere.iter().filter(|on| !allowed.contains(&on.as_str()));
        breaches.extend(forbidden.map(|on| format!("{name} depends on {on}")));
        let never = NEVER_IN_PRODUCT.iter().find(|(known, _)| *known == name);
        let never = never.map_or(&[][..], |(_, never)| never);
        let shipped = product.iter().filter(|on| never.contains(&on.as_str()));
        breaches.extend(shipped.map(|on| format!("{name} depends on {on} in the product")));
    }
    assert_none("dependencies that the table does not allow", &breaches);
}

/// Code can name only what its package depends on, whatever words its texts and modules use.
#[test]
fn a_driver_is_a_dependency_of_its_own_crate_only() {
    let mut breaches = Vec::new();
    for path in files("Cargo.toml") {
        let name = short(&path);
        if name == "Cargo.toml" {
            continue;
        }
        let all = text(&path);
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        for line in all.lines().filter(|line| line.contains('=') && !line.starts_with('#')) {
            let key = line.split(|c| !is_word(c)).next().unwrap_or_default();
            let renamed = line.split("package = \"").nth(1).and_then(|rest| rest.split('"').next());
            for (driver, homes) in DRIVERS {
                let is_home = homes.iter().any(|home| name.starts_with(home));
                if !is_home && (key == *driver || renamed == Some(driver)) {
                    breaches.push(format!("{name} depends on {driver}"));
                }
            }
        }
    }
    assert_none("drivers outside their crates", &breaches);
}

#[test]
fn the_pure_crates_do_no_io_and_read_no_clock() {
    let forbidden =
        ["std::fs", "std::net", "std::thread", "SystemTime", "Instant", "tokio", "rand", "env::"];
    let mut breaches = Vec::new();
    for path in files(".rs") {
        let name = short(&path);
        if !name.starts_with("crates/model/src") && !name.starts_with("crates/domain/src") {
            continue;
        }
        let all = text(&path);
        let code = all.split("#[cfg(test)]").next().unwrap_or_default();
        for word in forbidden {
            let named = code
                .lines()
                .any(|line| !line.trim_start().starts_with("//") && line.contains(word));
            if named {
                breaches.push(format!("{name} names {word}"));
            }
        }
    }
    assert_none("impure code in a pure crate", &breaches);
}

#[test]
fn documents_name_only_files_that_are_there() {
    let mut breaches = Vec::new();
    for path in files(".md") {
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let all = text(&path);
        for link in all.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            let local = !target.is_empty() && !target.contains("://");
            if local && !folder.join(target).exists() {
                breaches.push(format!("{} links to {target}", short(&path)));
            }
        }
    }
    assert_none("links to nothing", &breaches);
}

#[test]
fn no_work_is_left_as_a_note() {
    let marks = ["TO".to_owned() + "DO", "FIX".to_owned() + "ME", "XX".to_owned() + "X"];
    let mut breaches = Vec::new();
    for path in files(".rs").into_iter().chain(files(".md")).chain(files(".toml")) {
        let all = text(&path);
        breaches.extend(
            marks
                .iter()
                .filter(|mark| all.contains(mark.as_str()))
                .map(|mark| format!("{} says {mark}", short(&path))),
        );
    }
    assert_none("notes instead of work", &breaches);
}
