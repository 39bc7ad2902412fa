//! `cargo xtask test`: all that has to hold before a change lands.

use std::process::Command;

use crate::{image, run, services, tools};

/// Sets up what the tests need and runs all of them.
pub(crate) fn run() -> anyhow::Result<()> {
    tools::ensure()?;
    services::during(check_all)
}

fn check_all() -> anyhow::Result<()> {
    run::cargo(&["fmt", "--all", "--check"])?;
    run::cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    // Before the tests, so that they find the binary as cargo always builds it.
    image::check()?;
    run::cargo(&["test", "--workspace", "--no-fail-fast"])?;
    // Crash points of the projector, inside its own process; kept out of all other tests.
    run::cargo(&["test", "--package", "ordain-views", "--features", "failpoints"])?;
    let strict = [("RUSTDOCFLAGS", "-D warnings")];
    run::cargo_with(&["doc", "--workspace", "--no-deps", "--quiet"], &strict)?;
    // For all targets: what this machine does not build has a licence, too.
    run::cargo(&["fetch", "--locked", "--quiet"])?;
    let mut deny = Command::new(tools::cargo_deny()?);
    deny.args(["--offline", "check", "bans", "licenses", "sources"]).current_dir(run::root());
    run::run(&mut deny, "cargo deny check bans licenses sources")
}

/// Checks many disk images as they may be after a power cut.
pub(crate) fn power_cut(images: usize, seed: u64) -> anyhow::Result<()> {
    tools::ensure()?;
    let (images, seed) = (images.to_string(), seed.to_string());
    let environment =
        [("ORDAIN_TEST_POWER_CUT_IMAGES", images.as_str()), ("ORDAIN_TEST_SEED", seed.as_str())];
    let test = ["test", "--workspace", "--test", "power_cut", "--", "--nocapture"];
    run::cargo_with(&test, &environment)
}
