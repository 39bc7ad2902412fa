//! `ordain send` for one command.

use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::arguments::{Body, SendArguments, Target};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::interrupted;
use crate::output;
use crate::retry::Policy;
use crate::send_file;
use crate::sending::{Command, Ending, Retry, Sender};

const BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Sends what the arguments say.
///
/// # Errors
/// There is no outcome to print, and why.
pub(crate) async fn run(arguments: &SendArguments, json: bool) -> Result<Exit, Box<Failure>> {
    let sender = Sender {
        client: Client::new(&arguments.server.server)?,
        policy: Policy::with_retries(arguments.retries),
        timeout: arguments.timeout,
        stop: stop_when_interrupted(),
    };
    match arguments.target()? {
        Target::File { path, batch, in_flight_max } => {
            let settings = send_file::Settings { path, batch, in_flight_max, json };
            send_file::run(sender, settings).await
        }
        Target::One { aggregate_type, id, command, body } => {
            let command = Command {
                aggregate_type,
                id,
                command,
                request_id: arguments
                    .request_id
                    .clone()
                    .unwrap_or_else(|| Uuid::now_v7().to_string()),
                body: read(&body)?,
                deadline: arguments.deadline.clone(),
                if_match: arguments.if_match,
            };
            one(&sender, &command, json).await
        }
    }
}

async fn one(sender: &Sender, command: &Command, json: bool) -> Result<Exit, Box<Failure>> {
    let tell = |retry: &Retry<'_>| {
        output::say(&format!(
            "attempt {} of {} in {:.1}s with the same request id {}: {}",
            retry.attempt,
            retry.attempts_max,
            retry.pause.as_secs_f64(),
            command.request_id,
            output::printable(retry.why)
        ));
    };
    let settled = sender.send(command, tell).await;
    let Ending::Stored(stored) = &settled.ending else {
        return Err(settled.failure(command));
    };
    // What became of the command is known, whether or not it could be printed.
    if let Err(unprinted) = stored.print(json) {
        return Err(Box::new(Failure { exit: settled.exit, ..*unprinted }));
    }
    Ok(settled.exit)
}

fn stop_when_interrupted() -> CancellationToken {
    let stop = CancellationToken::new();
    let cancel = stop.clone();
    tokio::spawn(async move {
        interrupted().await;
        cancel.cancel();
    });
    stop
}

/// The body, checked to be JSON so that a slip of the shell's quoting is told before anything is
/// sent, and otherwise left as it is.
fn read(body: &Body) -> Result<Bytes, Box<Failure>> {
    let (text, source) = match body {
        Body::Text(text) => (text.clone(), "the body".to_owned()),
        Body::Stdin => (limited(std::io::stdin().lock(), "stdin")?, "stdin".to_owned()),
        Body::File(path) => (read_file(path)?, path.display().to_string()),
    };
    match serde_json::from_str::<&RawValue>(&text) {
        Ok(_) => Ok(Bytes::from(text)),
        Err(error) => Err(Failure::usage(format!("{source} is not JSON: {error}"))
            .hint("quote it for the shell: '{\"amount\": 5}', or write it to a file: @body.json")),
    }
}

fn read_file(path: &Path) -> Result<String, Box<Failure>> {
    let name = path.display().to_string();
    let file = std::fs::File::open(path)
        .map_err(|error| Failure::usage(format!("{name} cannot be read: {error}")))?;
    limited(file, &name)
}

fn limited(input: impl Read, name: &str) -> Result<String, Box<Failure>> {
    let mut text = String::new();
    let read = input.take(BODY_BYTES_MAX + 1).read_to_string(&mut text);
    match read {
        Err(error) => Err(Failure::usage(format!("{name} cannot be read: {error}"))),
        Ok(bytes) if bytes as u64 > BODY_BYTES_MAX => {
            Err(Failure::usage(format!("{name} has more than {BODY_BYTES_MAX} bytes")))
        }
        Ok(_) => Ok(text),
    }
}
