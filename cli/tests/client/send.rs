//! `ordain send` for one command: what travels, what is tried again, and every exit code.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::program::{Run, end, ordain, run, run_with, signal};
use crate::server::{Reply, Request, Server, answer, nobody, outcome, problem, success};

const DEPOSIT: [&str; 5] = ["send", "account", "a", "deposit", r#"{"amount": 5}"#];

fn deposit(server: &Server, more: &[&str]) -> Run {
    run(&server.url(), &[&DEPOSIT[..], more].concat())
}

fn keys(server: &Server) -> Vec<String> {
    server.requests().iter().map(|request| request.key().to_owned()).collect()
}

/// Answers the first requests by `script`, the rest with success.
fn first(script: fn(usize) -> Option<Reply>) -> Server {
    Server::start(move |before, request| script(before).unwrap_or_else(|| success(request)))
}

#[test]
fn a_command_travels_whole_and_its_outcome_is_printed() {
    let server = Server::start(|_, request| success(request));
    let deadline = "2031-05-04T12:00:00Z";
    let options = ["--timeout", "1500ms", "--deadline", deadline, "--if-match", "7", "--json"];
    let run = deposit(&server, &options);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.err, "");
    let [sent] = &server.requests()[..] else { panic!("one request") };
    assert_eq!(sent.line(), "POST /v1/account/a/deposit");
    assert_eq!(sent.body, r#"{"amount": 5}"#);
    assert_eq!(sent.headers["content-type"], "application/json");
    assert_eq!(sent.headers["prefer"], "wait=2");
    assert_eq!(sent.headers["ordain-deadline"], deadline);
    assert_eq!(sent.headers["if-match"], "\"7\"");
    assert_eq!(sent.key().as_bytes()[14], b'7', "{} is no UUIDv7", sent.key());
    assert_eq!(run.documents()[0]["requestId"], sent.key());
}

#[test]
fn an_outcome_is_printed_for_people() {
    let server = Server::start(|_, request| match success(request) {
        Reply::Answer(status, _, body) => {
            Reply::Answer(status, vec![("Idempotency-Replayed", "true".to_owned())], body)
        }
        other => other,
    });
    let run = deposit(&server, &["--request-id", "r1"]);
    let expected = "\
SUCCESS (replayed)  deposit account/a
  event      2 deposited {\"amount\": 5}
  sequence   2
  revision   2
  request id r1
  receipt    cmVjZWlwdA
  time       2026-01-01T00:00:00.000000001Z
";
    assert_eq!((run.code, run.out.as_str()), (0, expected));
}

#[test]
fn a_create_names_no_aggregate() {
    let server =
        Server::start(|_, request| answer(201, crate::server::document(request, "SUCCESS")));
    let run = run(&server.url(), &["send", "job-request", "create", "--create"]);
    assert_eq!(run.code, 0, "{run:?}");
    let [sent] = &server.requests()[..] else { panic!("one request") };
    assert_eq!((sent.line().as_str(), sent.body.as_str()), ("POST /v1/job-request/create", "{}"));
}

#[test]
fn the_body_comes_from_a_file_or_stdin_byte_for_byte() {
    let server = Server::start(|_, request| success(request));
    let body = "{ \"amount\" : 5.0 }\n";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), body).unwrap();
    let at_file = format!("@{}", file.path().display());
    assert_eq!(run(&server.url(), &["send", "account", "a", "deposit", &at_file]).code, 0);
    assert_eq!(run_with(&server.url(), &["send", "account", "a", "deposit", "-"], body).code, 0);
    let bodies: Vec<_> = server.requests().into_iter().map(|request| request.body).collect();
    assert_eq!(bodies, [body, body]);
}

