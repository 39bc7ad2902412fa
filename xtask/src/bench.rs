//! `cargo xtask bench`: a first mark of speed. Deposits of 1 to 10,000 accounts on a release build
//! in a new directory, the client on the same machine, every request under an id of its own; then
//! it reads every account and compares the money with what was answered.

mod connection;
mod load;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

use self::load::{Load, Measured};
use crate::run;

const ACCOUNTS: usize = 10_000;

/// Builds, runs, measures, checks, prints.
pub(crate) fn run(seconds: u64) -> anyhow::Result<()> {
    if cfg!(debug_assertions) {
        // A slow client would take from the server the processor that both share.
        let seconds = seconds.to_string();
        let bench = ["run", "--release", "--package", "xtask", "--", "bench", "--seconds"];
        return run::cargo(&[&bench[..], &[seconds.as_str()]].concat());
    }
    run::cargo(&["build", "--release", "--package", "ordain", "--bin", "ordain"])?;
    let directory = tempfile::tempdir_in(run::root().join("target"))?;
    let mut server = Server::start(directory.path())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let measured = runtime.block_on(measure(&server.address, seconds));
    server.stop()?;
    for (connections, measured) in measured? {
        println!(
            "{connections:>4} connections: {:>7.0} commands/s, median {:.3} ms, p99 {:.3} ms",
            measured.per_second(),
            measured.milliseconds(0.5),
            measured.milliseconds(0.99),
        );
    }
    println!("every account holds what was answered to be deposited");
    Ok(())
}

async fn measure(address: &str, seconds: u64) -> anyhow::Result<Vec<(usize, Measured)>> {
    let load = Load::new(address, ACCOUNTS);
    eprintln!("bench: opening {ACCOUNTS} accounts");
    load.open_accounts(64).await?;
    let mut measured = Vec::new();
    let mut deposited = 0;
    for connections in [1, 64] {
        eprintln!("bench: {connections} connections for {seconds} s");
        let result = load.deposit(connections, seconds).await?;
        deposited += result.count() as u64;
        measured.push((connections, result));
    }
    let funds = load.funds(64).await?;
    anyhow::ensure!(
        funds == deposited,
        "the accounts hold {funds}, but {deposited} deposits were answered with SUCCESS"
    );
    Ok(measured)
}

/// A release build of `ordain dev`.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(directory: &std::path::Path) -> anyhow::Result<Self> {
        let mut child = Command::new(run::root().join("target/release/ordain"))
            .args(["dev", "--json", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"])
            .arg("--data")
            .arg(directory.join("data"))
            .stdout(Stdio::piped())
            .spawn()
            .context("the server cannot be started")?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("the server says nothing")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let ready: serde_json::Value =
            serde_json::from_str(&line).context("the server did not say where it is")?;
        let address = ready.get("address").and_then(serde_json::Value::as_str);
        let address = address.and_then(|url| url.strip_prefix("http://"));
        let address = address.context("the server did not say its address")?.to_owned();
        Ok(Self { child, address })
    }

    fn stop(&mut self) -> anyhow::Result<()> {
        let process = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &process]).status()?;
        let status = self.child.wait()?;
        anyhow::ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended by itself, unless something failed on the way.
        drop(self.child.kill());
    }
}
