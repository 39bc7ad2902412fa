//! The description, held against the rules of OpenAPI 3.1 and against the routes.

use std::collections::{BTreeSet, HashSet};

use axum::body::Body;
use http::Request;
use jsonschema::PatternOptions;
use serde_json::{Value, json};

use super::{document, rebase};
use crate::staged::{Stage, ask};
use crate::{admin, public};

fn description() -> Value {
    let registry = ordain_domain::registry().unwrap();
    serde_json::from_slice(&document(&registry, "1.2.3")).unwrap()
}

/// All operations: path, method, operation.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let mut all = Vec::new();
    for (path, item) in paths {
        for method in ["get", "post"] {
            if let Some(operation) = item.get(method) {
                all.push((path.as_str(), method, operation));
            }
        }
    }
    all
}

/// What a value is, or refers to.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(target) => document.pointer(target.strip_prefix('#').unwrap()).expect(target),
        None => value,
    }
}

/// Everything in the document, however deep, with the pointer to it.
fn walk<'a>(value: &'a Value, pointer: &str, found: &mut Vec<(String, &'a Value)>) {
    found.push((pointer.to_owned(), value));
    let mut go_on = |name: &str, value: &'a Value| {
        let name = name.replace('~', "~0").replace('/', "~1");
        walk(value, &format!("{pointer}/{name}"), found);
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| go_on(name, value)),
        Value::Array(elements) => {
            elements.iter().enumerate().for_each(|(at, value)| go_on(&at.to_string(), value));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_document_has_what_every_description_must_have() {
    let document = description();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], "1.2.3");
    assert!(document["info"]["title"].is_string());
    let known = ["openapi", "info", "servers", "tags", "paths", "components"];
    assert!(document.as_object().unwrap().keys().all(|name| known.contains(&name.as_str())));
    for (kind, components) in document["components"].as_object().unwrap() {
        assert!(["schemas", "parameters", "headers", "responses"].contains(&kind.as_str()));
        for name in components.as_object().unwrap().keys() {
            let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            assert!(name.chars().all(is_allowed), "{name}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = description();
    let mut all = Vec::new();
    walk(&document, "", &mut all);
    let references = all.iter().filter(|(pointer, _)| pointer.ends_with("/$ref"));
    let mut count = 0;
    for (pointer, target) in references {
        let target = target.as_str().unwrap();
        assert!(document.pointer(&target[1..]).is_some(), "{pointer}: {target}");
        count += 1;
    }
    assert!(count > 100, "{count}");
}

#[test]
fn every_operation_is_whole() {
    let document = description();
    let tags: HashSet<_> =
        document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    let mut ids = HashSet::new();
    for (path, method, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id), "{id} twice");
        assert!(operation["tags"].as_array().unwrap().iter().all(|tag| tags.contains(tag)));
        assert!(operation["summary"].is_string(), "{id}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{id}");
        for (status, response) in responses {
            assert!(status.parse::<u16>().is_ok_and(|status| (200..600).contains(&status)));
            assert!(resolved(&document, response)["description"].is_string(), "{id} {status}");
        }
        assert_eq!(
            operation.get("requestBody").is_some(),
            method == "post" && !path.ends_with("/retry")
        );
        let none = Vec::new();
        let parameters = operation.get("parameters").map_or(&none, |all| all.as_array().unwrap());
        let mut in_path = BTreeSet::new();
        for parameter in parameters {
            let parameter = resolved(&document, parameter);
            assert!(parameter["schema"].is_object() && parameter["name"].is_string(), "{id}");
            match parameter["in"].as_str().unwrap() {
                "path" => {
                    assert_eq!(parameter["required"], true, "{id}");
                    in_path.insert(parameter["name"].as_str().unwrap());
                }
                place => assert!(["query", "header"].contains(&place), "{id}"),
            }
        }
        let parts = path.split('/');
        let templated = parts.filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        assert_eq!(in_path, templated.collect(), "{path}");
    }
}

#[test]
fn no_two_paths_are_the_same_template() {
    let document = description();
    let shape = |path: &str| -> Vec<String> {
        let blank = |part: &str| if part.starts_with('{') { "{}" } else { part }.to_owned();
        path.split('/').map(blank).collect()
    };
    let paths = document["paths"].as_object().unwrap();
    let shapes: HashSet<_> = paths.keys().map(|path| shape(path)).collect();
    assert_eq!(shapes.len(), paths.len());
}

