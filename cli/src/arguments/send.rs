//! The arguments of `send`, and the three things that they can mean.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::{ServerArguments, duration};
use crate::failure::Failure;

const IN_FLIGHT_DEFAULT: usize = 64;

const USAGE: &str = "ordain send TYPE ID COMMAND [JSON | @FILE | -] [OPTIONS]
       ordain send TYPE COMMAND --create [JSON | @FILE | -] [OPTIONS]
       ordain send --file COMMANDS [OPTIONS]";

pub(super) const LONG_ABOUT: &str = "\
Send a command and wait for its outcome; or a file of commands.

The command travels under a request id. Whatever goes wrong on the way, it is \
sent again under the same id, so it takes effect at most once; a run that ended \
with exit code 3 or 4 can be repeated with --request-id and the id that it told.

With --file, each line is a command: {\"requestId\"?, \"type\", \"id\"?, \
\"command\", \"data\"}. A line without a request id gets one from the file's \
name, its own text and how often that text occurred before, so running the \
same file twice has no second effect. Commands of one aggregate are sent in the \
order of the file, each when the one before has an outcome.";

const AFTER_HELP: &str = "\
Examples:
  $ ordain send account a open
  $ ordain send account a deposit '{\"amount\": 5}'
  $ ordain send account a deposit @deposit.json --timeout 30s
  $ echo '{\"amount\": 5}' | ordain send account a withdraw - --if-match 2
  $ ordain send job-request create --create '{\"cleaners\": [], \"tasks\": []}'
  $ ordain send account a deposit '{\"amount\": 5}' --request-id payment-17
  $ ordain send account a withdraw '{\"amount\": 5}' \\
      --deadline 2031-05-04T12:00:00Z
  $ ordain send --file commands.ndjson
  $ zcat march.gz | ordain send --file - --batch march --json > results.ndjson

Exit codes:
  0  SUCCESS
  1  every other stored outcome: FAIL, EXPIRED, REJECTED
  2  wrong use, or refused: invalid, not allowed, not found, KEY_REUSED
  3  unknown: it may have been accepted; ask again with the same request id
  4  certainly not accepted, by any attempt
Of a file: 3 if any command is unknown, else 4, 2, 1 or 0, the first there is.";

#[derive(Debug, Args)]
#[command(override_usage = USAGE, after_long_help = AFTER_HELP)]
#[command(after_help = "Examples and exit codes: `ordain send --help`.")]
pub(crate) struct SendArguments {
    /// The aggregate's type
    #[arg(value_name = "TYPE", required_unless_present = "file", conflicts_with = "file")]
    first: Option<String>,

    /// The aggregate's id; left out with --create
    #[arg(value_name = "ID", required_unless_present = "file")]
    second: Option<String>,

    /// What is to be done
    #[arg(value_name = "COMMAND", required_unless_present_any = ["file", "create"])]
    third: Option<String>,

    /// The body: JSON, @FILE to read it from a file, - from stdin [default: {}]
    #[arg(value_name = "JSON")]
    fourth: Option<String>,

    /// Bring a new aggregate into being; its id comes from the request id
    #[arg(long, conflicts_with = "file")]
    create: bool,

    /// The request id [default: a new UUIDv7]
    #[arg(long, value_name = "ID", conflicts_with = "file")]
    pub(crate) request_id: Option<String>,

    /// How long each attempt waits for the outcome, in whole seconds
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    pub(crate) timeout: Duration,

    /// Do not execute after this time (RFC 3339, on the server's clock); the outcome is EXPIRED
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "file")]
    pub(crate) deadline: Option<String>,

    /// Refuse unless the aggregate has this sequence; 0: no event yet
    #[arg(long, value_name = "SEQUENCE", conflicts_with = "file")]
    pub(crate) if_match: Option<u64>,

    /// How often to try again when there is no outcome
    #[arg(long, value_name = "TIMES", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u32).range(..=1000))]
    pub(crate) retries: u32,

    /// Send the commands in this file, one JSON object a line; - is stdin
    #[arg(long, value_name = "COMMANDS", help_heading = "A file of commands")]
    file: Option<PathBuf>,

    /// How many commands may be under way at once [default: 64]
    #[arg(long, value_name = "COUNT", help_heading = "A file of commands")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=4096))]
    in_flight: Option<u16>,

    /// What request ids are made from, instead of the file's name
    #[arg(long, value_name = "NAME", requires = "file", help_heading = "A file of commands")]
    pub(crate) batch: Option<String>,

    #[command(flatten)]
    pub(crate) server: ServerArguments,
}

