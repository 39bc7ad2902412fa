//! What goes wrong at the store, whether anything was sent by then, and what whoever asked does
//! about it.

use mongodb::error::{CommandError, Error as DriverError, ErrorKind};
use ordain_ports::{Action, Error};
use thiserror::Error as ThisError;

/// The server does not know who asks, or does not let it.
const UNAUTHORIZED: [i32; 3] = [13, 18, 8000];
/// The server is no member of a replica set, or too old or too new for what is asked.
const UNFIT: [i32; 5] = [2, 9, 59, 72, 123];
const OUT_OF_DISK_SPACE: i32 = 14031;

/// What went wrong.
#[derive(Debug, Clone, ThisError)]
pub(crate) enum Fault {
    /// Nothing was sent.
    #[error("the store was not asked: {why}")]
    NotSent { why: String, action: Action },
    /// The store refused the whole command, and has done nothing of it.
    #[error("the store refuses: {why}")]
    Refused { why: String },
    /// It may or may not have been done, or be done later.
    #[error("the store's answer is missing or none: {why}")]
    Unknown { why: String, action: Action, code: Option<i32> },
    /// A document is not what was written.
    #[error("{what} cannot be read: {why}")]
    Unreadable { what: String, why: String },
    /// A document that the store can never take.
    #[error("{what} cannot be stored: {why}")]
    NotStorable { what: &'static str, why: String },
}

impl Fault {
    pub(crate) fn unknown(why: impl Into<String>) -> Self {
        Self::Unknown { why: why.into(), action: Action::TryAgain, code: None }
    }

    /// The server has said so, but not what it did.
    pub(crate) const fn told(code: i32, why: String) -> Self {
        Self::Unknown { why, action: action_on(code), code: Some(code) }
    }

    pub(crate) fn not_sent(why: impl Into<String>) -> Self {
        Self::NotSent { why: why.into(), action: Action::TryAgain }
    }

    pub(crate) fn unfit(why: impl Into<String>) -> Self {
        Self::NotSent { why: why.into(), action: Action::CallPerson }
    }

    pub(crate) fn unreadable(what: &str, why: impl Into<String>) -> Self {
        Self::Unreadable { what: what.to_owned(), why: why.into() }
    }

    /// Whether certainly nothing was done, and never will be.
    pub(crate) const fn is_certain(&self) -> bool {
        matches!(self, Self::NotSent { .. } | Self::Refused { .. } | Self::NotStorable { .. })
    }

    const fn action(&self) -> Action {
        match self {
            Self::NotSent { action, .. } | Self::Unknown { action, .. } => *action,
            Self::Refused { .. } | Self::Unreadable { .. } => Action::CallPerson,
            Self::NotStorable { .. } => Action::GiveUp,
        }
    }
}

/// What to do about an error of one write, or of a command, by its code.
pub(crate) const fn action_on(code: i32) -> Action {
    match code {
        OUT_OF_DISK_SPACE => Action::CallPerson,
        _ if is_one_of(&UNAUTHORIZED, code) || is_one_of(&UNFIT, code) => Action::CallPerson,
        _ => Action::TryAgain,
    }
}

const fn is_one_of(codes: &[i32], code: i32) -> bool {
    let mut at = 0;
    while at < codes.len() {
        if codes[at] == code {
            return true;
        }
        at += 1;
    }
    false
}

/// Only the kind of a driver's error is shown: the rest repeats what the server answered, byte by
/// byte.
impl From<DriverError> for Fault {
    fn from(error: DriverError) -> Self {
        let why = error.kind.to_string();
        match *error.kind {
            ErrorKind::ServerSelection { .. }
            | ErrorKind::DnsResolve { .. }
            | ErrorKind::Shutdown => Self::not_sent(why),
            // The connection was never there to send anything.
            ErrorKind::Authentication { .. }
            | ErrorKind::InvalidTlsConfig { .. }
            | ErrorKind::IncompatibleServer { .. } => Self::unfit(why),
            ErrorKind::Command(CommandError { code, .. }) if is_one_of(&UNAUTHORIZED, code) => {
                Self::Refused { why }
            }
            ErrorKind::Command(CommandError { code, .. }) => Self::told(code, why),
            _ => Self::unknown(why),
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::new(fault.action(), fault.to_string())
    }
}
