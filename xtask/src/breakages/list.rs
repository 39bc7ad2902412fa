//! The list of breakages, as data: `tests/breakages.toml`.

use anyhow::Context as _;
use serde::Deserialize;

use super::trial::{Fate, Suite};
use crate::run;

/// One way to break a promise, and the tests that have to see it.
#[derive(Debug, Deserialize)]
pub(crate) struct Breakage {
    /// The number of the promise, or what is promised in words.
    pub(crate) promise: String,
    /// A sentence that says what is broken.
    pub(crate) what: String,
    /// The file to break.
    pub(crate) file: String,
    /// A text that stands in the file once.
    pub(crate) from: String,
    /// The wrong text in its place.
    pub(crate) to: String,
    /// Where the tests are.
    #[serde(flatten)]
    pub(crate) suite: Suite,
    /// The tests that have to turn red, with their modules.
    pub(crate) tests: Vec<String>,
    /// Whether a test may also be seen to fail by never ending.
    #[serde(default)]
    pub(crate) hangs: bool,
}

impl Breakage {
    pub(crate) fn names(&self, part: &str) -> bool {
        let said = [&self.promise, &self.what, &self.file];
        said.into_iter().chain(&self.tests).any(|text| text.contains(part))
    }

    pub(crate) fn expects(&self, result: Fate) -> bool {
        result == Fate::Failed || (self.hangs && result == Fate::Hung)
    }
}

#[derive(Deserialize)]
struct List {
    breakage: Vec<Breakage>,
}

pub(crate) fn read() -> anyhow::Result<Vec<Breakage>> {
    let path = run::root().join("tests/breakages.toml");
    let text = std::fs::read_to_string(&path).context("the list of breakages cannot be read")?;
    let list: List = toml::from_str(&text).context("the list of breakages has another form")?;
    Ok(list.breakage)
}
