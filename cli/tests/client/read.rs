//! The commands that look at things: what they ask, print and exit with.

use std::io::{BufRead, BufReader};
use std::sync::Mutex;

use crate::program::{end, ordain, run, signal};
use crate::server::{Reply, Request, Server, answer, nobody, problem};

const OUTCOME: &str = r#"{"requestId":"r","type":"account","id":"a","command":"withdraw","outcome":"FAIL","code":"INSUFFICIENT_FUNDS","revision":3,"sequence":2,"events":[],"receipt":"e","time":"2026-01-01T00:00:00.000000001Z"}"#;

fn events(from: u64, to: u64, next: bool) -> String {
    let one = |sequence| {
        format!(
            r#"{{"sequence":{sequence},"type":"deposited","data":{{}},"requestId":"r","time":"t"}}"#
        )
    };
    let events: Vec<_> = (from..=to).map(one).collect();
    let next = if next { format!(r#","next":{}"#, to + 1) } else { String::new() };
    format!(r#"{{"events":[{}]{next}}}"#, events.join(","))
}

fn sequences(text: &str) -> Vec<u64> {
    text.lines().map(sequence).collect()
}

fn sequence(line: &str) -> u64 {
    let event: serde_json::Value = serde_json::from_str(line).expect(line);
    event["sequence"].as_u64().unwrap()
}

#[test]
fn an_outcome_is_looked_up() {
    let server = Server::start(|_, _| answer(200, OUTCOME));
    let found = run(&server.url(), &["outcome", "account", "a", "r", "--wait", "7s"]);
    assert_eq!(found.code, 1);
    assert!(found.out.starts_with("FAIL INSUFFICIENT_FUNDS  withdraw account/a\n"), "{found:?}");
    assert_eq!(server.requests()[0].line(), "GET /v1/account/a/requests/r?wait=7");
    let json = run(&server.url(), &["outcome", "account", "a", "r", "--json"]);
    assert_eq!((json.code, json.out.trim()), (1, OUTCOME));
}

#[test]
fn an_outcome_that_is_not_there_has_its_exit_code() {
    let pending = r#"{"requestId":"r","state":"PENDING","behind":{"records":12,"ms":340}}"#;
    type Script = fn(&str) -> Reply;
    let table: [(i32, &str, Script); 5] = [
        (3, "12 records and 340 ms behind", |pending| answer(202, pending)),
        (4, "UNKNOWN", |_| problem(404, "UNKNOWN")),
        (2, "UNKNOWN_TYPE", |_| problem(404, "UNKNOWN_TYPE")),
        (3, "UNAVAILABLE", |_| problem(503, "UNAVAILABLE")),
        (3, "no answer", |_| Reply::Close),
    ];
    for (code, said, script) in table {
        let server = Server::start(move |_, _| script(pending));
        let run = run(&server.url(), &["outcome", "account", "a", "r"]);
        assert_eq!(run.code, code, "{run:?}");
        assert!(format!("{}{}", run.out, run.err).contains(said), "{said}: {run:?}");
    }
}

#[test]
fn a_state_is_printed_as_of_any_sequence() {
    let body = r#"{"type":"account","id":"a","revision":4,"sequence":3,"state":{"funds":5}}"#;
    let server = Server::start(move |_, _| answer(200, body));
    let plain = run(&server.url(), &["state", "account", "a", "--at", "3"]);
    let expected = "account/a  sequence 3  revision 4\n{\"funds\": 5}\n";
    assert_eq!((plain.code, plain.out.as_str()), (0, expected));
    assert_eq!(server.requests()[0].line(), "GET /v1/account/a?sequence=3");
    let json = run(&server.url(), &["state", "account", "a", "--json"]);
    assert_eq!(json.out.trim(), body);
    assert_eq!(server.requests()[1].line(), "GET /v1/account/a");
    let server = Server::start(|_, _| problem(404, "UNKNOWN_AGGREGATE"));
    let missing = run(&server.url(), &["state", "account", "a"]);
    assert_eq!((missing.code, missing.out.as_str()), (2, ""));
}

#[test]
fn events_are_printed_to_the_last_page() {
    let server = Server::start(|before, _| match before {
        0 => answer(200, events(2, 3, true)),
        1 => answer(200, events(4, 5, true)),
        _ => answer(200, events(6, 5, false)),
    });
    let run = run(&server.url(), &["events", "account", "a", "--from", "2"]);
    assert_eq!((run.code, sequences(&run.out)), (0, vec![2, 3, 4, 5]));
    let asked: Vec<_> = server.requests().iter().map(Request::line).collect();
    let expected = [2, 4, 6].map(|from| format!("GET /v1/account/a/events?from={from}"));
    assert_eq!(asked, expected);
}

#[test]
fn a_gap_in_the_events_is_never_printed_over() {
    let server = Server::start(|_, _| answer(200, events(2, 3, false)));
    let run = run(&server.url(), &["events", "account", "a"]);
    assert_eq!((run.code, run.out.as_str()), (3, ""));
    assert!(run.err.contains("left out event 1"), "{}", run.err);
}

/// Answers from an aggregate that grows by one event with every question, at most two a page, and
/// stumbles in every way on the way.
fn growing(begin: u64) -> impl Fn(usize, &Request) -> Reply + Send + Sync {
    let last = Mutex::new(begin);
    move |before, request| {
        let from: u64 = request.path.rsplit_once("from=").unwrap().1.parse().unwrap();
        let mut last = last.lock().unwrap();
        match before % 5 {
            1 => return problem(503, "UNAVAILABLE"),
            2 => return Reply::Close,
            3 => return answer(200, events(from.saturating_sub(1).max(1), from, true)),
            _ => {}
        }
        *last = (*last + 1).max(from);
        answer(200, events(from, (from + 1).min(*last), false))
    }
}

#[test]
fn following_survives_restarts_and_neither_repeats_nor_skips() {
    let server = Server::start(growing(3));
    let address = server.address;
    let arguments = ["events", "account", "a", "--follow"];
    let mut child = ordain(&server.url(), &arguments).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || sequence(&lines.next().unwrap().unwrap());
    let mut seen: Vec<_> = (0..5).map(|_| next()).collect();
    server.stop();
    let server = Server::start_at(address, growing(0));
    server.wait_for_request();
    seen.extend((0..8).map(|_| next()));
    assert_eq!(seen, (1..=13).collect::<Vec<_>>());
    signal(child.id(), "KILL");
    let run = end(child);
    assert!(run.err.contains("answers again"), "{}", run.err);
}

#[test]
fn following_waits_for_an_aggregate_that_is_not_there_yet() {
    let server = Server::start(|before, _| match before {
        0 => problem(404, "UNKNOWN_AGGREGATE"),
        1 => answer(200, events(1, 1, false)),
        _ => problem(404, "UNKNOWN_TYPE"),
    });
    let run = run(&server.url(), &["events", "account", "a", "--follow"]);
    assert_eq!((run.code, sequences(&run.out)), (2, vec![1]), "{run:?}");
}

#[test]
fn a_reader_that_has_enough_ends_it_quietly() {
    let server = Server::start(|_, request| {
        let from: u64 = request.path.rsplit_once("from=").unwrap().1.parse().unwrap();
        answer(200, events(from, from + 99, true))
    });
    let mut child = ordain(&server.url(), &["events", "account", "a"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(sequence(&lines.next().unwrap().unwrap()), 1);
    drop(lines);
    let run = end(child);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
}

#[test]
fn a_row_of_a_view_is_printed() {
    let body = r#"{"view":"cleaner-jobs","key":"ann/7","sequence":3,"row":{"status":"offered"}}"#;
    let server = Server::start(move |_, _| answer(200, body));
    let arguments = ["view", "cleaner-jobs", "ann/7", "--receipt", "e+/", "--wait", "3s"];
    let plain = run(&server.url(), &arguments);
    assert_eq!(plain.out, "ann/7  sequence 3\n{\"status\": \"offered\"}\n");
    let asked = "GET /v1/views/cleaner-jobs/ann%2F7?receipt=e%2B%2F&wait=3";
    assert_eq!(server.requests()[0].line(), asked);
    let json = run(&server.url(), &["view", "cleaner-jobs", "ann/7", "--json"]);
    assert_eq!(json.out.trim(), body);
}

#[test]
fn rows_of_a_view_are_listed_page_by_page() {
    let page = |keys: [&str; 2], next: &str| {
        let row = |key| format!(r#"{{"key":"{key}","sequence":1,"row":{{"funds":5}}}}"#);
        let rows = keys.map(row).join(",");
        answer(200, format!(r#"{{"view":"v","rows":[{rows}]{next}}}"#))
    };
    let server = Server::start(move |before, _| match before % 2 {
        0 => page(["p1", "p2"], r#","next":"p2""#),
        _ => page(["p3", "p4"], r#","next":"p4""#),
    });
    let plain = run(&server.url(), &["view", "v", "p", "--prefix", "--limit", "4"]);
    let expected = "\
KEY  SEQUENCE  ROW
p1   1         {\"funds\": 5}
p2   1         {\"funds\": 5}
p3   1         {\"funds\": 5}
p4   1         {\"funds\": 5}
";
    assert_eq!((plain.code, plain.out.as_str()), (0, expected));
    let asked: Vec<_> = server.requests().iter().map(Request::line).collect();
    let expected =
        ["GET /v1/views/v?limit=4&prefix=p", "GET /v1/views/v?limit=2&prefix=p&after=p2"];
    assert_eq!(asked, expected);
    let json = run(&server.url(), &["view", "v", "--limit", "3", "--json"]);
    assert_eq!(json.documents().len(), 3);
}

#[test]
fn a_view_that_has_not_got_so_far_is_no_answer() {
    let server = Server::start(|_, _| problem(504, "VIEW_BEHIND"));
    assert_eq!(run(&server.url(), &["view", "v", "k", "--receipt", "e"]).code, 3);
    let server = Server::start(|_, _| problem(400, "RECEIPT_IGNORED"));
    assert_eq!(run(&server.url(), &["view", "v", "k", "--receipt", "e"]).code, 2);
}

const TYPES: &str = r#"{"types":[{"type":"account","foldVersion":1,"commands":[{"command":"open","creates":true,"schema":{"type":"object"}},{"command":"deposit","creates":false,"schema":{"properties":{"amount":{},"memo":{}},"required":["amount"]}}],"events":[]},{"type":"job-request","commands":[]}]}"#;

#[test]
fn types_are_listed_with_what_their_commands_look_like() {
    let server = Server::start(|_, _| answer(200, TYPES));
    let plain = run(&server.url(), &["types", "account"]);
    let expected = "\
TYPE     COMMAND  CREATES  BODY
account  open     yes      {}
         deposit           {amount, memo?}
";
    assert_eq!((plain.code, plain.out.as_str()), (0, expected));
    assert_eq!(run(&server.url(), &["types", "--json"]).out.trim(), TYPES);
    let one = run(&server.url(), &["types", "account", "--json"]).documents();
    assert_eq!((one.len(), &one[0]["type"]), (1, &"account".into()));
    assert_eq!(run(&server.url(), &["types", "nothing"]).code, 2);
}

const LETTER: &str = r#"{"id":"requests:0:17","type":"account","aggregateId":"a","requestId":"r","command":"deposit","code":"RULE_CRASHED","why":"it crashed","time":"2026-01-01T00:00:00.000000001Z","retries":["r2"],"retryable":true}"#;

#[test]
fn dead_letters_are_listed_shown_and_sent_again() {
    let server = Server::start(|_, request| match request.line().as_str() {
        "GET /v1/admin/deadletters?limit=100" => {
            let bare = r#"{"id":"requests:0:9","code":"NO_KEY","why":"","time":"t"}"#;
            answer(200, format!(r#"{{"letters":[{bare},{LETTER}]}}"#))
        }
        "GET /v1/admin/deadletters/requests:0:17" => answer(200, LETTER),
        "POST /v1/admin/deadletters/requests:0:17/retry" => {
            let problem = format!(r#"{{"code":"INSUFFICIENT_FUNDS","result":{OUTCOME}}}"#);
            answer(409, problem)
        }
        _ => problem(404, "UNKNOWN_LETTER"),
    });
    let dead = |arguments: &[&str]| run(&server.url(), &[&["deadletters"], arguments].concat());
    let expected = "\
LETTER         TIME                 CODE          COMMAND            RETRIES
requests:0:9   t                    NO_KEY        ?                  0
requests:0:17  2026-01-01T00:00:00  RULE_CRASHED  deposit account/a  1
";
    assert_eq!(dead(&["list"]).out, expected);
    assert_eq!(dead(&["list", "--json"]).documents().len(), 2);
    assert!(dead(&["show", "requests:0:17"]).out.contains("\"why\": \"it crashed\""));
    assert_eq!(dead(&["show", "requests:0:17", "--json"]).out.trim(), LETTER);
    let again = dead(&["retry", "requests:0:17"]);
    assert_eq!(again.code, 1);
    assert!(again.out.starts_with("FAIL INSUFFICIENT_FUNDS"), "{again:?}");
    assert_eq!(dead(&["show", "requests:0:1"]).code, 2);
}

#[test]
fn a_retry_of_a_dead_letter_is_sent_once() {
    for (code, reply) in [(3, 504), (4, 503), (3, 500)] {
        let server = Server::start(move |_, _| problem(reply, "X"));
        let run = run(&server.url(), &["deadletters", "retry", "requests:0:17"]);
        assert_eq!((run.code, server.requests().len()), (code, 1), "{run:?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_said_to_be_started() {
    let url = format!("http://{}", nobody());
    for arguments in [
        &["types"][..],
        &["state", "account", "a"],
        &["events", "account", "a"],
        &["view", "accounts"],
        &["outcome", "account", "a", "r"],
        &["deadletters", "list"],
    ] {
        let run = run(&url, arguments);
        assert_eq!((run.code, run.out.as_str()), (3, ""), "{arguments:?}");
        assert!(run.err.contains("`ordain dev`"), "{arguments:?}: {}", run.err);
    }
    let run = run(&url, &["deadletters", "list"]);
    assert!(run.err.contains("--admin URL or ORDAIN_ADMIN"), "{}", run.err);
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let run = run("", &["completions", shell]);
        assert_eq!(run.code, 0);
        assert!(run.out.contains("deadletters"), "{shell}");
    }
}
