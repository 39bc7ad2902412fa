//! `ordain dev` and `ordain config`: a whole server on one directory, and what is in force.

use std::path::PathBuf;

use clap::Args;
use ordain_node::{Flags, Loaded, Value};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::serving::{NodeArguments, Serve, print_json, serve};

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
    settings: SettingArguments,
}

/// The flags that change the configuration.
#[derive(Debug, Args)]
struct SettingArguments {
    /// The directory that keeps everything [default: ./ordain-data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// How many partitions the log of requests has; may grow, never shrink
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    partitions: Option<u32>,
    #[command(flatten)]
    node: NodeArguments,
}

const CONFIG_HELP: &str = "\
Examples:
  $ ordain config
  $ ordain config --config fleet.toml --json";

/// What `config` can be told: the same flags, to see what they would do.
#[derive(Debug, Args)]
#[command(after_long_help = CONFIG_HELP)]
pub(crate) struct ConfigArguments {
    #[command(flatten)]
    settings: SettingArguments,
}

impl SettingArguments {
    fn load(&self) -> Result<Loaded, Box<Failure>> {
        self.node.file.load(&Flags {
            data: self.data.clone(),
            listen: self.node.listen.clone(),
            metrics: self.node.metrics.clone(),
            partitions: self.partitions,
        })
    }
}

/// Serves from one directory.
///
/// # Errors
/// Why it does not serve, or did not end in order.
pub(crate) fn run(arguments: &DevArguments, json: bool) -> Result<Exit, Box<Failure>> {
    serve(Serve::Directory, arguments.settings.load()?, json)
}

/// Prints what is in force, and where each value comes from.
///
/// # Errors
/// What is wrong with the configuration, and where.
pub(crate) fn show(arguments: &ConfigArguments, json: bool) -> Result<Exit, Box<Failure>> {
    let loaded = arguments.settings.load()?;
    if json {
        print_json(&loaded.values)?;
        return Ok(Exit::Success);
    }
    let width = |of: fn(&Value) -> usize| loaded.values.iter().map(of).max().unwrap_or(0);
    let (names, values) = (width(|v| v.name.len()), width(|v| v.value.to_string().len()));
    for Value { name, value, source } in &loaded.values {
        output::print(&format!("{name:names$}  {:values$}  {source}", value.to_string()))?;
    }
    Ok(Exit::Success)
}
