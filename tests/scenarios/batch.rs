//! Many commands on one connection: each is answered as if it had come alone, and a batch that is
//! sent again changes nothing.

use std::collections::BTreeMap;

use ordain_tests::ServerOptions;
use serde_json::{Value, json};

use crate::Home;

const ACCOUNTS: usize = 20;
const DEPOSITS: usize = 10;

fn line(request: &str, id: &str, command: &str, data: &Value) -> String {
    let line = json!({
        "requestId": request, "type": "account", "id": id, "command": command, "data": data,
    });
    format!("{line}\n")
}

/// Opens every account, pays into each several times, and takes too much out.
fn batch() -> String {
    let mut lines = String::new();
    for account in 0..ACCOUNTS {
        let id = format!("b{account}");
        lines += &line("open", &id, "open", &json!({}));
        for deposit in 0..DEPOSITS {
            lines += &line(&format!("d{deposit}"), &id, "deposit", &json!({"amount": 1}));
        }
        lines += &line("w", &id, "withdraw", &json!({"amount": 1_000}));
    }
    lines
}

/// The outcomes by account and request.
fn outcomes(body: &str) -> BTreeMap<(String, String), Value> {
    let mut outcomes = BTreeMap::new();
    for line in body.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let outcome = line.pointer("/problem/result").or_else(|| line.pointer("/result"));
        let outcome = outcome.unwrap_or_else(|| panic!("no outcome: {line}")).clone();
        let text = |member: &str| outcome[member].as_str().unwrap().to_owned();
        outcomes.insert((text("id"), text("requestId")), outcome.clone());
    }
    outcomes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_sent_again_changes_nothing() {
    let home = Home::new();
    let server = home.serve(&ServerOptions::default()).await;
    let client = server.client();
    let first = client.send_lines("/v1/commands", batch()).await.unwrap();
    assert_eq!(first.status, 200, "{}", first.body);
    let told = outcomes(&first.body);
    assert_eq!(told.len(), ACCOUNTS * (DEPOSITS + 2), "one outcome each");
    for ((id, request), outcome) in &told {
        let expected = if request == "w" { "FAIL" } else { "SUCCESS" };
        assert_eq!(outcome["outcome"], expected, "{id} {request}: {outcome}");
    }
    let again = client.send_lines("/v1/commands", batch()).await.unwrap();
    assert_eq!(outcomes(&again.body), told, "the same answers");
    for account in 0..ACCOUNTS {
        let state = client.get(&format!("/v1/account/b{account}")).await.unwrap();
        assert_eq!(state.at("/state/funds"), DEPOSITS, "{}", state.body);
        assert_eq!(state.at("/revision"), DEPOSITS + 2);
    }
    server.terminate().await;
}
