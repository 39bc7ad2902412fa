//! `GET /openapi.json`: the description of the API, OpenAPI 3.1. What is the same for all types
//! stands in `openapi/base.json`; every command is added with the schema that it is checked
//! against.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use ordain_model::{CommandType, Registry};
use serde_json::{Map, Value, json};

use crate::query::{Nothing, Query};
use crate::routes::json as answer;
use crate::writer::ObjectWriter;
use crate::{Api, Problem, ProblemKind};

const BASE: &str = include_str!("openapi/base.json");

/// `GET /openapi.json`
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Response, Problem> {
    Ok(answer(api.description.clone()))
}

/// `GET /problems/{kind}`: what the type of a problem means.
pub(crate) async fn problem(Path(kind): Path<String>) -> Result<Response, Problem> {
    let kind = ProblemKind::ALL.into_iter().find(|known| known.slug() == kind);
    let kind = kind.ok_or_else(Problem::unknown_route)?;
    let document = ObjectWriter::new()
        .text("type", &format!("/problems/{}", kind.slug()))
        .text("title", kind.title())
        .number("status", u64::from(kind.status().as_u16()));
    Ok(answer(document.finish()))
}

/// The document; the same as long as the process lives.
pub(crate) fn document(registry: &Registry, version: &str) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "the text is part of the program, and a test reads it")]
    let mut document: Value = serde_json::from_str(BASE).expect("the description is json");
    document["info"]["version"] = version.into();
    for handler in registry.iter() {
        let definition = handler.definition();
        for command in &definition.commands {
            add(&mut document, definition.name.as_str(), command);
        }
    }
    document.to_string().into_bytes()
}

fn add(document: &mut Value, aggregate_type: &str, command: &CommandType) {
    let name = format!("{aggregate_type}.{}", command.name);
    let schema = embedded(command.schema.text(), &name);
    let to_one = operation(&name, &schema, command.creates, true);
    let paths = &mut document["paths"];
    paths[format!("/v1/{aggregate_type}/{{id}}/{}", command.name)] = json!({ "post": to_one });
    if command.creates {
        let create = operation(&name, &schema, true, false);
        paths[format!("/v1/{aggregate_type}/{}", command.name)] = json!({ "post": create });
    }
    document["components"]["schemas"][name] = schema;
}

fn operation(name: &str, schema: &Value, creates: bool, has_id: bool) -> Value {
    let reference = |kind: &str, name: &str| json!({"$ref": format!("#/components/{kind}/{name}")});
    let mut parameters =
        vec!["IdempotencyKey", "Prefer", "OrdainDeadline", "IfMatch", "TraceParent"];
    if has_id {
        parameters.insert(0, "Id");
    }
    let success = if creates { ("201", "Created") } else { ("200", "Success") };
    let responses: Map<String, Value> = [
        success,
        ("202", "Accepted"),
        ("400", "BadRequest"),
        ("404", "NotFound"),
        ("405", "MethodNotAllowed"),
        ("408", "SlowBody"),
        ("409", "Refused"),
        ("412", "SequenceMismatch"),
        ("413", "TooLarge"),
        ("415", "UnsupportedMediaType"),
        ("422", "Unprocessable"),
        ("429", "TooMany"),
        ("431", "HeadersTooLarge"),
        ("500", "Internal"),
        ("503", "NotAccepted"),
        ("504", "TimedOut"),
    ]
    .into_iter()
    .map(|(status, name)| (status.to_owned(), reference("responses", name)))
    .collect();
    let mut content = json!({ "schema": reference("schemas", name) });
    if let Some(example) = schema.pointer("/examples/0") {
        content["example"] = example.clone();
    }
    let without_id = if has_id { "" } else { ".without-id" };
    let parameters: Vec<Value> =
        parameters.iter().map(|name| reference("parameters", name)).collect();
    json!({
        "operationId": format!("{name}{without_id}"),
        "tags": ["commands"],
        "summary": schema.get("title").cloned().unwrap_or_else(|| name.into()),
        "description": schema.get("description").cloned().unwrap_or_else(|| "".into()),
        "parameters": parameters,
        "requestBody": { "required": true, "content": { "application/json": content } },
        "responses": responses,
    })
}

/// A schema as a component of the document: its references begin at the component now, and it
/// bears no name of its own.
fn embedded(schema: &str, component: &str) -> Value {
    let mut schema: Value = serde_json::from_str(schema).unwrap_or(Value::Bool(true));
    if let Some(members) = schema.as_object_mut() {
        members.remove("$schema");
        members.remove("$id");
    }
    rebase(&mut schema, component);
    schema
}

fn rebase(value: &mut Value, component: &str) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(target) if name == "$ref" && target.starts_with('#') => {
                        target.replace_range(..1, &format!("#/components/schemas/{component}"));
                    }
                    _ => rebase(member, component),
                }
            }
        }
        Value::Array(elements) => {
            elements.iter_mut().for_each(|element| rebase(element, component));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests;
