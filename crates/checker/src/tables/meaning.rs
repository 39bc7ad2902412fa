//! What answers mean.

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The outcome.
    Told(Document),
    /// It is durable and will get an outcome.
    Accepted,
    /// The request id names another command.
    KeyReused,
    /// This attempt was certainly not accepted.
    NotAccepted,
    /// Nothing was accepted before the look-up was asked.
    Unknown,
    /// Nothing is known.
    Nothing,
}

impl Meaning {
    /// The outcome document of the answer.
    pub(crate) const fn document(&self) -> Option<&Document> {
        match self {
            Self::Told(document) => Some(document),
            _ => None,
        }
    }
}

/// An outcome document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) verdict: u32,
    pub(crate) replayed: bool,
    pub(crate) revision: u64,
    pub(crate) sequence: u64,
    pub(crate) body: u64,
}

/// Whether nothing of this status may be answered without an outcome document: a success or a
/// refusal has one, and what is neither in the table of answers nor a client's fault is a defect.
pub(super) const fn is_defect(status: u16, is_look_up: bool) -> bool {
    match status {
        202 | 503 => false,
        504 => is_look_up,
        // Of a sending: bad, unknown, too large, too many.
        400 | 401 | 403..=405 | 408 | 413 | 415 | 422 | 429 | 431 => false,
        _ => true,
    }
}

/// What an answer to a look-up means that is no outcome. 202 says that it is not decided, and any
/// other failure nothing.
pub(super) const fn looked_up(status: Option<u16>) -> Meaning {
    match status {
        Some(404) => Meaning::Unknown,
        _ => Meaning::Nothing,
    }
}

/// What an answer to a sending means that is no outcome.
pub(super) fn sent(status: Option<u16>, problem: Option<&str>) -> Meaning {
    match (status, problem) {
        (Some(202), _) => Meaning::Accepted,
        (Some(422), Some("KEY_REUSED")) => Meaning::KeyReused,
        (Some(400 | 401 | 403..=405 | 413 | 415 | 422 | 429 | 431 | 503), _) => {
            Meaning::NotAccepted
        }
        // Timed out, our bug, a proxy's word, or nothing at all.
        _ => Meaning::Nothing,
    }
}
