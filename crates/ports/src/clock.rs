//! The clock, as a port, so that tests can turn it.

use std::time::{SystemTime, UNIX_EPOCH};

use ordain_model::Timestamp;

/// Tells the time of day. It may jump; nothing but deadlines and the times in commits rests on it.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_nanoseconds(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
    }
}
