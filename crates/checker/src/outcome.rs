//! What became of a command, as an answer or a commit says it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What became of a command, without its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Outcome {
    /// The rules accepted it.
    Success,
    /// A rule refused it.
    Fail,
    /// Its deadline passed before it was taken up.
    Expired,
    /// It could not be processed at all.
    Rejected,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Success => "SUCCESS",
            Self::Fail => "FAIL",
            Self::Expired => "EXPIRED",
            Self::Rejected => "REJECTED",
        })
    }
}

/// An outcome document, as far as it is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// What became of the command.
    pub outcome: Outcome,
    /// Why, with FAIL and REJECTED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The aggregate's revision that the command made.
    pub revision: u64,
    /// The aggregate's sequence after the command.
    pub sequence: u64,
    /// A hash of the bytes of the whole document.
    pub body: u64,
    /// Whether the answer was marked as a repeat.
    #[serde(default)]
    pub replayed: bool,
}