#[test]
fn what_may_pass_is_tried_again_under_the_same_id() {
    let server = first(|before| match before {
        0 => Some(problem(504, "TIMEOUT")),
        1 => Some(problem(503, "NOT_ACCEPTED")),
        2 => Some(Reply::Close),
        _ => None,
    });
    let run = deposit(&server, &[]);
    assert_eq!(run.code, 0, "{run:?}");
    let keys = keys(&server);
    assert_eq!(keys.len(), 4);
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 1, "{keys:?}");
    for attempt in 2..=4 {
        let said = format!("ordain: attempt {attempt} of 6 in ");
        assert!(run.err.contains(&said), "{}", run.err);
    }
    assert!(run.err.contains(&format!("with the same request id {}: 504", keys[0])), "{}", run.err);
}

#[test]
fn the_server_says_when_to_come_back() {
    let server = first(|before| {
        let after = vec![("Retry-After", "1".to_owned())];
        (before == 0).then(|| Reply::Answer(503, after, "{}".to_owned()))
    });
    let begun = Instant::now();
    let run = deposit(&server, &[]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(begun.elapsed() >= Duration::from_secs(1), "came back too soon");
    assert!(run.err.contains("in 1.0s"), "{}", run.err);
}

#[test]
fn a_server_that_wants_to_be_left_alone_is() {
    let server = Server::start(|_, _| {
        Reply::Answer(503, vec![("Retry-After", "86400".to_owned())], "{}".to_owned())
    });
    assert_eq!(deposit(&server, &[]).code, 4);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn each_answer_has_its_exit_code() {
    type Script = fn(&Request) -> Reply;
    let table: [(i32, &str, Script); 19] = [
        (0, "success", success),
        (1, "fail", |r| outcome(409, "INSUFFICIENT_FUNDS", r, "FAIL")),
        (1, "expired", |r| outcome(409, "EXPIRED", r, "EXPIRED")),
        (1, "sequence", |r| outcome(412, "SEQUENCE_MISMATCH", r, "FAIL")),
        (1, "rejected", |r| outcome(422, "RULE_CRASHED", r, "REJECTED")),
        (2, "invalid", |_| problem(422, "INVALID_BODY")),
        (2, "reused", |_| problem(422, "KEY_REUSED")),
        (2, "malformed", |_| problem(400, "MALFORMED_JSON")),
        (2, "no token", |_| problem(401, "UNAUTHENTICATED")),
        (2, "forbidden", |_| problem(403, "FORBIDDEN")),
        (2, "unknown", |_| problem(404, "UNKNOWN_TYPE")),
        (2, "too large", |_| problem(413, "BODY_TOO_LARGE")),
        (3, "timeout", |_| problem(504, "TIMEOUT")),
        (3, "defect", |_| problem(500, "INTERNAL")),
        (3, "no answer", |_| Reply::Close),
        (3, "no outcome", |_| answer(200, "it works!")),
        (3, "pending", |_| answer(202, "{}")),
        (4, "busy", |_| problem(503, "NOT_ACCEPTED")),
        (4, "limited", |_| problem(429, "TOO_MANY")),
    ];
    for (code, name, script) in table {
        let server = Server::start(move |_, request| script(request));
        let run = deposit(&server, &["--retries", "0"]);
        assert_eq!(run.code, code, "{name}: {run:?}");
        assert_eq!(run.out.is_empty(), code > 1, "{name}: only outcomes are data");
        assert_eq!(server.requests().len(), 1, "{name}");
    }
}

#[test]
fn one_doubtful_attempt_makes_it_unknown() {
    for (code, first, then) in [(3, 504, problem as fn(u16, &str) -> Reply), (4, 503, problem)]
        .map(|(code, status, make)| (code, status, make))
    {
        let server = Server::start(move |before, _| match before {
            0 => then(first, "X"),
            _ => then(503, "NOT_ACCEPTED"),
        });
        let run = deposit(&server, &["--retries", "1"]);
        assert_eq!(run.code, code, "{run:?}");
    }
    let server = Server::start(|before, _| match before {
        0 => Reply::Close,
        _ => problem(422, "KEY_REUSED"),
    });
    let run = deposit(&server, &[]);
    assert_eq!((run.code, server.requests().len()), (3, 2), "{run:?}");
    assert!(run.err.contains("KEY_REUSED"), "{}", run.err);
}

#[test]
fn a_defect_of_the_server_is_not_asked_for_twice() {
    let server = Server::start(|_, _| problem(500, "INTERNAL"));
    assert_eq!(deposit(&server, &[]).code, 3);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_server_that_is_not_there_has_certainly_accepted_nothing() {
    let url = format!("http://{}", nobody());
    let run = run(&url, &[&DEPOSIT[..], &["--retries", "1", "--request-id", "r1"]].concat());
    assert_eq!(run.code, 4, "{run:?}");
    for said in ["connection refused", "attempt 2 of 2", "`ordain dev`", "--request-id r1"] {
        assert!(run.err.contains(said), "{said}: {}", run.err);
    }
}

#[test]
fn an_unknown_command_says_how_to_learn_more() {
    let server = Server::start(|_, _| problem(504, "TIMEOUT"));
    let run = deposit(&server, &["--retries", "0", "--request-id", "r1"]);
    assert!(run.err.contains("ordain outcome account a r1"), "{}", run.err);
    assert!(run.err.contains("--request-id r1"), "{}", run.err);
}

#[test]
fn errors_are_json_when_asked_for() {
    let violations = r#"{"title":"t","code":"INVALID_BODY","violations":[{"pointer":"/amount","message":"0 is less than 1"}]}"#;
    let server = Server::start(move |_, _| answer(422, violations));
    let run = deposit(&server, &["--json", "--request-id", "r1"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    let error: serde_json::Value = serde_json::from_str(&run.err).unwrap();
    assert_eq!((&error["exit"], &error["requestId"]), (&2.into(), &"r1".into()));
    assert_eq!(error["problem"]["violations"][0]["pointer"], "/amount");
    let run = deposit(&server, &[]);
    assert!(run.err.contains("  /amount: 0 is less than 1"), "{}", run.err);
}

#[test]
fn what_cannot_be_sent_never_leaves() {
    let server = Server::start(|_, request| success(request));
    for bad in [
        &["send", "account", "a", "deposit", "{amount: 5}"][..],
        &["send", "account", "a", "deposit", "@/nowhere"],
        &["send", "account", "a", "deposit", "--request-id", "a\nb"],
        &["send", "account", "a", "deposit", "--request-id", ""],
        &["send", "account", "", "deposit"],
        &["send", "account", "a"],
        &["send", "account", "a", "deposit", "--server", "ftp://localhost:1"],
    ] {
        let run = run(&server.url(), bad);
        assert_eq!(run.code, 2, "{bad:?}: {run:?}");
        assert!(!run.err.is_empty(), "{bad:?}");
    }
    assert!(server.requests().is_empty());
}

#[test]
fn proxies_of_the_environment_are_not_asked() {
    let server = Server::start(|_, request| success(request));
    let proxy = format!("http://{}", nobody());
    let mut command = ordain(&server.url(), &DEPOSIT);
    for name in ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"] {
        command.env(name, &proxy);
    }
    assert_eq!(end(command.spawn().unwrap()).code, 0);
}

#[test]
fn who_stops_waiting_is_told_the_id_and_that_it_is_unknown() {
    for name in ["INT", "TERM"] {
        let server = Server::start(|_, _| Reply::Hang);
        let child = ordain(&server.url(), &DEPOSIT).spawn().unwrap();
        server.wait_for_request();
        signal(child.id(), name);
        let run = end(child);
        assert_eq!(run.code, 3, "{run:?}");
        assert!(run.err.contains(&keys(&server)[0]), "{}", run.err);
    }
}

#[test]
fn who_stops_between_certain_attempts_is_told_that_nothing_was_accepted() {
    let server = Server::start(|_, _| {
        Reply::Answer(503, vec![("Retry-After", "100".to_owned())], "{}".to_owned())
    });
    let mut child = ordain(&server.url(), &DEPOSIT).spawn().unwrap();
    // What it says comes after the answer and before the pause.
    let mut said = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut said, &mut line).unwrap();
    assert!(line.contains("attempt 2 of 6 in 100.0s"), "{line}");
    signal(child.id(), "INT");
    assert_eq!(end(child).code, 4);
}
