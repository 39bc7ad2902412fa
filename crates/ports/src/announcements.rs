//! Announcements: which commands any build of the fleet has ever known.

use async_trait::async_trait;
use ordain_model::SchemaHash;
use serde::{Deserialize, Serialize};

use crate::Error;

/// A command that some build knows: its type, name and schema.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Announced {
    /// The aggregate type.
    pub aggregate_type: String,
    /// The command.
    pub command: String,
    /// The hash of its schema.
    pub schema: SchemaHash,
}

/// Remembers for good what was ever announced.
///
/// # Contract
/// 1. Once `announce` returned `Ok`, `known` gives all of it, for good.
#[async_trait]
pub trait Announcements: Send + Sync {
    /// Adds these.
    async fn announce(&self, commands: Vec<Announced>) -> Result<(), Error>;

    /// All that were ever announced.
    async fn known(&self) -> Result<Vec<Announced>, Error>;
}
