//! What a server in one process needs once it keeps many aggregates: memory, and time to start.

use std::time::{Duration, Instant};

use anyhow::ensure;

use super::server::{self, Home, Server, Shape};
use super::{Where, answer};

/// The load behind the opening of all accounts.
const DURATION: &str = "10s";
/// Every account is asked what it holds; the view shows the last of so many a while later.
const VIEWS_WITHIN: &str = "10m";
/// Without load, a server is looked at after so long.
const IDLE: Duration = Duration::from_secs(5);

/// What was measured.
#[derive(Debug)]
struct Found {
    aggregates: u32,
    /// Resident, in MiB: before the first command, behind the last answer, and after a restart.
    memory: [f64; 3],
    /// From the start of the process until it said that it serves.
    serves: Duration,
    /// From the start of the process until a command on a cold account had succeeded.
    succeeds: Duration,
}

/// Opens so many accounts, which are as many commits at least, starts the server again, and sends a
/// command to an account that nobody has touched since.
pub(super) fn run(aggregates: u32) -> anyhow::Result<String> {
    let home = Home::new(Where::Embedded, Shape::default())?;
    let mut server = home.start()?;
    std::thread::sleep(IDLE);
    let idle = server.resident_mib()?;
    eprintln!("bench: idle, {idle:.0} MiB; {aggregates} accounts are opened");
    let mut bench = server.bench();
    bench.args(["--duration", DURATION, "--views-within", VIEWS_WITHIN]);
    answer(bench.args(["--accounts", &aggregates.to_string()]), "ordain bench")?;
    let filled = server.resident_mib()?;
    eprintln!("bench: filled, {filled:.0} MiB; the server is started again");
    server.stop()?;

    let begun = Instant::now();
    let mut again = home.start()?;
    let serves = begun.elapsed();
    deposit(&again, aggregates / 2)?;
    let succeeds = begun.elapsed();
    let restarted = again.resident_mib()?;
    again.stop()?;
    let memory = [idle, filled, restarted];
    Ok(Found { aggregates, memory, serves, succeeds }.to_string())
}

fn deposit(server: &Server, account: u32) -> anyhow::Result<()> {
    let mut send = server::ordain();
    send.args(["send", "account", &format!("bench-{account}"), "deposit", r#"{"amount":1}"#]);
    send.args(["--json", "--server", &format!("http://{}", server.address())]);
    let told = answer(&mut send, "ordain send")?;
    let outcome = told.get("outcome").and_then(serde_json::Value::as_str);
    ensure!(outcome == Some("SUCCESS"), "a deposit on a cold account: {told}");
    Ok(())
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { aggregates, memory: [idle, filled, restarted], serves, succeeds } = self;
        let (serves, succeeds) = (serves.as_millis(), succeeds.as_millis());
        writeln!(f, "| one process, {aggregates} accounts | |")?;
        writeln!(f, "|---|---|")?;
        writeln!(f, "| resident, idle and empty | {idle:.0} MiB |")?;
        writeln!(f, "| resident, behind the last answer | {filled:.0} MiB |")?;
        writeln!(f, "| resident, after a restart and a command | {restarted:.0} MiB |")?;
        writeln!(f, "| start until it serves | {serves} ms |")?;
        writeln!(f, "| start until a command on a cold account has succeeded | {succeeds} ms |")
    }
}
