//! What goes wrong with Kafka, and what whoever asked does about it.

use std::path::PathBuf;

use ordain_ports::{Action, Error};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use thiserror::Error as ThisError;

/// Why Kafka cannot be used as it was set up; for people.
#[derive(Debug, ThisError)]
#[error(transparent)]
pub struct ConnectError(Fault);

impl From<Fault> for ConnectError {
    fn from(fault: Fault) -> Self {
        Self(fault)
    }
}

impl From<ConnectError> for Error {
    fn from(error: ConnectError) -> Self {
        error.0.into()
    }
}

/// What went wrong.
#[derive(Debug, ThisError)]
pub(crate) enum Fault {
    #[error("{what} failed")]
    Kafka { what: &'static str, source: KafkaError },
    #[error("{what} did not end within {ms} ms")]
    Late { what: &'static str, ms: u64 },
    #[error("the topic {0} is not there: make it with `ordain topics ensure`")]
    NoTopic(String),
    #[error("the topic {topic} will not do: {why}")]
    BadTopic { topic: String, why: String },
    #[error("{} cannot be read", path.display())]
    Secret { path: PathBuf, source: std::io::Error },
    #[error("the environment variable {0} is not set")]
    NoVariable(String),
    #[error("security by a password needs password_file or password_variable")]
    NoPassword,
    #[error("a thread cannot be started")]
    Thread(#[source] std::io::Error),
    #[error("the lane was given to another member")]
    Fenced,
    #[error("another process is in the group under the same instance")]
    SameInstance,
    #[error("a record came by a way that none comes by")]
    Astray,
    #[error("the feed has ended")]
    Ended,
    #[error("a task was broken off")]
    BrokenOff,
}

impl Fault {
    /// For `map_err`: what failed.
    pub(crate) fn of(what: &'static str) -> impl FnOnce(KafkaError) -> Self {
        move |source| Self::Kafka { what, source }
    }

    /// What failed and why, in one line.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Kafka { what, source } => format!("{what} failed: {source}"),
            other => other.to_string(),
        }
    }

    /// Whether it will fail again until somebody has changed something.
    pub(crate) fn needs_person(&self) -> bool {
        self.action() == Action::CallPerson
    }

    /// Whether it is a group that does not let a process be a member.
    pub(crate) fn is_of_group(&self) -> bool {
        use RDKafkaErrorCode as Code;
        let Self::Kafka { source, .. } = self else { return false };
        matches!(
            source.rdkafka_error_code(),
            Some(
                Code::GroupAuthorizationFailed
                    | Code::InvalidGroupId
                    | Code::InvalidSessionTimeout
                    | Code::InconsistentGroupProtocol
                    | Code::GroupMaxSizeReached
                    | Code::UnreleasedInstanceId
            )
        )
    }

    fn action(&self) -> Action {
        match self {
            Self::Kafka { source, .. } if needs_person(source) => Action::CallPerson,
            Self::Kafka { .. }
            | Self::Late { .. }
            | Self::BrokenOff
            | Self::Astray
            | Self::Thread(_) => Action::TryAgain,
            Self::Fenced => Action::Stop,
            Self::NoTopic(_)
            | Self::BadTopic { .. }
            | Self::Secret { .. }
            | Self::NoVariable(_)
            | Self::NoPassword
            | Self::Ended
            | Self::SameInstance => Action::CallPerson,
        }
    }
}

/// Whether it will fail again until somebody has changed something.
fn needs_person(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::TopicAuthorizationFailed
                | Code::GroupAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::InvalidGroupId
                | Code::InvalidSessionTimeout
                | Code::InconsistentGroupProtocol
                | Code::GroupMaxSizeReached
                | Code::UnreleasedInstanceId
                | Code::MessageSizeTooLarge
        )
    )
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let error = Self::new(fault.action(), fault.to_string());
        match fault {
            Fault::Kafka { source, .. } => error.because(source),
            Fault::Secret { source, .. } | Fault::Thread(source) => error.because(source),
            _ => error,
        }
    }
}
