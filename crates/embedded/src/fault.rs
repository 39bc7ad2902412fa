//! What goes wrong in a home, and what whoever asked does about it.

use ordain_ports::{Action, Error};
use thiserror::Error as ThisError;

use crate::record::Unreadable;

/// What went wrong.
#[derive(Debug, ThisError)]
pub(crate) enum Fault {
    #[error("the store cannot be read")]
    Store(#[from] fjall::Error),
    #[error("{what} cannot be read: {why}")]
    Unreadable { what: String, why: Unreadable },
    #[error("{what} cannot be written: {why}")]
    NotStorable { what: &'static str, why: Unreadable },
    #[error("the disk has no space left")]
    NoSpace,
    #[error("the home is closed")]
    Closed,
    #[error("the lane was given to another member")]
    Fenced,
    #[error("a read was broken off")]
    BrokenOff,
}

impl Fault {
    const fn action(&self) -> Action {
        match self {
            Self::Store(_) | Self::Unreadable { .. } | Self::Closed => Action::CallPerson,
            Self::NotStorable { .. } => Action::GiveUp,
            Self::NoSpace | Self::BrokenOff => Action::TryAgain,
            Self::Fenced => Action::Stop,
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let error = Self::new(fault.action(), fault.to_string());
        match fault {
            Fault::Store(source) => error.because(source),
            _ => error,
        }
    }
}
