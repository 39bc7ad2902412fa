//! Every type of the registry against its schemas: they are closed and bounded, their examples
//! hold, and what they cannot say is refused by decoding.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use ordain_domain::registry;
use ordain_model::{Document, Event, Handler, Json, Limits, Schema, Timestamp};
use serde_json::Value;

fn json(value: &Value) -> Json {
    Json::try_from(value.to_string()).unwrap()
}

fn valid(schema: &Schema, data: &Json) -> bool {
    Document::parse(data.as_str().as_bytes(), &Limits::default())
        .is_ok_and(|document| schema.is_valid(&document))
}

fn examples(schema: &Schema) -> Vec<Json> {
    let schema: Value = serde_json::from_str(schema.text()).unwrap();
    let examples = schema["examples"].as_array().unwrap();
    assert!(!examples.is_empty());
    examples.iter().map(json).collect()
}

fn event(name: &str, version: u32, data: Json) -> Event {
    Event { sequence: 1, name: name.parse().unwrap(), version, data, time: Timestamp::default() }
}

fn job_request() -> std::sync::Arc<dyn Handler> {
    std::sync::Arc::clone(registry().unwrap().get("job-request").unwrap())
}

#[test]
fn the_registry_knows_both_types() {
    let registry = registry().unwrap();
    let names: Vec<_> = registry.iter().map(|type_| type_.definition().name.to_string()).collect();
    assert_eq!(names, ["account", "job-request"]);
    for (type_, creates) in [("account", "open"), ("job-request", "create")] {
        for command in &registry.get(type_).unwrap().definition().commands {
            assert_eq!(command.creates, command.name.as_str() == creates, "{}", command.name);
        }
    }
}

#[test]
fn every_example_of_a_command_is_valid_and_decodes() {
    for handler in registry().unwrap().iter() {
        for command in &handler.definition().commands {
            for example in examples(&command.schema) {
                assert!(valid(&command.schema, &example), "{} {example}", command.name);
                handler.check(command.name.as_str(), &example).unwrap();
            }
        }
    }
}

#[test]
fn every_example_of_an_event_is_valid_and_folds() {
    for handler in registry().unwrap().iter() {
        for known in &handler.definition().events {
            for example in examples(&known.schema) {
                assert!(valid(&known.schema, &example), "{} {example}", known.name);
                let event = event(known.name.as_str(), known.version, example);
                handler.apply(&mut handler.initial(), &event).unwrap();
            }
        }
    }
}

#[test]
fn every_schema_is_closed_bounded_and_explained() {
    for handler in registry().unwrap().iter() {
        let definition = handler.definition();
        let commands = definition.commands.iter().map(|command| (&command.name, &command.schema));
        let events = definition.events.iter().map(|event| (&event.name, &event.schema));
        for (name, schema) in commands.chain(events) {
            let schema: Value = serde_json::from_str(schema.text()).unwrap();
            assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
            for member in ["title", "description"] {
                assert!(schema[member].is_string(), "{name} has no {member}");
            }
            check_closed_and_bounded(name.as_str(), &schema);
        }
    }
}

fn check_closed_and_bounded(name: &str, schema: &Value) {
    let bounds: &[&str] = match schema["type"].as_str().unwrap() {
        "object" => &["additionalProperties"],
        "array" => &["maxItems", "items"],
        "string" => &["maxLength", "pattern"],
        "integer" => &["minimum", "maximum"],
        "boolean" => &[],
        other => panic!("{name}: {other}"),
    };
    for bound in bounds {
        assert!(!schema[bound].is_null(), "{name}: no {bound} in {schema}");
    }
    if let Some(properties) = schema["properties"].as_object() {
        assert_eq!(schema["additionalProperties"], false, "{name}");
        properties.values().for_each(|property| check_closed_and_bounded(name, property));
    }
    if schema["items"].is_object() {
        check_closed_and_bounded(name, &schema["items"]);
    }
}

#[test]
fn the_largest_job_stays_small() {
    let longest = "x".repeat(128);
    let id = |number: usize| format!("{number:03}{}", &longest[3..]);
    let name = "\u{1F9F9}".repeat(120);
    let cleaners: Vec<_> = (0..256).map(id).collect();
    let tasks: Vec<_> =
        (0..256).map(|n| serde_json::json!({"id": id(n), "name": name, "done": false})).collect();
    let body = json(&serde_json::json!({"cleaners": cleaners, "tasks": tasks}));
    let handler = job_request();
    assert!(valid(&handler.definition().command("create").unwrap().schema, &body));
    assert!(body.as_str().len() < 200 * 1024, "{} bytes", body.as_str().len());
}

#[test]
fn what_the_schema_cannot_say_is_refused_by_decoding() {
    let handler = job_request();
    let schema = &handler.definition().command("create").unwrap().schema;
    let floor = serde_json::json!({"id": "floor", "name": "Mop"});
    let wax = serde_json::json!({"id": "floor", "name": "Wax"});
    let twice = json(&serde_json::json!({"cleaners": [], "tasks": [floor, wax]}));
    assert!(valid(schema, &twice));
    let refused = handler.check("create", &twice).unwrap_err();
    assert!(refused.why.contains("two tasks have the id floor"), "{refused}");
    let twice = json(&serde_json::json!({"cleaners": ["ann", "ann"], "tasks": []}));
    assert!(!valid(schema, &twice));
    assert!(handler.check("create", &twice).is_err());
}

#[test]
fn an_amount_is_written_as_an_integer() {
    let registry = registry().unwrap();
    let account = registry.get("account").unwrap();
    let schema = &account.definition().command("deposit").unwrap().schema;
    for amount in ["1.0", "1e2"] {
        let body = Json::try_from(format!(r#"{{"amount":{amount}}}"#)).unwrap();
        // For a schema these are integers; for the command's own type they are not.
        assert!(valid(schema, &body), "{amount}");
        assert!(account.check("deposit", &body).is_err(), "{amount}");
    }
    assert!(
        account.check("deposit", &Json::try_from(r#"{"amount":0}"#.to_owned()).unwrap()).is_err()
    );
}

#[test]
fn bodies_outside_the_schemas_are_refused() {
    let registry = registry().unwrap();
    let long = "x".repeat(129);
    let refused = [
        ("account", "deposit", serde_json::json!({"amount": 0})),
        ("account", "deposit", serde_json::json!({"amount": -1})),
        ("account", "deposit", serde_json::json!({"amount": 1.5})),
        ("account", "deposit", serde_json::json!({"amount": "1"})),
        ("account", "deposit", serde_json::json!({"amount": 9_223_372_036_854_775_808_u64})),
        ("account", "deposit", serde_json::json!({})),
        ("account", "open", serde_json::json!({"funds": 5})),
        ("account", "open", serde_json::json!([])),
        ("job-request", "accept", serde_json::json!({"cleanerId": ""})),
        ("job-request", "accept", serde_json::json!({"cleanerId": "a/b"})),
        ("job-request", "accept", serde_json::json!({"cleanerId": "a\n"})),
        ("job-request", "accept", serde_json::json!({"cleanerId": long})),
        ("job-request", "start", serde_json::json!({"cleanerId": null})),
        ("job-request", "create", serde_json::json!({"cleaners": []})),
        (
            "job-request",
            "create",
            serde_json::json!({"cleaners": [], "tasks": [{"id": "a", "name": "a\u{0}b"}]}),
        ),
    ];
    for (type_, command, body) in refused {
        let schema = &registry.get(type_).unwrap().definition().command(command).unwrap().schema;
        assert!(!valid(schema, &json(&body)), "{type_} {command} {body}");
    }
}
