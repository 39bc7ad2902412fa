//! JSON as ordain speaks it: strict on the way in, one canonical form for each meaning, checked
//! against schemas without building a tree, and kept byte for byte.

mod canonical;
mod instance;
#[cfg(test)]
mod properties;
mod reader;
mod schema;
mod schema_hash;
mod tape;
mod text;

pub use reader::{Limits, Malformed};
pub use schema::{BadSchema, Schema, VIOLATIONS_MAX, Violation};
pub use schema_hash::{BadSchemaHash, SchemaHash};
pub use tape::{Document, Elements, Kind, Members, Node};
pub use text::Json;
