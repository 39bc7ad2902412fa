//! The one place where the command line hands over to the node: loads a configuration, runs what
//! was asked for, and says how it ended.

use std::path::PathBuf;

use clap::Args;
use ordain_node::{Configuration, Ended, Flags, Loaded, Ready, Role};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;

/// Where a process listens, and its file.
#[derive(Debug, Args)]
pub(crate) struct NodeArguments {
    /// Where to listen for clients; port 0 takes a free one [default: 127.0.0.1:7400]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// Where to listen for metrics and operators [default: 127.0.0.1:7401]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) metrics: Option<String>,
    #[command(flatten)]
    pub(crate) file: FileArguments,
}

impl NodeArguments {
    /// Loads the configuration.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub(crate) fn load(&self) -> Result<Loaded, Box<Failure>> {
        let (listen, metrics) = (self.listen.clone(), self.metrics.clone());
        self.file.load(&Flags { listen, metrics, ..Flags::default() })
    }
}

/// The configuration file.
#[derive(Debug, Args)]
pub(crate) struct FileArguments {
    /// A configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "ORDAIN_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
}

impl FileArguments {
    /// Loads the configuration.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub(crate) fn load(&self, flags: &Flags) -> Result<Loaded, Box<Failure>> {
        Configuration::load(self.config.as_deref(), flags)
            .map_err(|why| Failure::usage(format!("the configuration cannot be used: {why:#}")))
    }
}

/// Where the process of some roles keeps what it knows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Serve<'a> {
    /// Everything in this process, on one directory.
    Directory,
    /// These roles of a fleet.
    Fleet(&'a [Role]),
}

/// Serves until asked to stop, with as many threads as there are processors.
///
/// # Errors
/// Why it does not serve, or did not end in order.
#[tokio::main]
pub(crate) async fn serve(
    what: Serve<'_>,
    loaded: Loaded,
    json: bool,
) -> Result<Exit, Box<Failure>> {
    let announce = |ready: &Ready| drop(announce(what, ready, json));
    let ended = match what {
        Serve::Directory => ordain_node::dev(loaded, announce).await,
        Serve::Fleet(roles) => ordain_node::fleet(roles, loaded, announce).await,
    };
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

/// The disk or a part failed: nobody who waits may be answered any more, not even by a task that
/// is about to notice that the process ends.
fn leave_at_once() -> ! {
    std::process::exit(i32::from(Exit::Unknown.number()))
}

/// Says that it serves, and what to do with it.
fn announce(what: Serve<'_>, ready: &Ready, json: bool) -> Result<(), Box<Failure>> {
    if json {
        return print_json(ready);
    }
    let where_from = match what {
        Serve::Directory => format!("from {}", ready.home),
        Serve::Fleet(_) => format!("in the fleet `{}`", ready.home),
    };
    let (metrics, partitions) = (&ready.metrics, ready.partitions);
    let Some(address) = &ready.address else {
        let roles: Vec<_> = ready.roles.iter().map(|role| role.name()).collect();
        let roles = roles.join(" and ");
        return output::print(&format!(
            "ordain works as {roles} {where_from} ({partitions} partitions); metrics at \
             {metrics}/metrics"
        ));
    };
    let server = match address.as_str() {
        "http://127.0.0.1:7400" => String::new(),
        other => format!(" --server {other}"),
    };
    output::print(&format!(
        "ordain serves at {address} {where_from} ({partitions} partitions); metrics at \
         {metrics}/metrics\n\n\
         Try, in another terminal:\n  \
         ordain send account alice open{server}\n  \
         ordain send account alice deposit '{{\"amount\": 500}}'{server}\n  \
         ordain state account alice{server}\n"
    ))
}

/// Prints one line of JSON.
///
/// # Errors
/// It cannot be written.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), Box<Failure>> {
    let text = serde_json::to_string(value)
        .map_err(|why| Failure::usage(format!("this cannot be written as JSON: {why}")))?;
    output::print(&text)
}
