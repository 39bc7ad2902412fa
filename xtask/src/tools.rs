//! Programs that the tests need and that may not be on the machine yet.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::bail;

use crate::run;

const CARGO_DENY: &str = "0.20.2";

/// Installs what is missing: with the rights to do so, else it says what to type.
pub(crate) fn ensure() -> anyhow::Result<()> {
    if !answers("strace", "--version") {
        debian(&["strace"])?;
    }
    Ok(())
}

/// `cargo-deny`, built into the target directory the first time.
pub(crate) fn cargo_deny() -> anyhow::Result<PathBuf> {
    let tools = run::root().join("target/tools");
    let program = tools.join("bin/cargo-deny");
    if !program.exists() {
        let root = tools.to_string_lossy().into_owned();
        let arguments = [
            "install",
            "--locked",
            "--quiet",
            "--root",
            &root,
            "--version",
            CARGO_DENY,
            "cargo-deny",
        ];
        run::cargo(&arguments)?;
    }
    Ok(program)
}

fn answers(program: &str, argument: &str) -> bool {
    let status =
        Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn debian(packages: &[&str]) -> anyhow::Result<()> {
    let install = format!("apt-get install -y --no-install-recommends {}", packages.join(" "));
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    if !root || !answers("apt-get", "--version") {
        bail!("the tests need {}; as root, type: {install}", packages.join(", "));
    }
    run::run(Command::new("apt-get").arg("update").stdout(Stdio::null()), "apt-get update")?;
    let mut command = Command::new("sh");
    command.args(["-c", &install]).stdout(Stdio::null()).env("DEBIAN_FRONTEND", "noninteractive");
    run::run(&mut command, &install)
}
