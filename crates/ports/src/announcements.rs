//! Announcements: which commands any build of the fleet has ever known.

use async_trait::async_trait;
use ordain_model::{Registry, SchemaHash};
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

impl Announced {
    /// The commands that the rules in `registry` decide.
    pub fn all_of(registry: &Registry) -> impl Iterator<Item = Self> {
        registry.iter().flat_map(|handler| {
            let definition = handler.definition();
            definition.commands.iter().map(|command| Self {
                aggregate_type: definition.name.to_string(),
                command: command.name.to_string(),
                schema: command.schema.hash(),
            })
        })
    }
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
