//! `ordain bench`, as people type it.

use std::path::Path;
use std::process::Command;

use ordain_tests::{Server, ServerOptions, broken_binary};
use serde_json::Value;

use crate::Home;

const WORKLOADS: [&str; 6] =
    ["deposit-uniform", "deposit-zipf", "hot-key", "retries", "async", "batch"];

/// What it prints to stdout, and its exit code.
fn bench(server: &Server, arguments: &[&str]) -> (String, Option<i32>) {
    let mut command = Command::new(broken_binary());
    command.args(["bench", "--duration", "500ms", "--warm-up", "100ms", "--connections", "4"]);
    command.args(["--accounts", "50", "--name", "bench", "--batch", "10"]).args(arguments);
    let output = command.env("ORDAIN_SERVER", &server.address).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (text + &String::from_utf8(output.stderr).unwrap(), output.status.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_workload_is_measured_and_found_right() {
    let home = Home::new();
    let server = home.serve(&ServerOptions::default()).await;
    let mut held = 0;
    for workload in WORKLOADS {
        let (text, code) = bench(&server, &["--json", "--workload", workload]);
        assert_eq!(code, Some(0), "{workload}: {text}");
        let report: Value = serde_json::from_str(&text).unwrap();
        let deposited = report["checked"]["deposited"].as_u64().unwrap();
        assert!(deposited > 0 && report["perSecond"].as_f64() > Some(0.0), "{text}");
        assert!(report["latencyMs"]["p9999"].as_f64() > Some(0.0), "{text}");
        held += deposited;
    }
    // All used the same accounts.
    let mut funds = 0;
    for account in 0..50 {
        let account = server.client().get(&format!("/v1/account/bench-{account}")).await.unwrap();
        funds += account.at("/state/funds").as_u64().unwrap();
    }
    assert_eq!(funds, held);
    server.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_loop_is_drawn_and_told_in_words() {
    let home = Home::new();
    let server = home.serve(&ServerOptions::default()).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("latency.svg");
    let svg = file.to_str().unwrap();
    let (text, code) = bench(&server, &["--rate", "50", "--svg", svg]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("open loop, 50 requests/s, 4 connections, 0.5 s"), "{text}");
    for words in ["commands/s  ", "latency ms  p50", "every account holds", "views       level"] {
        assert!(text.contains(words), "no {words} in {text}");
    }
    let drawn = std::fs::read_to_string(Path::new(svg)).unwrap();
    assert!(drawn.starts_with("<svg") && drawn.contains("<polyline"), "{drawn}");
    server.terminate().await;
}
