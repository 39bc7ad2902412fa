//! The arguments of `ordain status`.

use clap::Args;

const STATUS_HELP: &str = "\
Examples:
  $ ordain status
  $ ordain status --watch
  $ ordain status --json | jq '.partitions[] | select(.refusing)'

What the process at that address has seen of the whole fleet: who works which
partition, how many records are behind, how long the oldest has waited (OLDEST),
how many are handled in a second (/S) and could be (MAX/S), and how long a new
command would wait (WAIT).

This command speaks to the listener for operators, not to the one for clients.";

#[derive(Debug, Args)]
#[command(after_long_help = STATUS_HELP)]
pub(crate) struct StatusArguments {
    /// Print it anew every second, until interrupted
    #[arg(long)]
    pub(crate) watch: bool,
    /// The address of the listener for operators
    #[arg(long, value_name = "URL", env = "ORDAIN_ADMIN", hide_env_values = true)]
    #[arg(default_value = "http://127.0.0.1:7401")]
    pub(crate) admin: String,
}
