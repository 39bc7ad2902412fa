//! `cargo xtask bench`: a first mark of speed. Deposits of 1 to 10,000 accounts on a release build,
//! in a new directory or as a new fleet, the client on the same machine, every request under an id
//! of its own; then it reads every account and compares the money with what was answered.

mod connection;
mod load;
mod server;

use self::load::{Load, Measured};
use self::server::Server;
use crate::{run, services};

const ACCOUNTS: usize = 10_000;

/// Builds, runs, measures, checks, prints.
pub(crate) fn run(seconds: u64, fleet: bool) -> anyhow::Result<()> {
    if cfg!(debug_assertions) {
        // A slow client would take from the server the processor that both share.
        let seconds = seconds.to_string();
        let bench = ["run", "--release", "--package", "xtask", "--", "bench", "--seconds"];
        let fleet = if fleet { &["--fleet"][..] } else { &[] };
        return run::cargo(&[&bench[..], &[seconds.as_str()], fleet].concat());
    }
    run::cargo(&["build", "--release", "--package", "ordain", "--bin", "ordain"])?;
    if fleet {
        return services::during(|| run_on(Server::start_fleet()?, seconds));
    }
    let directory = tempfile::tempdir_in(run::root().join("target"))?;
    run_on(Server::start(directory.path())?, seconds)
}

fn run_on(mut server: Server, seconds: u64) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let measured = runtime.block_on(measure(server.address(), seconds));
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
