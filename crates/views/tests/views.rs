//! The views as pure folds, told as examples, and held against the aggregates that they follow.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use ordain_domain::registry;
use ordain_model::{AggregateKey, Event, Json, Timestamp};
use ordain_ports::Published;
use ordain_views::{Accounts, CleanerJobs, JobRequests, View, views};
use proptest::prelude::*;

fn json(text: &str) -> Json {
    Json::try_from(text.to_owned()).unwrap()
}

/// The events, numbered and a nanosecond apart.
fn events(type_: &str, id: &str, events: &[(&str, &str)]) -> Vec<Published> {
    let aggregate = AggregateKey::new("default", type_, id).unwrap();
    let event = |(index, (name, data)): (usize, &(&str, &str))| Published {
        aggregate: aggregate.clone(),
        request: format!("r{index}").parse().unwrap(),
        event: Event {
            sequence: index as u64 + 1,
            name: name.parse().unwrap(),
            version: 1,
            data: json(data),
            time: Timestamp::from_nanoseconds(index as i64 + 1),
        },
        trace: None,
    };
    events.iter().enumerate().map(event).collect()
}

fn fold(view: &dyn View, events: &[Published]) -> BTreeMap<String, String> {
    let mut rows: BTreeMap<String, Json> = BTreeMap::new();
    for event in events {
        for change in view.changes(event).unwrap() {
            match change.apply(rows.get(change.key())).unwrap() {
                Some(row) => rows.insert(change.key().to_owned(), row),
                None => rows.remove(change.key()),
            };
        }
    }
    rows.into_iter().map(|(key, row)| (key, String::from(row))).collect()
}

fn rows<const N: usize>(rows: [(&str, &str); N]) -> BTreeMap<String, String> {
    rows.into_iter().map(|(key, row)| (key.to_owned(), row.to_owned())).collect()
}

