//! The kinds of problems: one for every row of the table of statuses, with the texts that stay
//! the same.

use http::StatusCode;

/// What kind of thing went wrong. Each has a type that never changes, a status and a title.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// A rule refused the command; the outcome is FAIL.
    Failed,
    /// The deadline passed before the command was taken up; the outcome is EXPIRED.
    Expired,
    /// The aggregate has another sequence than `If-Match` said; the outcome is FAIL.
    SequenceMismatch,
    /// The command could not be processed at all; the outcome is REJECTED.
    Rejected,
    /// The request id names another command to this aggregate.
    KeyReused,
    /// The body breaks the command's schema.
    InvalidBody,
    /// The request cannot be understood.
    BadRequest,
    /// The body did not arrive in time.
    SlowBody,
    /// There is no such thing.
    NotFound,
    /// The thing is there and has no such method.
    MethodNotAllowed,
    /// What was asked for does not fit the state of the thing.
    NotPossible,
    /// The body is too large.
    BodyTooLarge,
    /// The body is no JSON.
    UnsupportedMediaType,
    /// The headers are too many or too large.
    HeadersTooLarge,
    /// As many commands of this caller are on their way as may be. This one was not accepted.
    TooMany,
    /// It is not known what became of the command, or will.
    TimedOut,
    /// The view has not come as far as the receipt says.
    ViewBehind,
    /// This attempt was certainly not accepted.
    NotAccepted,
    /// The command was not sent, because what became of the one before it is not known.
    PredecessorUnknown,
    /// What the answer rests on cannot be read at the moment.
    Unavailable,
    /// A defect of the server.
    Internal,
}

impl ProblemKind {
    /// All kinds.
    pub const ALL: [Self; 21] = [
        Self::Failed,
        Self::Expired,
        Self::SequenceMismatch,
        Self::Rejected,
        Self::KeyReused,
        Self::InvalidBody,
        Self::BadRequest,
        Self::SlowBody,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::NotPossible,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::HeadersTooLarge,
        Self::TooMany,
        Self::TimedOut,
        Self::ViewBehind,
        Self::NotAccepted,
        Self::PredecessorUnknown,
        Self::Unavailable,
        Self::Internal,
    ];

    /// The status of the answer.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Failed | Self::Expired | Self::NotPossible => StatusCode::CONFLICT,
            Self::SequenceMismatch => StatusCode::PRECONDITION_FAILED,
            Self::Rejected | Self::KeyReused | Self::InvalidBody => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::TimedOut | Self::ViewBehind => StatusCode::GATEWAY_TIMEOUT,
            Self::NotAccepted | Self::PredecessorUnknown | Self::Unavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The last part of the type's URI.
    #[must_use]
    pub const fn slug(self) -> &'static str {
        self.texts().0
    }

    /// What went wrong, in the same words every time.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.texts().1
    }

    const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::Failed => ("failed", "A rule refused the command"),
            Self::Expired => ("expired", "The deadline passed before the command was taken up"),
            Self::SequenceMismatch => {
                ("sequence-mismatch", "The aggregate has another sequence than If-Match says")
            }
            Self::Rejected => ("rejected", "The command could not be processed"),
            Self::KeyReused => ("key-reused", "The request id names another command"),
            Self::InvalidBody => ("invalid-body", "The body breaks the schema of the command"),
            Self::BadRequest => ("bad-request", "The request cannot be understood"),
            Self::SlowBody => ("slow-body", "The body did not arrive in time"),
            Self::NotFound => ("not-found", "There is no such thing"),
            Self::MethodNotAllowed => ("method-not-allowed", "There is no such method here"),
            Self::NotPossible => ("not-possible", "This cannot be done with it"),
            Self::BodyTooLarge => ("body-too-large", "The body is too large"),
            Self::UnsupportedMediaType => ("unsupported-media-type", "The body must be JSON"),
            Self::HeadersTooLarge => ("headers-too-large", "The headers are too many or too large"),
            Self::TooMany => {
                ("too-many", "Too many commands of this caller at once: safe to send again")
            }
            Self::TimedOut => ("timed-out", "Unknown yet: ask again with the same request id"),
            Self::ViewBehind => ("view-behind", "The view has not reached the receipt"),
            Self::NotAccepted => {
                ("not-accepted", "This attempt was not accepted: safe to send again")
            }
            Self::PredecessorUnknown => {
                ("predecessor-unknown", "Not sent: the outcome of the command before is unknown")
            }
            Self::Unavailable => ("unavailable", "This cannot be read at the moment"),
            Self::Internal => ("internal", "A defect of the server"),
        }
    }
}
