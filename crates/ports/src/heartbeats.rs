//! Heartbeats: what each member of the fleet says of itself every second, for whoever wants to
//! know which partitions have an owner and how far it has come.

use async_trait::async_trait;
use ordain_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Announced, Error};

/// What a member says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Its name, which no other process ever has.
    pub member: String,
    /// Counts its beats: 1, 2, 3 … That the count moves is all that says it lives: clocks do not.
    pub beat: u64,
    /// Its role.
    pub role: String,
    /// The version of its program.
    pub version: String,
    /// When it began, on its own clock.
    pub started: Timestamp,
    /// The partitions that it works.
    pub lanes: Vec<LaneBeat>,
    /// The commands that it can decide.
    pub announced: Vec<Announced>,
    /// What last went wrong.
    pub last_error: Option<String>,
}

impl Heartbeat {
    /// What workers say of their role.
    pub const WORKER: &'static str = "worker";
}

/// How one partition is doing at its owner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LaneBeat {
    /// Which one.
    pub partition: u32,
    /// The offset below which all is done; `None` while nothing was ever saved.
    pub progress: Option<u64>,
    /// Records that it can handle in a second of work; `None` until it has handled any.
    pub capacity_per_second: Option<f64>,
    /// Records that it handled in a second of the last few.
    pub handled_per_second: f64,
    /// Milliseconds since the oldest record in work was appended; 0 when there is none.
    pub oldest_wait_ms: u64,
    /// Why it stands still and waits for a person.
    pub stopped: Option<String>,
}

/// Keeps the last heartbeat of each member. None of it need survive a restart of the store.
///
/// # Contract
/// 1. After `beat` is `Ok`, `beats` gives that heartbeat, once and as it was, until a later one of
///    the same member replaces it, the member leaves, or it has stood still for a limit of the
///    store's own, at least one minute.
/// 2. An earlier heartbeat never replaces a later one.
/// 3. After `leave` is `Ok`, the member is not among `beats`, whatever heartbeat of it may arrive
///    late.
#[async_trait]
pub trait Heartbeats: Send + Sync {
    /// Keeps this heartbeat in the place of the member's last one.
    async fn beat(&self, heartbeat: Heartbeat) -> Result<(), Error>;

    /// The member has left, and beats no more.
    async fn leave(&self, member: &str) -> Result<(), Error>;

    /// The last heartbeat of every member, dead ones among them for a while.
    async fn beats(&self) -> Result<Vec<Heartbeat>, Error>;
}
