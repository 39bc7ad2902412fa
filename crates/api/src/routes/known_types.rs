//! `GET /v1/types`: the aggregate types of this build, with the schemas of their commands and
//! events.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use ordain_model::{CommandType, EventType, Handler, Registry};

use crate::query::{Nothing, Query};
use crate::routes::json;
use crate::writer::ObjectWriter;
use crate::{Api, Problem};

/// `GET /v1/types`
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Response, Problem> {
    Ok(json(api.types.clone()))
}

/// The document; the same as long as the process lives.
pub(crate) fn document(registry: &Registry) -> Vec<u8> {
    let types = registry.iter().map(|handler| one(handler.as_ref()));
    ObjectWriter::new().array("types", types).finish()
}

fn one(handler: &dyn Handler) -> Vec<u8> {
    let definition = handler.definition();
    ObjectWriter::new()
        .plain("type", &definition.name)
        .number("foldVersion", u64::from(definition.fold_version))
        .array("commands", definition.commands.iter().map(command))
        .array("events", definition.events.iter().map(event))
        .finish()
}

fn command(command: &CommandType) -> Vec<u8> {
    ObjectWriter::new()
        .plain("command", &command.name)
        .json("creates", if command.creates { b"true" } else { b"false" })
        .plain("schemaHash", command.schema.hash())
        .json("schema", command.schema.text().as_bytes())
        .finish()
}

fn event(event: &EventType) -> Vec<u8> {
    ObjectWriter::new()
        .plain("event", &event.name)
        .number("version", u64::from(event.version))
        .plain("schemaHash", event.schema.hash())
        .json("schema", event.schema.text().as_bytes())
        .finish()
}
