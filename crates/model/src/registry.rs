//! The registry: all aggregate types of a build.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::Handler;

/// Names that no aggregate type may have, because routes use them.
pub const RESERVED_TYPES: [&str; 8] =
    ["views", "commands", "types", "topics", "events", "cursors", "socket", "admin"];

/// A definition that cannot be used; found at start.
#[derive(Debug, Error)]
#[error("{what}: {why}")]
pub struct BadDefinition {
    what: String,
    why: String,
}

impl BadDefinition {
    pub(crate) fn new(what: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self { what: what.to_string(), why: why.to_string() }
    }
}

/// All aggregate types of a build, by name.
#[derive(Clone, Default)]
pub struct Registry {
    handlers: BTreeMap<String, Arc<dyn Handler>>,
}

impl Registry {
    /// The registry of these types.
    ///
    /// # Errors
    /// A name is reserved or given twice.
    pub fn new(
        handlers: impl IntoIterator<Item = Arc<dyn Handler>>,
    ) -> Result<Self, BadDefinition> {
        let mut registry = Self::default();
        for handler in handlers {
            let name = handler.definition().name.to_string();
            if RESERVED_TYPES.contains(&name.as_str()) {
                return Err(BadDefinition::new(name, "the name is reserved"));
            }
            if registry.handlers.insert(name.clone(), handler).is_some() {
                return Err(BadDefinition::new(name, "two types have this name"));
            }
        }
        Ok(registry)
    }

    /// The type of that name.
    #[must_use]
    pub fn get(&self, aggregate_type: &str) -> Option<&Arc<dyn Handler>> {
        self.handlers.get(aggregate_type)
    }

    /// All types, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Handler>> {
        self.handlers.values()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.handlers.keys()).finish()
    }
}
