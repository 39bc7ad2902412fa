//! The image: its last stage is built around a binary of this machine, and run as
//! `docker-compose.yml` runs it: by nobody in particular, with nothing to write to but its data.
//!
//! The first stage needs images from the network; the way in which it links is the same here.

mod container;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use self::container::{Podman, USER};
use crate::run;

/// The first line of the last stage.
const LAST_STAGE: &str = "FROM scratch";

/// Builds the last stage, and sees that the image works.
pub(crate) fn check() -> anyhow::Result<()> {
    let directory = run::root().join("target/image");
    fs::create_dir_all(&directory)?;
    gather(&directory.join("builder/image"))?;
    let recipe = directory.join("Dockerfile");
    fs::write(&recipe, last_stage()?)?;
    let podman = Podman::new(&directory)?;
    podman.build(&recipe, &directory.join("builder"))?;
    works(&podman)
}

/// What the first stage leaves in `/image`.
fn gather(image: &Path) -> anyhow::Result<()> {
    let authorities = image.join("etc/ssl/certs");
    fs::create_dir_all(image.join("data"))?;
    fs::create_dir_all(&authorities)?;
    let here = "/etc/ssl/certs/ca-certificates.crt";
    let copied = fs::copy(here, authorities.join("ca-certificates.crt"));
    copied.with_context(|| format!("{here} cannot be copied; install ca-certificates"))?;
    let binary = self_contained_binary()?;
    // Without what is for debuggers, as it is ten times as large.
    let mut strip = Command::new("strip");
    strip.arg("-o").arg(image.join("ordain")).arg(binary);
    run::run(&mut strip, "strip ordain")
}

/// The binary, linked so that it needs nothing of the system but the kernel.
fn self_contained_binary() -> anyhow::Result<PathBuf> {
    let flags = ["--", "-C", "target-feature=+crt-static"];
    let binary = ["rustc", "--quiet", "--package", "ordain", "--bin", "ordain"];
    run::cargo(&[&binary[..], &flags].concat())?;
    Ok(run::root().join("target/debug/ordain"))
}

fn last_stage() -> anyhow::Result<String> {
    let recipe = fs::read_to_string(run::root().join("Dockerfile"))?;
    let begins = recipe.rfind(&format!("\n{LAST_STAGE}\n"));
    let begins = begins.with_context(|| format!("the last stage is not `{LAST_STAGE}`"))?;
    let (first, last) = recipe.split_at(begins);
    ensure!(!last[1..].contains("\nFROM "), "the last stage is not `{LAST_STAGE}`");
    for flag in ["-C target-feature=+crt-static", "--locked"] {
        ensure!(first.contains(flag), "the first stage does not build with {flag}");
    }
    Ok(last.trim_start().to_owned())
}

fn works(podman: &Podman) -> anyhow::Result<()> {
    let said = podman.once(&["--version"])?;
    ensure!(said == format!("ordain {}", env!("CARGO_PKG_VERSION")), "--version says {said}");
    let settings = podman.once(&["config", "--config", "/etc/ordain/fleet.toml", "--json"])?;
    ensure!(settings.contains("/etc/ordain/fleet.toml"), "the settings of a fleet are not in it");

    let server = podman.start(&["dev"])?;
    server.wait_until_ready()?;
    // A name, so that a library without its system still looks names up.
    let here = "http://localhost:7400";
    let outcome =
        server.ordain(&["send", "account", "alice", "open", "--server", here, "--json"])?;
    ensure!(outcome.contains("SUCCESS"), "a command is answered with {outcome}");
    let user = server.user()?;
    ensure!(user == USER, "it runs as {user}");
    let elsewhere = server.ordain(&["dev", "--data", "/elsewhere"]);
    let why = elsewhere.err().map(|why| why.to_string()).unwrap_or_default();
    ensure!(why.contains("Read-only file system"), "it can write outside of its data: {why}");
    let code = server.stop()?;
    ensure!(code == "0", "asked to end, it ends with {code}");
    eprintln!("xtask: the image works");
    Ok(())
}
