//! Runs other programs, and says so.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Runs cargo in the root of the workspace.
pub(crate) fn cargo(arguments: &[&str]) -> anyhow::Result<()> {
    cargo_with(arguments, &[])
}

/// Runs cargo with more in its environment.
pub(crate) fn cargo_with(arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<()> {
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    // What cargo told this program of its own package: build scripts that look at it (ring's does)
    // would run anew, and with them most of the build, whenever somebody calls cargo by hand.
    let is_told =
        |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_told)) {
        command.env_remove(name);
    }
    command.envs(environment.iter().copied());
    run(&mut command, &format!("cargo {}", arguments.join(" ")))
}

/// Runs a program; fails when it fails.
pub(crate) fn run(command: &mut Command, what: &str) -> anyhow::Result<()> {
    eprintln!("xtask: {what}");
    let began = Instant::now();
    let status = command.status().with_context(|| format!("cannot start {what}"))?;
    let seconds = began.elapsed().as_secs();
    if !status.success() {
        bail!("{what} failed after {seconds} s: {status}");
    }
    eprintln!("xtask: {what} took {seconds} s");
    Ok(())
}
