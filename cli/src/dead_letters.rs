//! `ordain deadletters`: records that could not be processed, looked at and sent again.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::arguments::{DeadLetterCommand, DeadLettersArguments};
use crate::client::{self, Broken, Call, Client, GRACE};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::json_text;
use crate::output::{self, printable};
use crate::problem::Problem;
use crate::read::{for_operators, print_raw, there, understood};
use crate::verdict::Verdict;

const PAGE_LETTERS: u64 = 100;
const RETRY_SECONDS_MAX: u64 = 30;

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    letters: Vec<&'a RawValue>,
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Letter {
    id: String,
    #[serde(rename = "type")]
    aggregate_type: Option<String>,
    aggregate_id: Option<String>,
    command: Option<String>,
    code: String,
    time: String,
    #[serde(default)]
    retries: Vec<String>,
}

/// Does what the arguments say.
///
/// # Errors
/// Why it could not be done.
pub(crate) async fn run(
    arguments: &DeadLettersArguments,
    json: bool,
) -> Result<Exit, Box<Failure>> {
    let letters = Letters { client: Client::new(&arguments.admin)?, json };
    let done = match &arguments.command {
        DeadLetterCommand::List { after, limit } => letters.list(after.as_deref(), *limit).await,
        DeadLetterCommand::Show { letter } => letters.show(letter).await,
        DeadLetterCommand::Retry { letter } => letters.retry(letter).await,
    };
    done.map_err(for_operators)
}

struct Letters {
    client: Client,
    json: bool,
}

impl Letters {
    async fn list(&self, after: Option<&str>, limit: u64) -> Result<Exit, Box<Failure>> {
        let mut left = limit;
        let mut after = after.map(str::to_owned);
        let mut rows = Vec::new();
        loop {
            let limit = left.min(PAGE_LETTERS).to_string();
            let mut query = vec![("limit", limit.as_str())];
            query.extend(after.as_deref().map(|after| ("after", after)));
            let path = client::with_query(client::path(&["admin", "deadletters"]), &query);
            let answer = there(self.client.get(path, Duration::ZERO).await?)?;
            let mut page: Page<'_> = understood(&answer)?;
            page.letters.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            for letter in &page.letters {
                if self.json {
                    output::print(&json_text::one_line(letter.get()))?;
                } else {
                    rows.push(row(letter)?);
                }
            }
            left = left.saturating_sub(page.letters.len() as u64);
            match page.next.filter(|_| left > 0 && !page.letters.is_empty()) {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        if !self.json {
            let heading = ["LETTER", "TIME", "CODE", "COMMAND", "RETRIES"];
            output::print(&output::table(heading, &rows))?;
        }
        Ok(Exit::Success)
    }

    async fn show(&self, letter: &str) -> Result<Exit, Box<Failure>> {
        let path = client::path(&["admin", "deadletters", letter]);
        let answer = there(self.client.get(path, Duration::ZERO).await?)?;
        if self.json {
            print_raw(&answer)?;
        } else {
            output::print(&json_text::pretty(&answer.body))?;
        }
        Ok(Exit::Success)
    }

    /// One attempt only: after an outcome that went unheard, another one would be another command.
    async fn retry(&self, letter: &str) -> Result<Exit, Box<Failure>> {
        let call = Call {
            method: Method::POST,
            path: client::path(&["admin", "deadletters", letter, "retry"]),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            limit: Duration::from_secs(RETRY_SECONDS_MAX).saturating_add(GRACE),
        };
        let end = self.client.call(call).await;
        match Verdict::of(&end) {
            Verdict::Stored(stored) => {
                stored.print(self.json)?;
                Ok(stored.exit())
            }
            Verdict::Refused(problem) => {
                Err(Failure::new(Exit::Refused, problem.line()).problem(problem.raw))
            }
            Verdict::NotAccepted(why) => {
                let text = format!("certainly not accepted: {}", why.text);
                let raw = why.problem.and_then(|problem: Box<Problem>| problem.raw);
                let failure = Failure::new(Exit::NotAccepted, text).problem(raw);
                Err(match &end {
                    Err(broken @ Broken::NotReached(_)) => failure.hint(self.client.advice(broken)),
                    Err(Broken::NoAnswer(_)) | Ok(_) => failure,
                })
            }
            Verdict::Unknown(why) => {
                let raw = why.problem.and_then(|problem| problem.raw);
                let hint = format!(
                    "what became of it: `ordain deadletters show {letter}` names the request id,\n\
                     `ordain outcome` tells its outcome"
                );
                Err(Failure::new(Exit::Unknown, format!("unknown: {}", why.text))
                    .problem(raw)
                    .hint(hint))
            }
        }
    }
}

fn row(letter: &RawValue) -> Result<[String; 5], Box<Failure>> {
    let letter: Letter = serde_json::from_str(letter.get()).map_err(|error| {
        Failure::new(Exit::Unknown, format!("a dead letter cannot be understood: {error}"))
    })?;
    let command = match (letter.command, letter.aggregate_type, letter.aggregate_id) {
        (Some(command), Some(kind), Some(id)) => format!("{command} {kind}/{id}"),
        (None, Some(kind), Some(id)) => format!("? {kind}/{id}"),
        (command, _, _) => command.unwrap_or_else(|| "?".to_owned()),
    };
    let seconds = letter.time.split('.').next().unwrap_or_default();
    let cells = [&letter.id, seconds, &letter.code, &command, &letter.retries.len().to_string()];
    Ok(cells.map(|cell| printable(cell).into_owned()))
}
