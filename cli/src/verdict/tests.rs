//! What each answer of the table of statuses says about a command.

use http::HeaderMap;

use super::*;

const DOCUMENT: &str = r#"{"requestId":"r","type":"account","id":"a","command":"deposit","outcome":"OUTCOME","code":"X","revision":1,"sequence":0,"events":[],"receipt":"e","time":"2026-01-01T00:00:00.000000000Z"}"#;

fn of(status: u16, body: &str) -> Verdict {
    Verdict::of(&Ok(Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: body.to_owned(),
    }))
}

fn problem(code: &str, outcome: Option<&str>) -> String {
    let result = outcome.map_or_else(String::new, |outcome| {
        format!(r#","result":{}"#, DOCUMENT.replace("OUTCOME", outcome))
    });
    format!(r#"{{"type":"/problems/x","title":"t","status":1,"code":"{code}"{result}}}"#)
}

fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Stored(stored) if stored.exit() == crate::exit::Exit::Success => "success",
        Verdict::Stored(_) => "outcome",
        Verdict::Refused(_) => "refused",
        Verdict::NotAccepted(why) if why.again => "not accepted, again",
        Verdict::NotAccepted(_) => "not accepted",
        Verdict::Unknown(why) if why.again => "unknown, again",
        Verdict::Unknown(_) => "unknown",
    }
}

#[test]
fn every_status_means_one_thing() {
    let success = DOCUMENT.replace("OUTCOME", "SUCCESS");
    for (status, body, expected) in [
        (200, success.clone(), "success"),
        (201, success, "success"),
        (409, problem("INSUFFICIENT_FUNDS", Some("FAIL")), "outcome"),
        (409, problem("EXPIRED", Some("EXPIRED")), "outcome"),
        (412, problem("SEQUENCE_MISMATCH", Some("FAIL")), "outcome"),
        (422, problem("RULE_CRASHED", Some("REJECTED")), "outcome"),
        (422, problem("KEY_REUSED", None), "refused"),
        (422, problem("KEY_REUSED", Some("SUCCESS")), "refused"),
        (422, problem("INVALID_BODY", None), "refused"),
        (400, problem("BAD_ID", None), "refused"),
        (401, String::new(), "refused"),
        (403, String::new(), "refused"),
        (404, problem("UNKNOWN_TYPE", None), "refused"),
        (405, String::new(), "refused"),
        (413, String::new(), "refused"),
        (415, String::new(), "refused"),
        (431, String::new(), "refused"),
        (307, String::new(), "refused"),
        (408, problem("SLOW_BODY", None), "not accepted, again"),
        (429, String::new(), "not accepted, again"),
        (503, problem("NOT_ACCEPTED", None), "not accepted, again"),
        (504, problem("TIMEOUT", None), "unknown, again"),
        (502, "<html>".to_owned(), "unknown, again"),
        (202, String::new(), "unknown, again"),
        (500, problem("INTERNAL", None), "unknown"),
        (501, String::new(), "unknown"),
    ] {
        assert_eq!(name(&of(status, &body)), expected, "{status} {body}");
    }
}

#[test]
fn an_answer_that_is_no_outcome_is_not_believed() {
    for (status, body) in [
        (200, "it works!"),
        (200, "{}"),
        (201, ""),
        (409, r#"{"code":"X"}"#),
        (409, r#"{"code":"X","result":{}}"#),
        (412, "<html>"),
    ] {
        assert_eq!(name(&of(status, body)), "unknown", "{status} {body}");
    }
}

#[test]
fn only_a_connection_that_never_was_is_certain() {
    let end = |broken| name(&Verdict::of(&Err(broken)));
    assert_eq!(end(Broken::NotReached("refused".to_owned())), "not accepted, again");
    assert_eq!(end(Broken::NoAnswer("reset".to_owned())), "unknown, again");
}
