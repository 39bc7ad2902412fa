//! Calling until there is a definite answer.

use std::time::Duration;

use ordain_checker::Told as Document;
use ordain_checker::history::{Operation, Way};
use ordain_checker::reference::time::rfc_3339;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::time::sleep;

use super::reads::Receipt;
use super::{Manner, One};
use crate::{Client, Told};

/// How long a client waits before it sends again what got no definite answer: first, and at most.
const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// What a call came to.
pub(super) enum Called {
    /// The outcome, and the receipt with it.
    Definite(Document, Option<Receipt>),
    /// The id names another command.
    Reused,
    /// Accepted, and not decided yet.
    Accepted,
    /// Nobody knows, or certainly not accepted: to be sent again.
    Unknown,
}

/// A line of the answer to a batch.
#[derive(Deserialize)]
struct Answered<'a> {
    index: usize,
    status: u16,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    problem: Option<&'a RawValue>,
}

impl One {
    /// Calls until there is an outcome, or the id is known to name another command: then it has
    /// none, and whether that is so is for the checker to say. One who does not wait looks up what
    /// it sent, until it is told that this is unknown.
    pub(super) async fn settled(
        &mut self,
        operation: &Operation,
        manner: Manner,
    ) -> Option<Document> {
        let (mut pause, mut attempt, mut way) = (PAUSE_FIRST, 0, Way::Send);
        loop {
            attempt += 1;
            let called = match self.api().await {
                Some(api) => self.call(&api, operation, (manner, way, attempt)).await,
                None => Called::Unknown,
            };
            match called {
                Called::Definite(document, receipt) => {
                    self.receipt = receipt.or(self.receipt.take());
                    return Some(document);
                }
                Called::Reused => return None,
                Called::Accepted => way = Way::LookUp,
                Called::Unknown => way = Way::Send,
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Calls once.
    pub(super) async fn call(
        &self,
        api: &Client,
        operation: &Operation,
        (manner, way, attempt): (Manner, Way, u32),
    ) -> Called {
        let Operation { kind, id, command, data, request, .. } = operation;
        if way == Way::LookUp {
            let asked =
                Operation { command: String::new(), data: String::new(), ..operation.clone() };
            let call = self.memory.call(self.number, (way, attempt), &asked);
            let told = api.get(&format!("/v1/{kind}/{id}/requests/{request}?wait=2")).await.ok();
            return self.answered((call, way), operation, told.as_ref());
        }
        let deadline = operation.deadline.map(rfc_3339);
        let expected = operation.expected_sequence.map(|expected| format!("\"{expected}\""));
        let mut headers = vec![("idempotency-key", request.as_str())];
        headers.extend(deadline.as_deref().map(|deadline| ("ordain-deadline", deadline)));
        headers.extend(expected.as_deref().map(|expected| ("if-match", expected)));
        headers.extend((manner == Manner::LooksUp).then_some(("prefer", "respond-async")));
        let path = match manner {
            Manner::NamesNone => format!("/v1/{kind}/{command}"),
            Manner::Waits | Manner::LooksUp => format!("/v1/{kind}/{id}/{command}"),
        };
        let call = self.memory.call(self.number, (way, attempt), operation);
        let told = api.send_with(&path, &headers, data).await;
        self.answered((call, way), operation, told.ok().as_ref())
    }

    /// Sends all of them in one batch, and gives what each came to.
    pub(super) async fn call_in_batch(
        &self,
        api: &Client,
        operations: &[Operation],
    ) -> Vec<Called> {
        let call = |operation| self.memory.call(self.number, (Way::Batch, 1), operation);
        let calls: Vec<u64> = operations.iter().map(call).collect();
        let told = api.send_lines("/v1/commands", lines(operations)).await.ok();
        let mut told = told.map(|told| parts(&told, operations.len())).unwrap_or_default();
        told.resize(operations.len(), None);
        let each = calls.into_iter().zip(operations).zip(told);
        each.map(|((call, operation), told)| {
            self.answered((call, Way::Batch), operation, told.as_ref())
        })
        .collect()
    }

    fn answered(
        &self,
        (call, way): (u64, Way),
        operation: &Operation,
        told: Option<&Told>,
    ) -> Called {
        let document = self.memory.answer(call, told);
        if let (Some(document), Some(told)) = (&document, told) {
            return Called::Definite(document.clone(), Receipt::of(operation, document, told));
        }
        let code = told.map(|told| told.at("/code"));
        let is_reused = code.as_ref().and_then(|code| code.as_str()) == Some("KEY_REUSED");
        match told.map(|told| told.status) {
            Some(202) => Called::Accepted,
            Some(422) if is_reused => Called::Reused,
            // Whatever the server may say in trouble, and what the checker calls a defect.
            None | Some(..400 | 408 | 429 | 500..) => Called::Unknown,
            Some(404) if way == Way::LookUp => Called::Unknown,
            #[expect(clippy::panic, reason = "a test that meets what must not be has failed")]
            Some(other) => panic!("an answer that must not be: {other}: {told:?}"),
        }
    }
}

/// The operations as lines of a batch.
fn lines(operations: &[Operation]) -> String {
    let line = |operation: &Operation| {
        let Operation { kind, id, request, command, data, .. } = operation;
        let named = json!({ "requestId": request, "type": kind, "id": id, "command": command });
        let named = named.to_string();
        // Data goes as it is written: numbers and all.
        format!("{},\"data\":{data}}}\n", named.trim_end_matches('}'))
    };
    operations.iter().map(line).collect()
}

/// What a batch was told of each of so many commands. Of those behind a broken end there is
/// nothing; where all of it was refused, each was.
fn parts(told: &Told, count: usize) -> Vec<Option<Told>> {
    if told.status != 200 {
        return vec![Some(told.clone()); count];
    }
    let mut parts = vec![None; count];
    for line in told.body.lines() {
        let Ok(answered) = serde_json::from_str::<Answered<'_>>(line) else { continue };
        let Answered { index, status, result, problem } = answered;
        let body = result.or(problem).map(|body| body.get().to_owned()).unwrap_or_default();
        if let Some(part) = parts.get_mut(index) {
            *part = Some(Told { status, headers: HeaderMap::new(), body });
        }
    }
    parts
}
