//! The command line: every command, its arguments and its help.

mod bench;
mod duration;
mod read;
mod send;
mod status;

use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::dev::{ConfigArguments, DevArguments};
use crate::fleet::{ApiArguments, NodeRolesArguments, WorkerArguments};
use crate::ready::ReadyArguments;
use crate::topics::TopicsArguments;

pub(crate) use bench::BenchArguments;
pub(crate) use read::{
    DeadLetterCommand, DeadLettersArguments, EventsArguments, OutcomeArguments, StateArguments,
    TypesArguments, ViewArguments,
};
pub(crate) use send::{Body, SendArguments, Target};
pub(crate) use status::StatusArguments;

const AFTER_HELP: &str = "\
Examples:
  $ ordain dev
  $ ordain send account a open
  $ ordain send account a deposit '{\"amount\": 5}'
  $ ordain view accounts a

Exit codes of `send` and `outcome`:
  0  SUCCESS
  1  every other stored outcome: FAIL, EXPIRED, REJECTED
  2  wrong use, or refused: invalid, not allowed, not found, KEY_REUSED
  3  unknown: it may have been accepted; ask again with the same request id
  4  certainly not accepted
The other commands exit with 0 when they have printed what was asked for, 2 when
it was refused or is not there, 3 when the server gave no usable answer.

Data goes to stdout, everything else to stderr.";

/// Commands decided once, in order, durably.
#[derive(Debug, Parser)]
#[command(name = "ordain", version, max_term_width = 80, after_long_help = AFTER_HELP)]
#[command(after_help = "Examples and exit codes: `ordain --help`.")]
#[command(disable_help_subcommand = true, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// Print JSON, also for errors (those on stderr)
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a whole, durable server in this process, on one directory
    Dev(DevArguments),
    /// Take commands for a fleet, and answer them, over HTTP
    Api(ApiArguments),
    /// Decide the commands of a fleet
    Worker(WorkerArguments),
    /// Run several roles of a fleet in this process
    Node(NodeRolesArguments),
    /// Set up the topics and stores of a fleet
    Topics(TopicsArguments),
    #[command(flatten)]
    Client(ClientCommand),
    /// Put a load on a server, measure it, and check what was answered
    #[command(long_about = bench::LONG_ABOUT)]
    Bench(BenchArguments),
    /// Print the configuration in force and where each value comes from
    Config(ConfigArguments),
    /// Print a completion script for a shell
    #[command(after_long_help = COMPLETIONS_HELP)]
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// The commands that speak to a server.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Send a command and wait for its outcome; or a file of commands
    #[command(long_about = send::LONG_ABOUT)]
    Send(Box<SendArguments>),
    /// Look up what became of a command
    Outcome(OutcomeArguments),
    /// Print the state of an aggregate
    State(StateArguments),
    /// Print the events of an aggregate, one line of JSON each
    Events(EventsArguments),
    /// Print rows of a view; or keep the views of a fleet up to date
    View(ViewArguments),
    /// Print the types, their commands and what these take
    Types(TypesArguments),
    /// Print who works which partition, and how far behind it is
    Status(StatusArguments),
    /// Look at records that could not be processed, and send them again
    #[command(name = "deadletters")]
    DeadLetters(DeadLettersArguments),
    /// Ask a process, of any role, whether it can do its work
    Ready(ReadyArguments),
}

const COMPLETIONS_HELP: &str = "\
Examples:
  $ ordain completions bash > ~/.local/share/bash-completion/completions/ordain
  $ ordain completions zsh > ~/.zfunc/_ordain
  $ ordain completions fish > ~/.config/fish/completions/ordain.fish";

/// Which server to ask.
#[derive(Debug, Args)]
pub(crate) struct ServerArguments {
    /// The server's address; for https, SSL_CERT_FILE may name whom to trust
    #[arg(long, value_name = "URL", env = "ORDAIN_SERVER", hide_env_values = true)]
    #[arg(default_value = "http://127.0.0.1:7400")]
    pub(crate) server: String,
}

/// A duration as people write it: `5s`, `500ms`, `2m`.
fn duration(text: &str) -> Result<Duration, String> {
    duration::parse(text)
}

#[cfg(test)]
mod tests;
