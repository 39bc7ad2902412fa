//! `ordain api`, `worker`, `view` and `node`: the roles of a fleet.

use std::path::Path;

use clap::{Args, ValueEnum};
use ordain_node::{Flags, Role};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::serving::{FileArguments, NodeArguments, Serve, serve};

const API_HELP: &str = "\
Examples:
  $ ordain api --config fleet.toml
  $ ordain api --config fleet.toml --listen 0.0.0.0:7400

Needs Kafka and MongoDB, set up by `ordain topics ensure`; while Redis is away,
answers take a little longer. SIGTERM drains: what was accepted is answered.";

const WORKER_HELP: &str = "\
Examples:
  $ ordain worker --config fleet.toml
  $ ordain worker --config fleet.toml --metrics 127.0.0.1:7411

Workers share the partitions of the log of requests among themselves. SIGTERM
drains: what it has begun is finished, then its partitions go to the others.";

const NODE_HELP: &str = "\
Examples:
  $ ordain node --config fleet.toml
  $ ordain node --roles worker,view --config fleet.toml";

/// What `api` can be told.
#[derive(Debug, Args)]
#[command(after_long_help = API_HELP)]
pub(crate) struct ApiArguments {
    #[command(flatten)]
    node: NodeArguments,
}

/// What `worker` can be told. It serves operators only.
#[derive(Debug, Args)]
#[command(after_long_help = WORKER_HELP)]
pub(crate) struct WorkerArguments {
    /// Where to listen for metrics and operators [default: 127.0.0.1:7401]
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<String>,
    #[command(flatten)]
    file: FileArguments,
}

/// What `node` can be told.
#[derive(Debug, Args)]
#[command(after_long_help = NODE_HELP)]
pub(crate) struct NodeRolesArguments {
    /// The roles of this process, separated by commas
    #[arg(long, value_name = "ROLES", value_delimiter = ',', default_value = "api,worker,view")]
    roles: Vec<RoleName>,
    #[command(flatten)]
    node: NodeArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RoleName {
    Api,
    Worker,
    View,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Api => Self::Api,
            RoleName::Worker => Self::Worker,
            RoleName::View => Self::View,
        }
    }
}

/// Runs the API.
///
/// # Errors
/// Why it does not serve, or did not end in order.
pub(crate) fn api(arguments: &ApiArguments, json: bool) -> Result<Exit, Box<Failure>> {
    serve(Serve::Fleet(&[Role::Api]), arguments.node.load()?, json)
}

/// Runs a worker.
///
/// # Errors
/// Why it does not work, or did not end in order.
pub(crate) fn worker(arguments: &WorkerArguments, json: bool) -> Result<Exit, Box<Failure>> {
    let flags = Flags { metrics: arguments.metrics.clone(), ..Flags::default() };
    serve(Serve::Fleet(&[Role::Worker]), arguments.file.load(&flags)?, json)
}

/// Runs the projectors of all views.
///
/// # Errors
/// Why they do not work, or did not end in order.
pub(crate) fn view(
    config: &Path,
    metrics: Option<String>,
    json: bool,
) -> Result<Exit, Box<Failure>> {
    let file = FileArguments { config: Some(config.to_path_buf()) };
    let flags = Flags { metrics, ..Flags::default() };
    serve(Serve::Fleet(&[Role::View]), file.load(&flags)?, json)
}

/// Runs some roles in one process.
///
/// # Errors
/// Why they do not work, or did not end in order.
pub(crate) fn node(arguments: &NodeRolesArguments, json: bool) -> Result<Exit, Box<Failure>> {
    let has = |role: &Role| arguments.roles.iter().any(|name| Role::from(*name) == *role);
    let roles: Vec<Role> = Role::ALL.into_iter().filter(has).collect();
    serve(Serve::Fleet(&roles), arguments.node.load()?, json)
}
