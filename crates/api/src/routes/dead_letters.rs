//! The dead letters: looked at, and sent again.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use ordain_model::{AggregateKey, Name, Outcome, RequestId};
use ordain_ports::{DeadLetter, LetterId};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::{Uuid, uuid};

use crate::query::{self, Query};
use crate::routes::commands::headers;
use crate::routes::{answers, json};
use crate::writer::ObjectWriter;
use crate::{Api, Problem, ProblemKind, Request, Wait};

/// The namespace of the request ids of retries. It never changes, so that an attempt has the same
/// id whoever makes it.
const RETRIES: Uuid = uuid!("7d8a6a5e-0c0b-5b52-8a53-5f0a3f6f1f0e");

/// Which letters are asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LettersQuery {
    after: Option<String>,
    limit: Option<usize>,
}

/// `GET /v1/admin/deadletters`
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Query(query): Query<LettersQuery>,
) -> Result<Response, Problem> {
    let settings = api.settings();
    let limit = query::page(query.limit, settings.page_rows_default, settings.page_rows_max)?;
    let after: Option<LetterId> =
        query.after.map(|text| text.parse()).transpose().map_err(Problem::bad_query)?;
    let letters = api.parts.ports.dead_letters.list(after.as_ref(), limit + 1).await;
    let mut letters = letters.map_err(|error| Problem::unavailable(&error))?;
    let has_more = letters.len() > limit;
    letters.truncate(limit);
    let items = letters.iter().map(|letter| members(letter).finish());
    let object = ObjectWriter::new().array("letters", items);
    Ok(json(match letters.last().filter(|_| has_more) {
        Some(last) => object.text("next", &last.id.to_string()).finish(),
        None => object.finish(),
    }))
}

/// `GET /v1/admin/deadletters/{id}`
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let letter = find(&api, &id).await?;
    let is_json = serde_json::from_slice::<&RawValue>(&letter.data).is_ok();
    let object = if is_json {
        members(&letter).json("data", &letter.data)
    } else {
        members(&letter).plain("bytes", STANDARD.encode(&letter.data))
    };
    Ok(json(object.finish()))
}

/// `POST /v1/admin/deadletters/{id}/retry`: the letter's command as a new one, sent now by the
/// person who asks. The deadline and the expected sequence of the first sending are left out on
/// purpose, and a letter does not keep them: since then time has passed and the aggregate has
/// moved on, so they would only turn the retry into EXPIRED or `SEQUENCE_MISMATCH`.
pub(crate) async fn retry(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let letter = find(&api, &id).await?;
    let (aggregate, old, command) = command(&letter).ok_or_else(|| {
        Problem::new(ProblemKind::NotPossible, "NOT_RETRYABLE")
            .because("the letter does not name aggregate, request and command")
    })?;
    let attempt = attempt(&api, &letter, &aggregate).await?;
    let request = attempt_id(old, attempt);
    // Noted before it is sent: an attempt that nobody knows of could take effect unseen.
    let noted = api.parts.ports.dead_letters.retried(&letter.id, request.clone()).await;
    if !noted.map_err(|error| Problem::unavailable(&error))? {
        return Err(unknown_letter());
    }
    let sent = Request {
        aggregate,
        request: request.clone(),
        command,
        body: letter.data.into(),
        expected_sequence: None,
        deadline: None,
        may_be_repeat: true,
        trace: headers::trace(&headers),
    };
    let wait = Wait::Outcome(api.settings().wait(None));
    let answered = api.submitter.submit(sent.clone(), wait).await;
    Ok(answers::respond(&sent, answers::told(&api, &sent, answered)))
}

/// The number of the attempt to make, from 1 on. The last one is made again while its outcome is
/// not known, or is a success: either way a further one could be a second effect.
async fn attempt(
    api: &Api,
    letter: &DeadLetter,
    aggregate: &AggregateKey,
) -> Result<usize, Problem> {
    let Some(last) = letter.retries.last() else {
        return Ok(1);
    };
    let ids = [(aggregate.clone(), last.clone())];
    let found = api.parts.ports.outcomes.find(&ids).await;
    let found = found.map_err(|error| Problem::unavailable(&error))?.into_iter().next().flatten();
    let made = letter.retries.len();
    match found {
        Some(commit) if commit.outcome != Outcome::Success => Ok(made + 1),
        Some(_) | None => Ok(made),
    }
}

fn attempt_id(old: &RequestId, attempt: usize) -> RequestId {
    let name = format!("{attempt}/{old}");
    #[expect(clippy::expect_used, reason = "the text of a uuid has only the letters of an id")]
    Uuid::new_v5(&RETRIES, name.as_bytes()).to_string().parse().expect("a uuid is a request id")
}

/// What is needed to send a letter's command again.
fn command(letter: &DeadLetter) -> Option<(AggregateKey, &RequestId, Name)> {
    let (aggregate, request) = letter.named.as_ref()?;
    let command = letter.command.as_ref()?.parse().ok()?;
    Some((aggregate.clone(), request, command))
}

async fn find(api: &Api, id: &str) -> Result<DeadLetter, Problem> {
    let id: LetterId = id.parse().map_err(Problem::bad_id)?;
    let found = api.parts.ports.dead_letters.get(&id).await;
    found.map_err(|error| Problem::unavailable(&error))?.ok_or_else(unknown_letter)
}

fn unknown_letter() -> Problem {
    Problem::not_found("UNKNOWN_LETTER", "there is no such dead letter")
}

fn members(letter: &DeadLetter) -> ObjectWriter {
    let mut object = ObjectWriter::new().text("id", &letter.id.to_string());
    if let Some((aggregate, request)) = &letter.named {
        object = object
            .plain("type", aggregate.aggregate_type())
            .plain("aggregateId", aggregate.id())
            .plain("requestId", request);
    }
    if let Some(command) = &letter.command {
        object = object.text("command", command);
    }
    let retries = letter.retries.iter().map(|request| format!("\"{request}\""));
    object
        .text("code", letter.code.as_str())
        .text("why", &letter.why)
        .plain("time", letter.time)
        .array("retries", retries)
        .json("retryable", if command(letter).is_some() { b"true" } else { b"false" })
}
