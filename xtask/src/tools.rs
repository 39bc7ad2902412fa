//! Programs that the tests need and that may not be on the machine yet.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use crate::run;

const CARGO_DENY: &str = "0.20.2";
const COMPOSE: &str = "v2.40.3";
const TOXIPROXY: &str = "v2.12.0";

/// Installs what is missing: with the rights to do so, else it says what to type.
pub(crate) fn ensure() -> anyhow::Result<()> {
    ensure_strace()?;
    ensure_program("podman", "--version", &["podman"])?;
    // Podman's other runtime refuses machines whose control groups are of both versions.
    ensure_program("runc", "--version", &["runc"])?;
    compose()
}

/// What traces system calls.
pub(crate) fn ensure_strace() -> anyhow::Result<()> {
    ensure_program("strace", "--version", &["strace"])
}

/// Docker compose, without docker: built into the target directory when the machine has none.
fn compose() -> anyhow::Result<()> {
    let tools = run::root().join("target/tools");
    let program = tools.join("bin/docker-compose");
    if program.exists() || succeeds(Command::new("docker").args(["compose", "version"])) {
        return Ok(());
    }
    if !answers("go", "version") {
        bail!("the tests need docker compose 2, or go to build it");
    }
    // It cannot be installed by its name, but as what an empty module depends on.
    let module = tools.join("docker-compose");
    fs::create_dir_all(&module)?;
    fs::write(module.join("go.mod"), "module local/docker-compose\n")
        .with_context(|| format!("cannot write to {}", module.display()))?;
    let package = "github.com/docker/compose/v2/cmd";
    let go = |arguments: &[&str]| {
        let mut command = Command::new("go");
        command.args(arguments).current_dir(&module).env("GOFLAGS", "-mod=mod");
        run::run(&mut command, &format!("go {}", arguments.join(" ")))
    };
    go(&["get", &format!("{package}@{COMPOSE}")])?;
    // Under another name until it is whole.
    go(&["build", "-trimpath", "-ldflags", "-s -w", "-o", "docker-compose", package])?;
    fs::create_dir_all(tools.join("bin"))?;
    fs::rename(module.join("docker-compose"), program)?;
    Ok(())
}

/// Toxiproxy's server, built into the target directory the first time.
pub(crate) fn toxiproxy() -> anyhow::Result<PathBuf> {
    let binaries = run::root().join("target/tools/toxiproxy");
    // It is called so in its sources.
    let program = binaries.join("server");
    if !program.exists() {
        ensure_program("go", "version", &["golang-go"])?;
        let package = format!("github.com/Shopify/toxiproxy/v2/cmd/server@{TOXIPROXY}");
        let mut go = Command::new("go");
        go.args(["install", "-ldflags", "-s -w", &package]).env("GOBIN", &binaries);
        run::run(&mut go, &format!("go install {package}"))?;
    }
    Ok(program)
}

/// What a process has to load before all else so that its clock is what a file says: libfaketime,
/// and what that lacks, built into the target directory.
pub(crate) fn clock() -> anyhow::Result<String> {
    // Its command knows where the library is.
    ensure_program("faketime", "--version", &["faketime"])?;
    let mut shown = Command::new("faketime");
    let output = shown.args(["-m", "-f", "+0", "printenv", "LD_PRELOAD"]).output()?;
    let library = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    ensure!(output.status.success() && !library.is_empty(), "faketime does not say its library");
    let built = run::root().join("target/tools/cnd_timedwait.so");
    fs::create_dir_all(run::root().join("target/tools"))?;
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-o"]).arg(&built);
    compiler.arg(run::root().join("xtask/clock/cnd_timedwait.c"));
    run::run(&mut compiler, "cc cnd_timedwait.c")?;
    Ok(format!("{} {library}", built.display()))
}

/// Installs the packages when the program does not answer.
pub(crate) fn ensure_program(
    program: &str,
    argument: &str,
    packages: &[&str],
) -> anyhow::Result<()> {
    if !answers(program, argument) {
        debian(packages)?;
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
    succeeds(Command::new(program).arg(argument))
}

/// Whether a program runs and ends well. What it says is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Installs packages of Debian, as root; else says what root has to type.
pub(crate) fn debian(packages: &[&str]) -> anyhow::Result<()> {
    let install = format!("apt-get install -y --no-install-recommends {}", packages.join(" "));
    if !rustix::process::geteuid().is_root() || !answers("apt-get", "--version") {
        bail!("the tests need {}; as root, type: {install}", packages.join(", "));
    }
    run::run(Command::new("apt-get").arg("update").stdout(Stdio::null()), "apt-get update")?;
    let mut command = Command::new("sh");
    command.args(["-c", &install]).stdout(Stdio::null()).env("DEBIAN_FRONTEND", "noninteractive");
    // A run level at which no service is started: what is installed here is started by hand.
    command.env("RUNLEVEL", "1");
    run::run(&mut command, &install)
}
