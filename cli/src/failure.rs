//! A failure: why there is nothing to print, what to do about it, and how the process exits.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::exit::Exit;
use crate::output::{self, printable};

/// Why a command of the command line has no result.
#[derive(Debug)]
pub(crate) struct Failure {
    /// How the process exits.
    pub(crate) exit: Exit,
    /// What went wrong, lowercase, without a full stop; empty when there is nothing to say.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
    /// The request id, where there is one.
    pub(crate) request_id: Option<String>,
    /// The server's own words: a problem document.
    pub(crate) problem: Option<Box<RawValue>>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            exit,
            message: message.into(),
            hint: None,
            request_id: None,
            problem: None,
        })
    }

    /// Wrong use of the command line.
    pub(crate) fn usage(message: impl Into<String>) -> Box<Self> {
        Self::new(Exit::Refused, message)
    }

    pub(crate) fn hint(mut self: Box<Self>, hint: impl Into<String>) -> Box<Self> {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn request_id(mut self: Box<Self>, id: &str) -> Box<Self> {
        self.request_id = Some(id.to_owned());
        self
    }

    pub(crate) fn problem(mut self: Box<Self>, problem: Option<Box<RawValue>>) -> Box<Self> {
        self.problem = problem;
        self
    }

    /// Tells it on stderr: a few lines for people, one line of JSON for programs.
    pub(crate) fn tell(&self, json: bool) {
        if self.message.is_empty() {
            return;
        }
        if json {
            output::raw_to_stderr(&serde_json::to_string(&self.document()).unwrap_or_default());
            return;
        }
        output::say(&printable(&self.message));
        if let Some(hint) = &self.hint {
            for line in hint.lines() {
                output::raw_to_stderr(&format!("  {}", printable(line)));
            }
        }
    }

    fn document(&self) -> Document<'_> {
        Document {
            error: &self.message,
            hint: self.hint.as_deref(),
            exit: self.exit.number(),
            request_id: self.request_id.as_deref(),
            problem: self.problem.as_deref(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    exit: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a RawValue>,
}
