//! The one error of all ports. Its action says what the caller does; its source says what
//! happened.

use std::error::Error as StdError;
use std::fmt;

/// What the caller of a port does about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// The outcome is unknown or nothing happened: look again, then try again with backoff.
    TryAgain,
    /// The right to do this was lost to another member: forget everything and stop.
    Stop,
    /// This one request can never succeed: give up on it and go on with the others.
    GiveUp,
    /// Nothing works until a person has acted.
    CallPerson,
}

/// What went wrong at a port. The message is for operators: lowercase, no full stop.
#[derive(Debug)]
pub struct Error {
    action: Action,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error that asks for `action`.
    pub fn new(action: Action, message: impl Into<String>) -> Self {
        Self { action, message: message.into(), source: None }
    }

    /// The same with what caused it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What the caller does about it.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.action
    }

    /// Whether the caller has lost the right to go on.
    #[must_use]
    pub fn is_stop(&self) -> bool {
        self.action == Action::Stop
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}