#[test]
fn an_account_says_its_funds_and_when_something_happened() {
    let events = events(
        "account",
        "a",
        &[("opened", "{}"), ("deposited", r#"{"amount":7}"#), ("withdrawn", r#"{"amount":3}"#)],
    );
    let row = concat!(
        r#"{"funds":4,"timestamps":["1970-01-01T00:00:00.000000001Z","#,
        r#""1970-01-01T00:00:00.000000002Z","1970-01-01T00:00:00.000000003Z"]}"#
    );
    assert_eq!(fold(&Accounts, &events), rows([("a", row)]));
}

#[test]
fn an_account_remembers_its_last_hundred_times_and_no_more() {
    let mut happened = vec![("opened", "{}")];
    happened.extend(std::iter::repeat_n(("deposited", r#"{"amount":2}"#), 150));
    let folded = fold(&Accounts, &events("account", "a", &happened));
    let row: serde_json::Value = serde_json::from_str(&folded["a"]).unwrap();
    assert_eq!(row["funds"], 300);
    let timestamps = row["timestamps"].as_array().unwrap();
    assert_eq!(timestamps.len(), 100);
    assert_eq!(timestamps[0], "1970-01-01T00:00:00.000000052Z");
    assert_eq!(timestamps[99], "1970-01-01T00:00:00.000000151Z");
}

const JOB: &[(&str, &str)] = &[
    (
        "created",
        r#"{"cleaners":["zoe","ann","bob"],"tasks":[{"id":"t","name":"Mop","done":false}]}"#,
    ),
    ("declined", r#"{"cleanerId":"bob"}"#),
    ("accepted", r#"{"cleanerId":"zoe"}"#),
    ("started", r#"{"cleanerId":"zoe"}"#),
    ("task-finished", r#"{"taskId":"t","cleanerId":"zoe"}"#),
    ("declined", r#"{"cleanerId":"ann"}"#),
    ("finished", r#"{"cleanerId":"zoe"}"#),
];

#[test]
fn every_cleaner_has_a_row_a_job_with_the_own_part_in_it() {
    let events = events("job-request", "7", JOB);
    let status = |happened: usize| {
        let folded = fold(&CleanerJobs, &events[..happened]);
        let of = |cleaner: &str| {
            let row: serde_json::Value =
                serde_json::from_str(&folded[&format!("{cleaner}/7")]).unwrap();
            assert_eq!((&row["cleaner"], &row["job"]), (&cleaner.into(), &"7".into()));
            row["status"].as_str().unwrap().to_owned()
        };
        assert_eq!(folded.len(), 3);
        [of("ann"), of("bob"), of("zoe")]
    };
    assert_eq!(status(1), ["offered", "offered", "offered"]);
    assert_eq!(status(2), ["offered", "declined", "offered"]);
    assert_eq!(status(3), ["offered", "declined", "accepted"]);
    assert_eq!(status(5), ["offered", "declined", "accepted"]);
    assert_eq!(status(6), ["declined", "declined", "accepted"]);
    assert_eq!(status(7), ["declined", "declined", "finished"]);
}

#[test]
fn a_job_says_all_of_it_with_answers_in_the_order_given() {
    let row = concat!(
        r#"{"status":"finished","cleaners":["zoe","ann","bob"],"#,
        r#""tasks":[{"id":"t","name":"Mop","done":true}],"#,
        r#""answers":{"bob":"declined","zoe":"accepted","ann":"declined"},"#,
        r#""acceptedCleaner":"zoe"}"#
    );
    assert_eq!(fold(&JobRequests, &events("job-request", "7", JOB)), rows([("7", row)]));
}

#[test]
fn a_job_that_all_decline_is_declined() {
    let events = events(
        "job-request",
        "8",
        &[
            ("created", r#"{"cleaners":["ann"],"tasks":[]}"#),
            ("declined", r#"{"cleanerId":"ann"}"#),
            ("all-declined", "{}"),
        ],
    );
    let row = r#"{"status":"declined","cleaners":["ann"],"tasks":[],"answers":{"ann":"declined"}}"#;
    assert_eq!(fold(&JobRequests, &events), rows([("8", row)]));
}

/// A new event of an aggregate must not be forgotten in a view that follows it.
#[test]
fn every_event_of_a_followed_type_is_known_in_its_version() {
    for view in views() {
        for type_ in view.follows() {
            for known in &registry().unwrap().get(type_).unwrap().definition().events {
                let schema: serde_json::Value = serde_json::from_str(known.schema.text()).unwrap();
                for example in schema["examples"].as_array().unwrap() {
                    let data = example.to_string();
                    let mut event = events(type_, "a", &[(known.name.as_str(), &data)]).remove(0);
                    event.event.version = known.version;
                    view.changes(&event).unwrap();
                }
            }
        }
    }
}

#[test]
fn an_event_that_is_not_known_in_its_version_is_an_error() {
    for view in views() {
        for type_ in view.follows() {
            let mut unknown = events(type_, "a", &[("exploded", "{}")]).remove(0);
            assert!(view.changes(&unknown).is_err(), "{}", view.name());
            unknown.event.name = "opened".parse().unwrap();
            unknown.event.version = 2;
            assert!(view.changes(&unknown).is_err(), "{}", view.name());
            let known = if *type_ == "account" { "deposited" } else { "accepted" };
            let unreadable = events(type_, "a", &[(known, r#"{"other":1}"#)]).remove(0);
            assert!(view.changes(&unreadable).is_err(), "{}", view.name());
        }
    }
}

fn job_commands() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let who = prop::sample::select(vec!["ann", "bob", "cem"]);
    let command = prop_oneof![
        who.clone().prop_map(|who| ("accept", format!(r#"{{"cleanerId":"{who}"}}"#))),
        who.prop_map(|who| ("decline", format!(r#"{{"cleanerId":"{who}"}}"#))),
        Just(("start", "{}".to_owned())),
        Just(("finish-task", r#"{"taskId":"t"}"#.to_owned())),
        Just(("finish", "{}".to_owned())),
    ];
    prop::collection::vec(command, 0..20)
}

proptest! {
    /// Two folds of the same events, written apart: what the rules go by, and what readers see.
    #[test]
    fn a_job_row_is_the_state_of_its_aggregate(commands in job_commands()) {
        let registry = registry().unwrap();
        let job = registry.get("job-request").unwrap();
        let mut state = job.initial();
        let mut happened: Vec<(String, String)> = Vec::new();
        let create = r#"{"cleaners":["cem","ann"],"tasks":[{"id":"t","name":"Mop"}]}"#;
        for (name, body) in std::iter::once(("create", create.to_owned())).chain(commands) {
            let decision = job.decide(&state, name, &json(&body)).unwrap();
            let ordain_model::Decision::Accepted(new) = decision else { continue };
            for event in new {
                let (name, data) = (event.name.to_string(), event.data.to_string());
                let published = events("job-request", "7", &[(name.as_str(), data.as_str())]);
                job.apply(&mut state, &published[0].event).unwrap();
                happened.push((name, data));
            }
        }
        let happened: Vec<_> =
            happened.iter().map(|(name, data)| (name.as_str(), data.as_str())).collect();
        let folded = fold(&JobRequests, &events("job-request", "7", &happened));
        let saved = String::from(job.save(&state).unwrap());
        prop_assert_eq!(&folded["7"], &saved);
    }
}
