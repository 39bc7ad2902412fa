//! Reads everything back and compares it with what was answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ordain_tests::{Answered, Asked, Client, History, Server};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::Home;

/// How many aggregates are read at a time.
const READERS: usize = 16;

/// Every promise that can be read back from outside, after the last restart.
pub(crate) async fn check(server: &Server, history: &History) {
    let client = server.client();
    let answers = history.answers();
    assert!(answers.len() > 100, "there was load: {}", answers.len());
    repeat_a_tenth(&client, &answers).await;
    let aggregates: BTreeSet<String> =
        answers.keys().map(|asked| asked.aggregate().to_owned()).collect();
    let (answers, aggregates) = (Arc::new(answers), Arc::new(aggregates));
    let mut readers = JoinSet::new();
    for reader in 0..READERS {
        let (client, answers) = (client.clone(), Arc::clone(&answers));
        let aggregates = Arc::clone(&aggregates);
        readers.spawn(async move {
            let by_aggregate = by_aggregate(&answers);
            for aggregate in aggregates.iter().skip(reader).step_by(READERS) {
                check_aggregate(&client, aggregate, &by_aggregate[aggregate.as_str()]).await;
            }
        });
    }
    while let Some(reader) = readers.join_next().await {
        reader.expect("everything is as it was answered");
    }
}

/// An aggregate as it was answered and as it is read.
struct Found<'a> {
    aggregate: &'a str,
    answers: &'a [(&'a Asked, &'a Answered)],
    events: &'a [Value],
    state: &'a Value,
}

async fn check_aggregate(client: &Client, aggregate: &str, answers: &[(&Asked, &Answered)]) {
    one_line_of_revisions(aggregate, answers);
    outcomes_are_those_answered(client, aggregate, answers).await;
    let events = read_events(client, aggregate).await;
    events_are_those_answered(aggregate, answers, &events);
    let state = client.get(aggregate).await.unwrap();
    if events.is_empty() {
        assert_eq!(state.status, 404, "{aggregate}");
        return;
    }
    assert_eq!(state.at("/sequence"), events.len(), "{aggregate}");
    assert_eq!(state.at("/revision"), answers.len(), "{aggregate}: no commit but those answered");
    let state = state.json();
    let found = Found { aggregate, answers, events: &events, state: &state };
    views_equal_the_fold(client, &found).await;
    if aggregate.starts_with("/v1/account") {
        funds_are_the_sum(&state, &events);
    } else {
        one_cleaner_at_most(aggregate, &events);
    }
}

/// The log of events of a home that nobody serves any more: it holds every event that was answered
/// and no other, each aggregate's in order.
pub(crate) async fn check_final_events(home: &Home, history: &History) {
    let answers = history.answers();
    let by_aggregate = by_aggregate(&answers);
    let count = |answers: &[(&Asked, &Answered)]| -> usize {
        answers
            .iter()
            .filter_map(|(_, answer)| answer.outcome["events"].as_array())
            .map(Vec::len)
            .sum()
    };
    let counts = by_aggregate.iter().map(|(name, answers)| ((*name).to_owned(), count(answers)));
    let least: BTreeMap<String, usize> = counts.filter(|(_, count)| *count > 0).collect();
    assert!(least.len() > 20, "there was load: {} aggregates", least.len());
    let events = home.final_events(&least).await;
    assert!(events.keys().eq(least.keys()), "events of those aggregates and no others");
    for (aggregate, events) in &events {
        events_are_those_answered(aggregate, &by_aggregate[aggregate.as_str()], events);
    }
}

type ByAggregate<'a> = BTreeMap<&'a str, Vec<(&'a Asked, &'a Answered)>>;

fn by_aggregate(answers: &BTreeMap<Asked, Answered>) -> ByAggregate<'_> {
    let mut by_aggregate = ByAggregate::new();
    for (asked, answer) in answers {
        by_aggregate.entry(asked.aggregate()).or_default().push((asked, answer));
    }
    by_aggregate
}

/// A tenth of all ids, beyond every cache: the same answer.
async fn repeat_a_tenth(client: &Client, answers: &BTreeMap<Asked, Answered>) {
    for (asked, answer) in answers.iter().step_by(10) {
        let told = client.send(&asked.path, &asked.request, &asked.body).await.unwrap();
        assert_eq!(Answered::of(&told).as_ref(), Some(answer), "{asked:?}");
        assert_eq!(told.header("idempotency-replayed"), "true", "{asked:?}");
    }
}

/// Every request of the aggregate was answered, so its revisions are 1, 2, 3 … once each.
fn one_line_of_revisions(aggregate: &str, answers: &[(&Asked, &Answered)]) {
    let revisions: BTreeSet<u64> =
        answers.iter().filter_map(|(_, answer)| answer.outcome["revision"].as_u64()).collect();
    let expected: BTreeSet<u64> = (1..=answers.len() as u64).collect();
    assert_eq!(revisions, expected, "{aggregate}: revisions without gap, each once");
}

