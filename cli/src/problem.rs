//! A problem document (RFC 9457) as the server sends it, read leniently: a gateway on the way
//! may answer in its own words.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::client::Answer;
use crate::json_text;

const CHARACTERS_MAX: usize = 200;

/// What a server says is wrong.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Problem {
    title: Option<String>,
    detail: Option<String>,
    /// What a program goes by.
    pub(crate) code: Option<String>,
    /// The stored outcome, where the answer is one.
    pub(crate) result: Option<Box<RawValue>>,
    violations: Vec<Violation>,
    #[serde(skip)]
    status: String,
    /// The document as it came.
    #[serde(skip)]
    pub(crate) raw: Option<Box<RawValue>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Violation {
    pointer: String,
    message: String,
}

impl Problem {
    /// The problem in an answer.
    pub(crate) fn of(answer: &Answer) -> Self {
        let mut problem: Self = serde_json::from_str(&answer.body)
            .unwrap_or_else(|_| Self { detail: text(&answer.body), ..Self::default() });
        problem.status = answer.status.to_string();
        problem.raw = RawValue::from_string(json_text::one_line(&answer.body)).ok();
        problem
    }

    /// What this program finds wrong before it asks the server.
    pub(crate) fn ours(detail: String) -> Box<Self> {
        Box::new(Self { detail: Some(detail), code: Some("INVALID".to_owned()), ..Self::default() })
    }

    /// In one line: the code, and what is wrong.
    pub(crate) fn line(&self) -> String {
        let what = self.detail.as_ref().or(self.title.as_ref()).unwrap_or(&self.status);
        match &self.code {
            Some(code) => format!("{code}: {what}"),
            None if what == &self.status => self.status.clone(),
            None => format!("{}: {what}", self.status),
        }
    }

    /// Where the body breaks its schema, a line each.
    pub(crate) fn violations(&self) -> Option<String> {
        let line = |violation: &Violation| {
            let place = if violation.pointer.is_empty() { "(body)" } else { &violation.pointer };
            format!("{place}: {}", violation.message)
        };
        let lines: Vec<_> = self.violations.iter().map(line).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

/// The beginning of a body that is no JSON, if it is something to read.
fn text(body: &str) -> Option<String> {
    let line = body.lines().map(str::trim).find(|line| !line.is_empty())?;
    (!line.starts_with('<')).then(|| line.chars().take(CHARACTERS_MAX).collect())
}
