//! The binaries that tests run, each built once: the one with crash points and deliberate
//! breakages, and that of the developers' tasks.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The target directory of this build.
///
/// # Panics
/// When the running test does not stand in one.
#[must_use]
pub fn target_directory() -> PathBuf {
    profile_directory().parent().unwrap_or(Path::new("/")).to_path_buf()
}

/// Where the binaries of this build are: `target/<profile>`.
fn profile_directory() -> PathBuf {
    let running = std::env::current_exe().unwrap_or_default();
    // target/<profile>/deps/test-hash, or target/<profile>/binary
    let is_above_tests = |path: &&Path| !path.ends_with("deps");
    let profile = running.ancestors().skip(1).find(is_above_tests).map(Path::to_path_buf);
    #[expect(clippy::expect_used, reason = "cargo always puts them there")]
    profile.expect("what cargo runs stands in target/<profile>")
}

/// Cargo, as a person calls it in the project's folder, with the target directory of this build.
#[must_use]
pub fn cargo() -> Command {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    // What cargo told this test of its own package: build scripts that look at it (ring's does)
    // would run anew, and with them most of the build, each time another package asks.
    let is_told =
        |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_told)) {
        command.env_remove(name);
    }
    command.env("CARGO_TARGET_DIR", target_directory());
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    command
}

/// The path of `ordain-broken`, the binary in which crash points and deliberate breakages can be
/// turned on by the environment variable `FAILPOINTS`. Builds it the first time.
///
/// # Panics
/// When it cannot be built.
#[must_use]
pub fn broken_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| built("ordain-broken", &of_workspace("ordain-broken", "ordain/broken")))
}

/// The path of `ordain-driven`, the process that does the jobs of the power cuts; deliberate
/// breakages can be turned on in it by the environment variable `FAILPOINTS`. Builds it the first
/// time.
///
/// # Panics
/// When it cannot be built.
#[must_use]
pub fn driven_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let what = of_workspace("ordain-driven", "ordain-tests/broken");
    BINARY.get_or_init(|| built("ordain-driven", &what))
}

/// A binary on top of all that the tests were built with. A package on its own would have other
/// features of what it depends on, and so would the workspace without any test: either way cargo
/// would compile half of it once more, the drivers among it.
const fn of_workspace<'a>(binary: &'a str, feature: &'a str) -> [&'a str; 7] {
    ["--workspace", "--bin", binary, "--test", "tidy", "--features", feature]
}

/// The path of `xtask`, as `cargo xtask` runs it. Builds it the first time.
///
/// # Panics
/// When it cannot be built.
#[must_use]
pub fn xtask_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        // As it is called by hand, also where a release build asks for it.
        build("xtask", &["--package", "xtask"]);
        target_directory().join("debug/xtask")
    })
}

fn built(binary: &str, what: &[&str]) -> PathBuf {
    let directory = profile_directory();
    let profile = directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    // The profile for development is called otherwise than its directory.
    let profile = if profile == "debug" { "dev" } else { profile };
    build(binary, &[what, &["--profile", profile]].concat());
    directory.join(binary)
}

fn build(binary: &str, what: &[&str]) {
    let status = cargo().args(["build", "--quiet"]).args(what).status();
    assert!(status.is_ok_and(|status| status.success()), "{binary} cannot be built");
}
