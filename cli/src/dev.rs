//! `ordain dev` and `ordain config`: the arguments of the roles, and the one place where the
//! command line hands over to the node.

use std::path::PathBuf;

use clap::Args;
use ordain_node::{Configuration, Ended, Flags, Loaded, Ready, Value};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;

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
    #[arg(long, value_name = "FILE", env = "ORDAIN_CONFIG", hide_env_values = true)]
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
    json: bool,
) -> Result<Exit, Box<Failure>> {
    let flags = Flags {
        data: settings.data.clone(),
        listen: settings.listen.clone(),
        metrics: settings.metrics.clone(),
        partitions: settings.partitions,
    };
    let loaded = Configuration::load(settings.config.as_deref(), &flags)
        .map_err(|why| Failure::usage(format!("the configuration cannot be used: {why:#}")))?;
    match task {
        Task::Serve => serve(loaded, json),
        Task::ShowConfiguration => show(&loaded, json),
    }
}

/// Serves with as many threads as there are processors.
#[tokio::main]
async fn serve(loaded: Loaded, json: bool) -> Result<Exit, Box<Failure>> {
    let ended = ordain_node::dev(loaded, |ready| drop(announce(ready, json))).await;
    match ended {
        Ok(Ended::Drained) => Ok(Exit::Success),
        Ok(Ended::CutOff) => Err(Failure::new(
            Exit::Unknown,
            "the limit for draining was over; what was accepted is decided after the next start",
        )),
        Ok(Ended::Failed) => leave_at_once(),
        Err(why) => Err(Failure::usage(format!("{why:#}"))),
    }
}

/// The disk failed: nobody who waits may be answered any more, not even by a task that is about
/// to notice that the process ends.
fn leave_at_once() -> ! {
    std::process::exit(i32::from(Exit::Unknown.number()))
}

/// Says that it serves, and what to do with it.
fn announce(ready: &Ready, json: bool) -> Result<(), Box<Failure>> {
    if json {
        return print_json(ready);
    }
    let server = match ready.address.as_str() {
        "http://127.0.0.1:7400" => String::new(),
        other => format!(" --server {other}"),
    };
    output::print(&format!(
        "ordain serves at {} from {} ({} partitions); metrics at {}/metrics\n\n\
         Try, in another terminal:\n  \
         ordain send account alice open{server}\n  \
         ordain send account alice deposit '{{\"amount\": 500}}'{server}\n  \
         ordain state account alice{server}\n",
        ready.address, ready.data, ready.partitions, ready.metrics
    ))
}

/// Prints what is in force, and where each value comes from.
fn show(loaded: &Loaded, json: bool) -> Result<Exit, Box<Failure>> {
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

fn print_json(value: &impl serde::Serialize) -> Result<(), Box<Failure>> {
    let text = serde_json::to_string(value)
        .map_err(|why| Failure::usage(format!("this cannot be written as JSON: {why}")))?;
    output::print(&text)
}