/// What is to be sent.
#[derive(Debug, PartialEq)]
pub(crate) enum Target {
    /// One command; without an id it creates.
    One { aggregate_type: String, id: Option<String>, command: String, body: Body },
    /// The commands of a file, or of stdin, under the batch's name.
    File { path: Option<PathBuf>, batch: String, in_flight_max: usize },
}

/// Where a command's body comes from.
#[derive(Debug, PartialEq)]
pub(crate) enum Body {
    Text(String),
    File(PathBuf),
    Stdin,
}

impl SendArguments {
    /// What is to be sent.
    ///
    /// # Errors
    /// The arguments contradict each other in a way that clap does not see.
    pub(crate) fn target(&self) -> Result<Target, Box<Failure>> {
        if let Some(path) = &self.file {
            return self.of_file(path);
        }
        if self.batch.is_some() || self.in_flight.is_some() {
            return Err(Failure::usage("--batch and --in-flight go with --file"));
        }
        let four = [&self.first, &self.second, &self.third, &self.fourth].map(Option::clone);
        match four {
            [Some(_), Some(_), Some(_), Some(extra)] if self.create => {
                Err(Failure::usage(format!("one argument too many: {extra}"))
                    .hint("with --create there is no ID: ordain send TYPE COMMAND --create [JSON]"))
            }
            [Some(aggregate_type), Some(command), body, None] if self.create => {
                Ok(Target::One { aggregate_type, id: None, command, body: Body::of(body) })
            }
            [Some(aggregate_type), Some(id), Some(command), body] => {
                Ok(Target::One { aggregate_type, id: Some(id), command, body: Body::of(body) })
            }
            _ => Err(Failure::usage("a command needs TYPE, ID and COMMAND")
                .hint("see `ordain send --help`")),
        }
    }

    fn of_file(&self, path: &Path) -> Result<Target, Box<Failure>> {
        let stdin = path.as_os_str() == "-";
        let named = if stdin { None } else { path.file_name() };
        let batch = match (&self.batch, named) {
            (Some(batch), _) if batch.is_empty() => {
                return Err(Failure::usage("a batch's name is not empty"));
            }
            (Some(batch), _) => batch.clone(),
            (None, Some(name)) => name.to_string_lossy().into_owned(),
            (None, None) => {
                return Err(Failure::usage("`--file -` needs --batch NAME").hint(
                    "request ids are made from the name, so that a second run repeats them",
                ));
            }
        };
        Ok(Target::File {
            path: (!stdin).then(|| path.to_owned()),
            batch,
            in_flight_max: self.in_flight.map_or(IN_FLIGHT_DEFAULT, usize::from),
        })
    }
}

impl Body {
    fn of(argument: Option<String>) -> Self {
        match argument {
            None => Self::Text("{}".to_owned()),
            Some(text) if text == "-" => Self::Stdin,
            Some(text) => match text.strip_prefix('@') {
                Some(path) => Self::File(path.into()),
                None => Self::Text(text),
            },
        }
    }
}

/// The text as it is: the time belongs to what makes a command the command it is, so it is sent
/// as it was written.
fn time(text: &str) -> Result<String, String> {
    match text.parse::<jiff::Timestamp>() {
        Ok(_) if !text.contains('[') => Ok(text.to_owned()),
        _ => Err("a time is RFC 3339, like 2026-05-04T12:00:00Z".to_owned()),
    }
}
