//! The arguments of `bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use ordain_bench::Workload;

use super::{ServerArguments, duration};

pub(super) const LONG_ABOUT: &str = "\
Put a load on a server, measure it, and check what was answered.

The load is deposits of 1, each under a request id of its own, to accounts that \
it opens. By default each connection sends its next request when the last was \
answered (a closed loop). With --rate requests arrive at that rate whatever \
became of those before (an open loop), and a latency counts from the planned \
arrival, so a server that stalls cannot hide it.

When it is over, commands without an answer are settled under their request \
ids, and every account is asked what it holds: that must be what was answered \
to be deposited. Then the view of accounts must show the same.

The accounts are new ones and stay; a run with the --name of an earlier one uses \
its accounts again. Nobody else may use them meanwhile.";

const AFTER_HELP: &str = "\
Examples:
  $ ordain bench
  $ ordain bench --connections 1 --duration 5s
  $ ordain bench --rate 5000 --svg latency.svg
  $ ordain bench --workload deposit-zipf --accounts 100000 --json

Workloads:
  deposit-uniform  to accounts drawn evenly
  deposit-zipf     a few accounts are much more popular (Zipf, exponent 0.99)
  hot-key          to one account
  retries          every second request repeats an earlier one, under its id
  async            answered when durable (respond-async); then the outcome
  batch            many commands a request, as lines of JSON

Exit codes:
  0  measured, and all that was answered is right
  1  an answer was wrong, an account or a row does not hold what it should, or
     nothing succeeded
  2  wrong use
  3  the server could not be reached, did not answer as ordain does, or could not
     be asked whether all is right";

#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
#[command(after_help = "Examples, workloads and exit codes: `ordain bench --help`.")]
pub(crate) struct BenchArguments {
    /// What to send
    #[arg(long, default_value_t = Workload::DepositUniform, value_parser = workload())]
    pub(crate) workload: Workload,

    /// Connections, each with one request in flight
    #[arg(long, value_name = "COUNT", default_value_t = 64)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) connections: u16,

    /// Requests a second that arrive, answered or not (an open loop)
    #[arg(long, value_name = "PER_SECOND", value_parser = rate)]
    pub(crate) rate: Option<f64>,

    /// How long to measure
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = some_duration)]
    pub(crate) duration: Duration,

    /// How long the load runs before it is measured
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    pub(crate) warm_up: Duration,

    /// How many accounts to use
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) accounts: u32,

    /// What the accounts' ids begin with [default: bench- and something new]
    #[arg(long, value_name = "TEXT", value_parser = name)]
    pub(crate) name: Option<String>,

    /// Commands in each request of the workload `batch`
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) batch: u16,

    /// How long after the last answer the view of accounts may be behind
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(crate) views_within: Duration,

    /// Draw latency by percentile and throughput over time into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) server: ServerArguments,
}

fn workload() -> impl clap::builder::TypedValueParser<Value = Workload> {
    PossibleValuesParser::new(Workload::ALL.map(Workload::name))
        .try_map(|name| name.parse::<Workload>())
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.1..=1_000_000.0).contains(&rate) => Ok(rate),
        _ => Err("a rate is a number of requests a second, from 0.1 to 1000000".to_owned()),
    }
}

fn some_duration(text: &str) -> Result<Duration, String> {
    let some = |duration: &Duration| *duration >= Duration::from_millis(100);
    Some(duration(text)?).filter(some).ok_or_else(|| "at least 100ms".to_owned())
}

/// It stands in paths as it is.
fn name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if (1..=64).contains(&text.len())
        && text.starts_with(char::is_alphanumeric)
        && text.chars().all(plain)
    {
        Ok(text.to_owned())
    } else {
        Err("a name is 1 to 64 letters, digits, - and _, a letter or digit first".to_owned())
    }
}
