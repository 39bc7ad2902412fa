//! Why a command is certainly not accepted.

use ordain_ports::NotAccepted;

/// Why an attempt was certainly not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// As many commands are on their way as may be, here or in the log.
    Busy,
    /// As many commands of this tenant are on their way as may be.
    TenantBusy,
    /// Its turn would not come before its caller, or its deadline, waits no longer.
    Overloaded,
    /// Nobody works the partition that it goes to.
    NoWorker,
    /// A worker that lives does not announce it: it is of another build.
    NotAnnounced,
    /// The log has no room.
    NoSpace,
    /// The process is going down.
    Draining,
}

impl Refusal {
    /// Whether the outcome of what is refused so is looked up first, for it may be sent again. Not
    /// for a tenant that sends more than its share: it would take the look-ups from all others.
    pub(super) const fn is_looked_up(self) -> bool {
        !matches!(self, Self::TenantBusy | Self::Draining)
    }
}

impl From<NotAccepted> for Refusal {
    fn from(why: NotAccepted) -> Self {
        match why {
            NotAccepted::Full => Self::Busy,
            NotAccepted::NoSpace => Self::NoSpace,
            NotAccepted::Closed => Self::Draining,
        }
    }
}