/// Looked up, each is what was answered.
async fn outcomes_are_those_answered(
    client: &Client,
    aggregate: &str,
    answers: &[(&Asked, &Answered)],
) {
    for (asked, answer) in answers {
        let path = format!("{aggregate}/requests/{}", asked.request);
        let told = client.get(&path).await.unwrap();
        assert_eq!((told.status, told.json()), (200, answer.outcome.clone()), "{path}");
    }
}

async fn read_events(client: &Client, aggregate: &str) -> Vec<Value> {
    let mut events = Vec::new();
    let mut from = 1;
    loop {
        let page = client.get(&format!("{aggregate}/events?from={from}&limit=500")).await.unwrap();
        if page.status == 404 {
            return events;
        }
        assert_eq!(page.status, 200, "{}", page.body);
        let page = page.json();
        events.extend(page["events"].as_array().expect("events").iter().cloned());
        match page["next"].as_u64() {
            Some(next) => from = next,
            None => return events,
        }
    }
}

/// Sequences 1, 2, 3 …; each event is in the answer to its request, and nothing else happened.
fn events_are_those_answered(aggregate: &str, answers: &[(&Asked, &Answered)], events: &[Value]) {
    let mut answered: BTreeMap<u64, (Value, &str)> = BTreeMap::new();
    for (asked, answer) in answers {
        for event in answer.outcome["events"].as_array().expect("events") {
            let sequence = event["sequence"].as_u64().expect("a sequence");
            let doubled = answered.insert(sequence, (event.clone(), &asked.request));
            assert!(doubled.is_none(), "{aggregate}: event {sequence} answers two requests");
        }
    }
    assert_eq!(events.len(), answered.len(), "{aggregate}: no event but those answered");
    for (index, event) in (1_u64..).zip(events) {
        let (expected, request) = answered.get(&index).expect("sequences without gap");
        assert_eq!(event["requestId"], **request, "{aggregate} {index}");
        for member in ["sequence", "type", "data", "time"] {
            assert_eq!(event[member], expected[member], "{aggregate} {index} {member}");
        }
    }
}

/// The views, asked for the newest receipt, say what the state says, or what follows from the
/// events.
async fn views_equal_the_fold(client: &Client, found: &Found<'_>) {
    let (aggregate, state) = (found.aggregate, found.state);
    let id = aggregate.rsplit('/').next().unwrap_or_default();
    let (view, members): (&str, &[&str]) = if aggregate.starts_with("/v1/account") {
        ("accounts", &["funds"])
    } else {
        ("job-requests", &["status", "acceptedCleaner"])
    };
    let row = read_row(client, found, &format!("{view}/{id}")).await;
    assert_eq!(row["sequence"], state["sequence"], "{aggregate}: {row}");
    for member in members {
        let (viewed, stated) = (row["row"].get(*member), state["state"].get(*member));
        assert_eq!(viewed, stated, "{aggregate}: {member} in {row}");
    }
    if view == "job-requests" {
        // Every job of the load is offered to her.
        let row = read_row(client, found, &format!("cleaner-jobs/ann/{id}")).await;
        let is_hers = |event: &&Value| {
            let is_answer = event["type"] == "accepted" || event["type"] == "declined";
            is_answer && event["data"]["cleanerId"] == "ann"
        };
        let answer = found.events.iter().rfind(is_hers).map(|event| &event["type"]);
        let offered = Value::from("offered");
        assert_eq!(&row["row"]["status"], answer.unwrap_or(&offered), "{aggregate}: {row}");
    }
}

async fn read_row(client: &Client, found: &Found<'_>, path: &str) -> Value {
    let newest = found
        .answers
        .iter()
        .max_by_key(|(_, answer)| answer.outcome["sequence"].as_u64())
        .and_then(|(_, answer)| answer.outcome["receipt"].as_str())
        .expect("a receipt");
    client.caught_up(&format!("/v1/views/{path}?receipt={newest}&wait=20")).await.json()
}

fn funds_are_the_sum(state: &Value, events: &[Value]) {
    let funds = events.iter().fold(0_i64, |funds, event| {
        let amount = event["data"]["amount"].as_i64().unwrap_or(0);
        match event["type"].as_str() {
            Some("deposited") => funds + amount,
            Some("withdrawn") => funds - amount,
            _ => funds,
        }
    });
    assert_eq!(state["state"]["funds"], funds);
}

fn one_cleaner_at_most(aggregate: &str, events: &[Value]) {
    let accepted = events.iter().filter(|event| event["type"] == "accepted").count();
    assert!(accepted <= 1, "{aggregate} was accepted {accepted} times");
}
