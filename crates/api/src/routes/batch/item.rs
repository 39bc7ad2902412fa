//! One command of a batch, as it is written there.

use std::borrow::Cow;

use bytes::Bytes;
use ordain_model::RequestId;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::routes::commands::Target;
use crate::{Api, Problem, ProblemKind, Request, new_request_id};

/// One command of a batch. Its parts are texts still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    request: Option<String>,
    aggregate_type: String,
    id: Option<String>,
    command: String,
    data: Bytes,
}

/// The form of a command in a batch.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Form<'a> {
    #[serde(borrow, default)]
    request_id: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "type")]
    aggregate_type: Cow<'a, str>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    command: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Reads a JSON array of commands, all of them or none.
///
/// # Errors
/// 400, saying which element is not of the form; 413 when there are too many.
pub(super) fn array(text: &Bytes, commands_max: usize) -> Result<Vec<Item>, Problem> {
    let elements: Vec<&RawValue> = serde_json::from_slice(text).map_err(Problem::malformed)?;
    if elements.len() > commands_max {
        return Err(Problem::new(ProblemKind::BodyTooLarge, "TOO_MANY_COMMANDS")
            .because(format_args!("at most {commands_max} commands are taken")));
    }
    let element = |(index, element): (usize, &&RawValue)| {
        Item::read(&text.slice_ref(element.get().as_bytes()))
            .map_err(|why| Problem::malformed(format_args!("element {index}: {why}")))
    };
    elements.iter().enumerate().map(element).collect()
}

impl Item {
    /// Reads one command.
    ///
    /// # Errors
    /// Why it is not of the form.
    pub(super) fn read(text: &Bytes) -> Result<Self, serde_json::Error> {
        let form: Form<'_> = serde_json::from_slice(text)?;
        Ok(Self {
            request: form.request_id.map(Cow::into_owned),
            aggregate_type: form.aggregate_type.into_owned(),
            id: form.id.map(Cow::into_owned),
            command: form.command.into_owned(),
            data: text.slice_ref(form.data.get().as_bytes()),
        })
    }

    /// The command, to be submitted.
    ///
    /// # Errors
    /// As for a command on its own: 404 for a type or command that there is not, 400 for a bad id.
    pub(super) fn into_request(self, api: &Api) -> Result<Request, Problem> {
        let request: RequestId = match &self.request {
            Some(text) => text.parse().map_err(Problem::bad_id)?,
            None => new_request_id(),
        };
        let target = Target {
            aggregate_type: &self.aggregate_type,
            id: self.id.as_deref(),
            command: &self.command,
        };
        let (aggregate, command) =
            target.find(api, &request).map_err(|problem| problem.about(request.clone()))?;
        Ok(Request {
            aggregate,
            request,
            command,
            body: self.data,
            expected_sequence: None,
            deadline: None,
            may_be_repeat: self.request.is_some(),
            trace: None,
        })
    }
}
