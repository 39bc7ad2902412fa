//! Commands that look at one thing: an outcome, a state, the types.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::arguments::{OutcomeArguments, StateArguments, TypesArguments};
use crate::client::{self, Answer, Client};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::json_text;
use crate::outcome::Stored;
use crate::output;
use crate::problem::Problem;

/// The same, of a command that speaks to the listener for operators: the advice of the client names
/// the address of the other.
pub(crate) fn for_operators(mut failure: Box<Failure>) -> Box<Failure> {
    failure.hint = failure
        .hint
        .map(|hint| hint.replace("--server URL or ORDAIN_SERVER", "--admin URL or ORDAIN_ADMIN"));
    failure
}

/// The failure of a question that the server did not answer as hoped.
pub(crate) fn refused(answer: &Answer) -> Box<Failure> {
    let problem = Problem::of(answer);
    let exit = match answer.status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Exit::Unknown,
        status if status.is_server_error() || status.is_success() => Exit::Unknown,
        _ => Exit::Refused,
    };
    let text = match problem.code.as_deref() {
        Some(_) => problem.line(),
        None => format!("the server said {}", problem.line()),
    };
    Failure::new(exit, text).problem(problem.raw)
}

/// A document as the server sent it, in one line.
pub(crate) fn print_raw(answer: &Answer) -> Result<(), Box<Failure>> {
    output::print(&json_text::one_line(&answer.body))
}

/// What the server sent, understood.
///
/// # Errors
/// It is something else.
pub(crate) fn understood<'a, T: Deserialize<'a>>(answer: &'a Answer) -> Result<T, Box<Failure>> {
    serde_json::from_str(&answer.body).map_err(|error| {
        Failure::new(Exit::Unknown, format!("the answer cannot be understood: {error}"))
            .hint("is this an ordain server of this version?")
    })
}

/// What is there, or why it is not.
pub(crate) fn there(answer: Answer) -> Result<Answer, Box<Failure>> {
    if answer.status == StatusCode::OK { Ok(answer) } else { Err(refused(&answer)) }
}

/// `ordain outcome`.
///
/// # Errors
/// There is no outcome to print, and why.
pub(crate) async fn outcome(
    arguments: &OutcomeArguments,
    json: bool,
) -> Result<Exit, Box<Failure>> {
    let OutcomeArguments { aggregate_type, id, request, wait, server } = arguments;
    let client = Client::new(&server.server)?;
    let path = client::path(&[aggregate_type, id, "requests", request]);
    let seconds = client::whole_seconds(*wait).to_string();
    let path = client::with_query(path, &[("wait", &seconds)]);
    let answer = client.get(path, *wait).await.map_err(|failure| failure.request_id(request))?;
    match answer.status {
        StatusCode::OK => print_outcome(&answer, json),
        StatusCode::ACCEPTED => print_pending(&answer, json),
        _ => Err(no_outcome(&answer).request_id(request)),
    }
}

fn print_outcome(answer: &Answer, json: bool) -> Result<Exit, Box<Failure>> {
    let stored = Stored::read(&answer.body, false).ok_or_else(|| {
        Failure::new(Exit::Unknown, "the answer is no outcome")
            .hint("is this an ordain server of this version?")
    })?;
    stored.print(json)?;
    Ok(stored.exit())
}

#[derive(Deserialize)]
struct Pending {
    behind: Option<Behind>,
}

#[derive(Deserialize)]
struct Behind {
    records: u64,
    ms: u64,
}

fn print_pending(answer: &Answer, json: bool) -> Result<Exit, Box<Failure>> {
    if json {
        print_raw(answer)?;
    } else {
        let pending: Pending = understood(answer)?;
        let behind = pending.behind.map_or_else(String::new, |behind| {
            format!(", {} records and {} ms behind", behind.records, behind.ms)
        });
        output::print(&format!("PENDING  accepted or on its way, not yet decided{behind}"))?;
    }
    Ok(Exit::Unknown)
}

fn no_outcome(answer: &Answer) -> Box<Failure> {
    let mut failure = refused(answer);
    if answer.status == StatusCode::NOT_FOUND
        && Problem::of(answer).code.as_deref() == Some("UNKNOWN")
    {
        failure.exit = Exit::NotAccepted;
    }
    failure
}

#[derive(Deserialize)]
struct State<'a> {
    #[serde(rename = "type")]
    aggregate_type: &'a str,
    id: &'a str,
    revision: u64,
    sequence: u64,
    #[serde(borrow)]
    state: &'a RawValue,
}

/// `ordain state`.
///
/// # Errors
/// There is no state to print, and why.
pub(crate) async fn state(arguments: &StateArguments, json: bool) -> Result<Exit, Box<Failure>> {
    let client = Client::new(&arguments.server.server)?;
    let mut path = client::path(&[&arguments.aggregate_type, &arguments.id]);
    if let Some(sequence) = arguments.at {
        path = client::with_query(path, &[("sequence", &sequence.to_string())]);
    }
    let answer = there(client.get(path, Duration::ZERO).await?)?;
    if json {
        print_raw(&answer)?;
        return Ok(Exit::Success);
    }
    let state: State<'_> = understood(&answer)?;
    output::print(&format!(
        "{}/{}  sequence {}  revision {}\n{}",
        output::printable(state.aggregate_type),
        output::printable(state.id),
        state.sequence,
        state.revision,
        json_text::pretty(state.state.get())
    ))?;
    Ok(Exit::Success)
}

/// `ordain types`.
///
/// # Errors
/// There are no types to print, and why.
pub(crate) async fn types(arguments: &TypesArguments, json: bool) -> Result<Exit, Box<Failure>> {
    let client = Client::new(&arguments.server.server)?;
    let answer = there(client.get(client::path(&["types"]), Duration::ZERO).await?)?;
    crate::known_types::print(&answer, arguments.aggregate_type.as_deref(), json)
}
