//! The outcome document: what became of a command, as the server stores it.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::json_text;
use crate::output::{self, printable};

/// What became of a command, and the text that said so.
#[derive(Debug)]
pub(crate) struct Stored {
    /// The document in one line, otherwise as the server sent it.
    pub(crate) text: String,
    /// Whether an earlier sending of the same request had this outcome.
    pub(crate) replayed: bool,
    document: Document,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    request_id: String,
    #[serde(rename = "type")]
    aggregate_type: String,
    id: String,
    command: String,
    outcome: Outcome,
    code: Option<String>,
    revision: u64,
    sequence: u64,
    events: Vec<Event>,
    receipt: Option<String>,
    time: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Outcome {
    Success,
    Fail,
    Expired,
    Rejected,
}

#[derive(Debug, Deserialize)]
struct Event {
    sequence: u64,
    #[serde(rename = "type")]
    name: String,
    data: Box<RawValue>,
}

impl Stored {
    /// Reads an outcome document; nothing when it is none.
    pub(crate) fn read(text: &str, replayed: bool) -> Option<Self> {
        let document = serde_json::from_str(text).ok()?;
        Some(Self { text: json_text::one_line(text), replayed, document })
    }

    pub(crate) fn exit(&self) -> Exit {
        match self.document.outcome {
            Outcome::Success => Exit::Success,
            Outcome::Fail | Outcome::Expired | Outcome::Rejected => Exit::Outcome,
        }
    }

    /// The outcome and its code in a few words.
    pub(crate) fn words(&self) -> String {
        let name = match self.document.outcome {
            Outcome::Success => "SUCCESS",
            Outcome::Fail => "FAIL",
            Outcome::Expired => "EXPIRED",
            Outcome::Rejected => "REJECTED",
        };
        match &self.document.code {
            Some(code) if code != name => printable(&format!("{name} {code}")).into_owned(),
            Some(_) | None => name.to_owned(),
        }
    }

    /// Prints the document, for programs or for people.
    ///
    /// # Errors
    /// Stdout takes no more.
    pub(crate) fn print(&self, json: bool) -> Result<(), Box<Failure>> {
        if json { output::print(&self.text) } else { output::print(&self.pretty()) }
    }

    /// The document for people.
    fn pretty(&self) -> String {
        let document = &self.document;
        let replayed = if self.replayed { " (replayed)" } else { "" };
        let mut text = format!(
            "{}{replayed}  {} {}/{}\n",
            self.words(),
            document.command,
            document.aggregate_type,
            document.id
        );
        let mut field = |name: &str, value: &str| {
            text.push_str(&format!("  {name:<11}{value}\n"));
        };
        for event in &document.events {
            let data = json_text::compact(&event.data);
            field("event", &format!("{} {} {data}", event.sequence, event.name));
        }
        field("sequence", &document.sequence.to_string());
        field("revision", &document.revision.to_string());
        field("request id", &document.request_id);
        if let Some(receipt) = &document.receipt {
            field("receipt", receipt);
        }
        field("time", &document.time);
        printable(text.trim_end()).into_owned()
    }
}
