//! The arguments of the commands that look at things.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{ServerArguments, duration};

const OUTCOME_HELP: &str = "\
Examples:
  $ ordain outcome account a payment-17
  $ ordain outcome account a payment-17 --wait 30s --json

Exit codes:
  0  SUCCESS
  1  every other stored outcome: FAIL, EXPIRED, REJECTED
  2  wrong use, or the server refused the question
  3  not known yet: accepted but not decided, or the server did not answer
  4  nothing was accepted until now: send it again with the same request id";

#[derive(Debug, Args)]
#[command(after_long_help = OUTCOME_HELP)]
pub(crate) struct OutcomeArguments {
    /// The aggregate's type
    #[arg(value_name = "TYPE")]
    pub(crate) aggregate_type: String,
    /// The aggregate's id
    pub(crate) id: String,
    /// The request id that the command was sent under
    pub(crate) request: String,
    /// How long to wait for an outcome, in whole seconds
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    pub(crate) wait: Duration,
    #[command(flatten)]
    pub(crate) server: ServerArguments,
}

const STATE_HELP: &str = "\
Examples:
  $ ordain state job-request 7
  $ ordain state account a --at 3
  $ ordain state account a --json | jq .state.funds";

#[derive(Debug, Args)]
#[command(after_long_help = STATE_HELP)]
pub(crate) struct StateArguments {
    /// The aggregate's type
    #[arg(value_name = "TYPE")]
    pub(crate) aggregate_type: String,
    /// The aggregate's id
    pub(crate) id: String,
    /// The state as of this sequence
    #[arg(long, value_name = "SEQUENCE")]
    pub(crate) at: Option<u64>,
    #[command(flatten)]
    pub(crate) server: ServerArguments,
}

const EVENTS_HELP: &str = "\
Examples:
  $ ordain events account a
  $ ordain events account a --from 10
  $ ordain events job-request 7 --follow | jq -c .data";

#[derive(Debug, Args)]
#[command(after_long_help = EVENTS_HELP)]
pub(crate) struct EventsArguments {
    /// The aggregate's type
    #[arg(value_name = "TYPE")]
    pub(crate) aggregate_type: String,
    /// The aggregate's id
    pub(crate) id: String,
    /// The first sequence to print
    #[arg(long, value_name = "SEQUENCE", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) from: u64,
    /// Go on as events come, until interrupted; waits out a server that is away
    #[arg(long)]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) server: ServerArguments,
}

const VIEW_HELP: &str = "\
Examples:
  $ ordain view accounts
  $ ordain view accounts a
  $ ordain view cleaner-jobs ann/ --prefix
  $ ordain view accounts a --receipt ZGVmYXVsdC9hY2NvdW50L2FAMw --wait 5s

A receipt comes with each outcome. With --receipt the answer is given once the
view has reached it, so that you read your own write.

With --config this process becomes the view role of a fleet: it keeps the rows
of all views up to date until it is ended. Any number of them share the work:
  $ ordain view --config fleet.toml
  $ ordain view --config fleet.toml --metrics 127.0.0.1:7421";

#[derive(Debug, Args)]
#[command(after_long_help = VIEW_HELP)]
pub(crate) struct ViewArguments {
    /// The view
    #[arg(value_name = "NAME", required_unless_present = "config")]
    pub(crate) view: Option<String>,
    /// The row's key; without it all rows are listed
    #[arg(required_if_eq("prefix", "true"))]
    pub(crate) key: Option<String>,
    /// List the rows whose keys begin with KEY
    #[arg(long)]
    pub(crate) prefix: bool,
    /// List the rows behind this key
    #[arg(long, value_name = "KEY")]
    pub(crate) after: Option<String>,
    /// List at most so many rows
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: u64,
    /// Answer once the view has reached this receipt
    #[arg(long)]
    pub(crate) receipt: Option<String>,
    /// How long to wait for the receipt, in whole seconds
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration)]
    pub(crate) wait: Duration,
    /// Be the view role of the fleet in this configuration file (TOML)
    #[arg(long, value_name = "FILE", conflicts_with = "view")]
    pub(crate) config: Option<PathBuf>,
    /// Where that role listens for operators [default: 127.0.0.1:7401]
    #[arg(long, value_name = "ADDRESS", requires = "config")]
    pub(crate) metrics: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArguments,
}

const TYPES_HELP: &str = "\
Examples:
  $ ordain types
  $ ordain types account
  $ ordain types --json";

#[derive(Debug, Args)]
#[command(after_long_help = TYPES_HELP)]
pub(crate) struct TypesArguments {
    /// Only this type
    #[arg(value_name = "TYPE")]
    pub(crate) aggregate_type: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArguments,
}

const DEAD_LETTERS_HELP: &str = "\
Examples:
  $ ordain deadletters list
  $ ordain deadletters show requests:0:17
  $ ordain deadletters retry requests:0:17

A dead letter is named by the place of its record: topic:partition:offset.
These commands speak to the listener for operators, not to the one for clients.";

#[derive(Debug, Args)]
#[command(after_long_help = DEAD_LETTERS_HELP)]
pub(crate) struct DeadLettersArguments {
    /// The address of the listener for operators
    #[arg(long, global = true, value_name = "URL", env = "ORDAIN_ADMIN", hide_env_values = true)]
    #[arg(default_value = "http://127.0.0.1:7401")]
    pub(crate) admin: String,
    #[command(subcommand)]
    pub(crate) command: DeadLetterCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetterCommand {
    /// List dead letters
    List {
        /// List the letters behind this one
        #[arg(long, value_name = "LETTER")]
        after: Option<String>,
        /// List at most so many
        #[arg(long, value_name = "COUNT", default_value_t = 100)]
        #[arg(value_parser = clap::value_parser!(u64).range(1..))]
        limit: u64,
    },
    /// Print one dead letter whole
    Show {
        /// The letter: topic:partition:offset
        letter: String,
    },
    /// Send a dead letter's command again, under a new request id linked to it
    ///
    /// It is sent without the deadline and the If-Match of the first sending: to be done now, on
    /// the aggregate as it is.
    Retry {
        /// The letter: topic:partition:offset
        letter: String,
    },
}
