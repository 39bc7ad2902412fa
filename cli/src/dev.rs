//! `ordain dev` and `ordain config`: the arguments of the roles, and the one place where the
//! command line hands over to the node.

use std::path::PathBuf;

use clap::Args;

use crate::exit::Exit;
use crate::failure::Failure;

const DEV_HELP: &str = "\
Examples:
  $ ordain dev
  $ ordain dev --data /var/lib/ordain --listen 0.0.0.0:7400
  $ ordain dev --listen 127.0.0.1:0 --metrics 127.0.0.1:0 --config dev.toml

Flags go before the environment (ORDAIN_…), that before the configuration file,
that before the defaults. `ordain config` shows what is in force.";

/// What `dev` can be told on the command line. Nothing here has a default of clap's, because a
/// flag that was not given must leave room for the environment and the file.
#[derive(Debug, Args)]
#[command(after_long_help = DEV_HELP)]
pub(crate) struct DevArguments {
    #[command(flatten)]
    pub(crate) settings: SettingArguments,
}

/// The flags that change the configuration.
#[derive(Debug, Args)]
pub(crate) struct SettingArguments {
    /// The directory that keeps everything [default: ./ordain-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Where to listen for clients; port 0 takes a free one [default: 127.0.0.1:7400]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// Where to listen for metrics and operators [default: 127.0.0.1:7401]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) metrics: Option<String>,
    /// How many partitions the log of requests has; may grow, never shrink
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) partitions: Option<u32>,
    /// A configuration file (TOML)
    #[arg(
        long,
        value_name = "FILE",
        env = "ORDAIN_CONFIG",
        hide_env_values = true
    )]
    pub(crate) config: Option<PathBuf>,
}

const CONFIG_HELP: &str = "\
Examples:
  $ ordain config
  $ ordain config --config dev.toml --json";

/// What `config` can be told: the same flags, to see what they would do.
#[derive(Debug, Args)]
#[command(after_long_help = CONFIG_HELP)]
pub(crate) struct ConfigArguments {
    #[command(flatten)]
    pub(crate) settings: SettingArguments,
}

/// What a role does with the settings on the command line.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Task {
    /// Serve until asked to stop.
    Serve,
    /// Print the configuration in force.
    ShowConfiguration,
}

/// Hands over to the node.
///
/// # Errors
/// Why the node could not do its task.
pub(crate) fn run(
    task: Task,
    settings: &SettingArguments,
    _json: bool,
) -> Result<Exit, Box<Failure>> {
    Err(Failure::usage(format!(
        "this build of ordain is a client only: {task:?} {settings:?}"
    )))
}
