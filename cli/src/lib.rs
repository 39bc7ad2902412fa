//! The command line of ordain: every role and every client command. A library, so that the binary
//! with crash points is the same program.

mod arguments;
mod bench;
mod client;
mod dead_letters;
mod dev;
mod events;
mod exit;
mod failure;
mod fleet;
mod interrupt;
mod json_text;
mod known_types;
mod outcome;
mod output;
mod problem;
mod read;
mod ready;
mod retry;
mod send;
mod send_file;
mod sending;
mod serving;
mod status;
mod topics;
mod verdict;
mod view;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use clap_complete::Shell;

use arguments::{Arguments, ClientCommand, Command, ViewArguments};
use exit::Exit;
use failure::Failure;

/// Commands are many and small; what one thread allocates for them, another often frees.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Does what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let json = arguments.json;
    let ended = match arguments.command {
        Command::Dev(arguments) => dev::run(&arguments, json),
        Command::Api(arguments) => fleet::api(&arguments, json),
        Command::Worker(arguments) => fleet::worker(&arguments, json),
        Command::Node(arguments) => fleet::node(&arguments, json),
        Command::Topics(arguments) => topics::run(&arguments, json),
        Command::Config(arguments) => dev::show(&arguments, json),
        Command::Bench(arguments) => bench::run(&arguments, json),
        Command::Completions { shell } => completions(shell),
        Command::Client(ClientCommand::View(ViewArguments {
            config: Some(config),
            metrics,
            ..
        })) => fleet::view(&config, metrics, json),
        Command::Client(command) => ask(command, json),
    };
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.tell(json);
            failure.exit.into()
        }
    }
}

/// One thread is enough for a client.
#[tokio::main(flavor = "current_thread")]
async fn ask(command: ClientCommand, json: bool) -> Result<Exit, Box<Failure>> {
    match command {
        ClientCommand::Send(arguments) => send::run(&arguments, json).await,
        ClientCommand::Outcome(arguments) => read::outcome(&arguments, json).await,
        ClientCommand::State(arguments) => read::state(&arguments, json).await,
        ClientCommand::Events(arguments) => events::run(&arguments).await,
        ClientCommand::View(arguments) => view::run(&arguments, json).await,
        ClientCommand::Types(arguments) => read::types(&arguments, json).await,
        ClientCommand::Status(arguments) => status::run(&arguments, json).await,
        ClientCommand::DeadLetters(arguments) => dead_letters::run(&arguments, json).await,
        ClientCommand::Ready(arguments) => ready::run(&arguments).await,
    }
}

fn completions(shell: Shell) -> Result<Exit, Box<Failure>> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "ordain", &mut script);
    output::print(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Exit::Success)
}
