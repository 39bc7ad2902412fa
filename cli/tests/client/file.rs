//! `ordain send --file`: order, ids, results, and what a run comes to.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Barrier, Mutex};

use crate::program::{Run, end, ordain, run, run_with, signal};
use crate::server::{Reply, Request, Server, answer, nobody, outcome, problem, success};

fn line(id: &str, amount: usize) -> String {
    format!(r#"{{"type":"account","id":"{id}","command":"deposit","data":{{"amount":{amount}}}}}"#)
}

fn send(server: &Server, lines: &[String], more: &[&str]) -> Run {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("commands.ndjson");
    std::fs::write(&path, lines.join("\n")).unwrap();
    send_path(&server.url(), &path, more)
}

fn send_path(url: &str, path: &Path, more: &[&str]) -> Run {
    run(url, &[&["send", "--file", path.to_str().unwrap()], more].concat())
}

fn amount(request: &Request) -> usize {
    let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    usize::try_from(body["amount"].as_u64().unwrap()).unwrap()
}

fn amounts(server: &Server, id: &str) -> Vec<usize> {
    let path = format!("/v1/account/{id}/deposit");
    server.requests().iter().filter(|request| request.path == path).map(amount).collect()
}

#[test]
fn commands_of_one_aggregate_go_in_file_order_one_at_a_time() {
    static UNDER_WAY: Mutex<Option<HashSet<String>>> = Mutex::new(None);
    let server = Server::start(|before, request| {
        let path = request.path.clone();
        let alone = UNDER_WAY.lock().unwrap().get_or_insert_default().insert(path.clone());
        // Later ones are answered sooner, so that a second one under way would be seen.
        std::thread::sleep(std::time::Duration::from_millis(5 - before as u64 % 5));
        UNDER_WAY.lock().unwrap().get_or_insert_default().remove(&path);
        if alone { success(request) } else { problem(400, "TWO_AT_ONCE") }
    });
    let lines: Vec<_> = (0..200).map(|at| line(["a", "b", "c"][at % 3], at)).collect();
    let run = send(&server, &lines, &[]);
    assert_eq!(run.code, 0, "{run:?}");
    for (at, id) in ["a", "b", "c"].into_iter().enumerate() {
        let expected: Vec<_> = (0..200).filter(|amount| amount % 3 == at).collect();
        assert_eq!(amounts(&server, id), expected);
    }
    assert!(run.out.starts_with("200 commands in "), "{}", run.out);
}

#[test]
fn as_many_are_under_way_as_allowed_over_connections_that_stay() {
    let all = Barrier::new(4);
    let server = Server::start(move |_, request| {
        all.wait();
        success(request)
    });
    let lines: Vec<_> = (0..40).map(|at| line(&format!("a{at}"), at)).collect();
    let run = send(&server, &lines, &["--in-flight", "4"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(server.connections(), 4);
}

#[test]
fn running_a_file_twice_repeats_its_request_ids() {
    let server = Server::start(|_, request| success(request));
    let mut lines: Vec<_> = (0..20).map(|at| line("a", at % 3)).collect();
    lines.push(
        r#"{"requestId":"mine","type":"account","id":"a","command":"open","data":{}}"#.into(),
    );
    for _ in 0..2 {
        assert_eq!(send(&server, &lines, &[]).code, 0);
    }
    let keys: Vec<_> = server.requests().iter().map(|request| request.key().to_owned()).collect();
    assert_eq!(keys[..21], keys[21..]);
    assert_eq!(keys[..21].iter().collect::<HashSet<_>>().len(), 21);
    assert_eq!(keys[20], "mine");
    // The same lines from stdin are the same batch under the same name only.
    let text = lines.join("\n");
    let arguments = ["send", "--file", "-", "--batch"];
    let batch = |name| run_with(&server.url(), &[&arguments[..], &[name]].concat(), &text).code;
    assert_eq!((batch("commands.ndjson"), batch("other")), (0, 0));
    let more: Vec<_> =
        server.requests()[42..].iter().map(|request| request.key().to_owned()).collect();
    assert_eq!(more[..21], keys[..21]);
    assert_eq!(more[21..].iter().filter(|key| keys.contains(key)).count(), 1);
}

#[test]
fn an_unknown_command_is_retried_before_the_next_of_its_aggregate() {
    let server = Server::start(|_, request| {
        static SEEN: Mutex<Option<HashMap<String, usize>>> = Mutex::new(None);
        let mut seen = SEEN.lock().unwrap();
        let times = seen.get_or_insert_default().entry(request.key().to_owned()).or_default();
        *times += 1;
        match (amount(request), *times) {
            (2, 1) => problem(504, "TIMEOUT"),
            (2, 2) => Reply::Close,
            (2, 3) => problem(503, "NOT_ACCEPTED"),
            _ => success(request),
        }
    });
    let lines: Vec<_> = (1..=4).map(|amount| line("a", amount)).collect();
    let run = send(&server, &lines, &[]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(amounts(&server, "a"), [1, 2, 2, 2, 2, 3, 4]);
    assert!(run.err.contains("line 2 is tried again with the same request id"), "{}", run.err);
}

#[test]
fn nothing_follows_a_command_that_stays_unknown_and_others_go_on() {
    let server = Server::start(|_, request| match amount(request) {
        2 => problem(504, "TIMEOUT"),
        _ => success(request),
    });
    let lines = [line("a", 1), line("a", 2), line("a", 3), line("b", 4), line("b", 5)];
    let run = send(&server, &lines, &["--retries", "1", "--json"]);
    assert_eq!(run.code, 3, "{run:?}");
    assert_eq!(amounts(&server, "a"), [1, 2, 2]);
    assert_eq!(amounts(&server, "b"), [4, 5]);
    let mut exits: Vec<_> =
        run.documents().iter().map(|one| (one["line"].as_u64(), one["exit"].as_u64())).collect();
    exits.sort_unstable();
    let expected = [(1, 0), (2, 3), (3, 4), (4, 0), (5, 0)];
    assert_eq!(exits, expected.map(|(line, exit)| (Some(line), Some(exit))));
}

const VIOLATIONS: &str = r#"{"title":"t","code":"INVALID_BODY","violations":[{"pointer":"/amount","message":"too small"}]}"#;

#[test]
fn every_command_has_a_line_of_json_with_its_result() {
    let server = Server::start(|_, request| match amount(request) {
        1 => success(request),
        2 => outcome(409, "INSUFFICIENT_FUNDS", request, "FAIL"),
        _ => answer(422, VIOLATIONS),
    });
    let lines = [line("a", 1), String::new(), line("b", 2), "nonsense".to_owned(), line("c", 3)];
    let run = send(&server, &lines, &["--json"]);
    assert_eq!(run.code, 2, "{run:?}");
    let mut documents = run.documents();
    documents.sort_by_key(|one| one["line"].as_u64());
    let field = |name: &str| -> Vec<_> { documents.iter().map(|one| one[name].clone()).collect() };
    assert_eq!(field("index"), [0, 1, 2, 3]);
    assert_eq!(field("line"), [1, 3, 4, 5]);
    assert_eq!(field("exit"), [0, 1, 2, 2]);
    assert_eq!(documents[0]["result"]["outcome"], "SUCCESS");
    assert_eq!(documents[1]["result"]["outcome"], "FAIL");
    assert!(documents[2]["error"].as_str().unwrap().contains("a line is {"));
    assert_eq!(documents[3]["problem"]["code"], "INVALID_BODY");
    assert!(documents[3]["error"].as_str().unwrap().ends_with("/amount: too small"));
    assert!(run.err.contains("4 commands in "), "the summary is no data: {}", run.err);
}

#[test]
fn a_bad_line_is_named_and_the_rest_goes_on() {
    let server = Server::start(|_, request| success(request));
    let run = send(&server, &[line("a", 1), "nonsense".to_owned(), line("a", 2)], &[]);
    assert_eq!(run.code, 2, "{run:?}");
    assert_eq!(amounts(&server, "a"), [1, 2]);
    assert!(run.err.contains("ordain: line 2: "), "{}", run.err);
}

#[test]
fn the_worst_of_all_commands_is_the_exit_code() {
    type Script = fn(&Request) -> Reply;
    let by_code: [Script; 5] = [
        success,
        |request| outcome(409, "X", request, "FAIL"),
        |_| problem(404, "UNKNOWN_TYPE"),
        |_| problem(504, "TIMEOUT"),
        |_| problem(503, "NOT_ACCEPTED"),
    ];
    for (codes, expected) in
        [(&[0, 0][..], 0), (&[0, 1], 1), (&[1, 2, 0], 2), (&[2, 4, 1], 4), (&[4, 3, 0], 3)]
    {
        let server = Server::start(move |_, request| by_code[amount(request)](request));
        let lines: Vec<_> =
            codes.iter().enumerate().map(|(at, code)| line(&format!("a{at}"), *code)).collect();
        let run = send(&server, &lines, &["--retries", "0"]);
        assert_eq!(run.code, expected, "{codes:?}: {run:?}");
    }
}

#[test]
fn a_server_that_is_gone_is_not_asked_for_every_line() {
    let url = format!("http://{}", nobody());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("commands.ndjson");
    let lines: Vec<_> = (0..5000).map(|at| line(&format!("a{at}"), at)).collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    let run = send_path(&url, &path, &["--retries", "0", "--in-flight", "2", "--json"]);
    assert_eq!(run.code, 4, "{run:?}");
    assert!(run.documents().len() < 20, "{}", run.out);
    assert!(run.err.contains("8 commands in a row without an outcome"), "{}", run.err);
}

#[test]
fn an_interrupted_run_leaves_what_was_under_way_unknown() {
    let server = Server::start(|before, request| match before {
        0 => success(request),
        _ => Reply::Hang,
    });
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("commands.ndjson");
    let lines: Vec<_> = (0..100).map(|at| line("a", at)).collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    let arguments = ["send", "--file", path.to_str().unwrap(), "--json"];
    let child = ordain(&server.url(), &arguments).spawn().unwrap();
    server.wait_for_request();
    server.wait_for_request();
    signal(child.id(), "INT");
    let run = end(child);
    assert_eq!(run.code, 3, "{run:?}");
    let exits: Vec<_> = run.documents().iter().map(|one| one["exit"].clone()).collect();
    assert_eq!(exits, [0, 3], "{}", run.out);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_create_without_an_id_waits_for_nobody() {
    let both = Barrier::new(2);
    let server = Server::start(move |_, request| {
        both.wait();
        answer(201, crate::server::document(request, "SUCCESS"))
    });
    let create = r#"{"type":"job-request","command":"create","data":{}}"#.to_owned();
    let run = send(&server, &[create.clone(), create], &[]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(server.requests()[0].path, "/v1/job-request/create");
}

#[test]
fn a_file_that_is_not_there_is_wrong_use() {
    let run = run("http://127.0.0.1:1", &["send", "--file", "/nowhere"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("/nowhere cannot be read"), "{}", run.err);
}
