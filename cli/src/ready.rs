//! `ordain ready`: whether a process can do its work, for whoever starts and watches it. It needs
//! no shell and no other program, so that an image with this binary alone can be watched.

use clap::Args;

use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;

const READY_HELP: &str = "\
Examples:
  $ ordain ready
  $ ordain ready --admin http://127.0.0.1:7421

Asks the listener for operators, which every role has, whether the process and
all that it depends on can do their work now.

Exit codes:
  0  ready
  1  not ready: what is missing is printed
  3  no answer";

/// What `ready` can be told.
#[derive(Debug, Args)]
#[command(after_long_help = READY_HELP)]
pub(crate) struct ReadyArguments {
    /// The address of the listener for operators
    #[arg(long, value_name = "URL", env = "ORDAIN_ADMIN", hide_env_values = true)]
    #[arg(default_value = "http://127.0.0.1:7401")]
    admin: String,
}

/// Asks once.
///
/// # Errors
/// There is no answer, or nothing can be printed.
pub(crate) async fn run(arguments: &ReadyArguments) -> Result<Exit, Box<Failure>> {
    let client = Client::new(&arguments.admin)?;
    let answer = client.get("/readyz".to_owned(), std::time::Duration::ZERO).await?;
    output::print(answer.body.trim_end())?;
    Ok(if answer.status.is_success() { Exit::Success } else { Exit::Outcome })
}