/// Compiles a schema of the document, whose references then lead into the document.
fn compiled(document: &Value, schema: &Value) -> jsonschema::Validator {
    let root = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "allOf": [schema],
        "components": document["components"],
    });
    let options = jsonschema::options().with_pattern_options(PatternOptions::regex());
    options.build(&root).unwrap_or_else(|bad| panic!("{schema}: {bad}"))
}

#[test]
fn every_schema_compiles_and_fulfils_the_meta_schema() {
    let document = description();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(jsonschema::meta::is_valid(schema), "{name}");
        compiled(&document, schema);
    }
}

#[test]
fn every_example_is_one() {
    let document = description();
    let mut all = Vec::new();
    walk(&document, "", &mut all);
    let mut count = 0;
    for (pointer, content) in &all {
        let (Some(schema), Some(example)) = (content.get("schema"), content.get("example")) else {
            continue;
        };
        let validator = compiled(&document, schema);
        let errors: Vec<_> = validator.iter_errors(example).map(|bad| bad.to_string()).collect();
        assert!(errors.is_empty(), "{pointer}: {errors:?}");
        count += 1;
    }
    assert!(count > 10, "{count}");
}

#[test]
fn every_command_is_described_by_the_schema_that_it_is_checked_against() {
    let document = description();
    let registry = ordain_domain::registry().unwrap();
    for handler in registry.iter() {
        let definition = handler.definition();
        for command in &definition.commands {
            let name = format!("{}.{}", definition.name, command.name);
            let mut schema: Value = serde_json::from_str(command.schema.text()).unwrap();
            schema.as_object_mut().unwrap().remove("$schema");
            rebase(&mut schema, &name);
            assert_eq!(document["components"]["schemas"][&name], schema);
            let path = format!("/v1/{}/{{id}}/{}", definition.name, command.name);
            let body = &document["paths"][&path]["post"]["requestBody"]["content"];
            let reference = format!("#/components/schemas/{name}");
            assert_eq!(body["application/json"]["schema"]["$ref"], reference);
            let without_id = format!("/v1/{}/{}", definition.name, command.name);
            assert_eq!(document["paths"].get(&without_id).is_some(), command.creates);
        }
    }
}

#[test]
fn references_within_a_schema_lead_into_its_component() {
    let mut schema = json!({"$defs": {"a": true}, "items": [{"$ref": "#/$defs/a"}, {"$ref": "#"}]});
    rebase(&mut schema, "x.y");
    assert_eq!(schema["items"][0]["$ref"], "#/components/schemas/x.y/$defs/a");
    assert_eq!(schema["items"][1]["$ref"], "#/components/schemas/x.y");
}

#[tokio::test]
async fn whatever_is_described_is_routed() {
    let stage = Stage::set().await;
    let document: Value = stage.get("/openapi.json").await.json();
    for (path, method, operation) in operations(&document) {
        let is_for_operators = operation["tags"][0] == "operators";
        let routes = if is_for_operators { admin(&stage.api) } else { public(&stage.api) };
        let target = path.replace("{type}", "account").replace(['{', '}'], "");
        let method = method.to_ascii_uppercase();
        let request = Request::builder().method(method.as_str()).uri(&target);
        let read = ask(routes, request.body(Body::empty()).unwrap()).await;
        let is_nowhere = read.status == 405 || read.text().contains("UNKNOWN_ROUTE");
        let is_kind = path == "/problems/{kind}";
        assert!(is_kind || !is_nowhere, "{method} {target}: {read:?}");
    }
    assert_eq!(stage.get("/problems/key-reused").await.json()["status"], 422);
}

#[tokio::test]
async fn types_are_told_with_their_schemas() {
    let stage = Stage::set().await;
    let read = stage.get("/v1/types").await.json();
    let names: Vec<_> =
        read["types"].as_array().unwrap().iter().map(|known| &known["type"]).collect();
    assert_eq!(names, ["account", "job-request"]);
    let open = &read["types"][0]["commands"][0];
    assert_eq!((&open["command"], &open["creates"]), (&json!("open"), &json!(true)));
    assert!(open["schema"]["$schema"].is_string());
    assert_eq!(open["schemaHash"].as_str().unwrap().len(), 32);
}
