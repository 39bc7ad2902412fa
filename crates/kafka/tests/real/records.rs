//! What stands in the topics is what other programs read as CloudEvents 1.0.

use std::collections::BTreeMap;

use ordain_model::{Code, Command};
use ordain_ports::contract::samples::{Line, ODD_JSON, aggregate, request, time};
use ordain_ports::{DeadLetter, LetterId, Position};
use rdkafka::message::{Message as _, OwnedMessage};

use crate::fresh::{append, connected, headers, messages, numbered, settings};

fn expected(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_is_a_cloud_event() {
    let settings = settings();
    let kafka = connected(&settings, 3).await;
    let command = numbered("A-1", 7);
    let position = append(&kafka, command.clone()).await;
    let found = &messages(&settings, "requests", 1)[0];
    assert_eq!(found.partition(), i32::try_from(position.partition).expect("small"));
    assert_eq!(found.key(), Some(&b"default/account/A-1"[..]));
    assert_eq!(found.payload(), Some(ODD_JSON.as_bytes()), "the bare data");
    let fingerprint = command.fingerprint.to_string();
    let nonce = u64::MAX.to_string();
    assert_eq!(
        headers(found),
        expected(&[
            ("ce_specversion", "1.0"),
            ("ce_id", "account/A-1/r7"),
            ("ce_source", "/ordain/default"),
            ("ce_type", "account.deposit"),
            ("ce_subject", "account/A-1"),
            ("ce_time", "2026-05-03T03:09:37.000000003Z"),
            ("ce_requestid", "r7"),
            ("ce_fingerprint", &fingerprint),
            ("ce_schemahash", "00000000000000000000000000000007"),
            ("ce_expectedsequence", "4294967296"),
            ("ce_deadline", "2026-05-03T03:09:37.000000002Z"),
            ("ce_replyto", "api-7/ü"),
            ("ce_nonce", &nonce),
            ("content-type", "application/json"),
            ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000007-01"),
        ])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_a_cloud_event_and_the_same_when_published_again() {
    let settings = settings();
    let kafka = connected(&settings, 1).await;
    let commit = Line::of("A-1").success_of(&request("~x"), 1);
    for _ in 0..2 {
        kafka.event_log().publish(std::slice::from_ref(&commit)).await.expect("publishes");
    }
    for found in messages(&settings, "finalevents", 2) {
        assert_eq!(found.key(), Some(&b"default/account/A-1"[..]));
        assert_eq!(found.payload(), Some(commit.events[0].data.as_str().as_bytes()));
        assert_eq!(
            headers(&found),
            expected(&[
                ("ce_specversion", "1.0"),
                ("ce_id", "account/A-1/1"),
                ("ce_source", "/ordain/default"),
                ("ce_type", "account.deposited"),
                ("ce_subject", "account/A-1"),
                ("ce_time", "2026-05-03T03:09:37.000001002Z"),
                ("ce_sequence", "1"),
                ("ce_requestid", "~x"),
                ("ce_eventversion", "3"),
                ("content-type", "application/json"),
                ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000001-01"),
            ])
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_belongs_to_no_trace_has_no_header_of_one() {
    let settings = settings();
    let kafka = connected(&settings, 1).await;
    append(&kafka, Command { trace: None, ..numbered("A-1", 1) }).await;
    let (mut line, publishes) = (Line::of("A-1"), kafka.event_log());
    // Of the samples the second of a line belongs to none.
    let commits = [line.success(1), line.success(1)];
    publishes.publish(&commits).await.expect("publishes");
    let has_trace = |found: &OwnedMessage| headers(found).contains_key("traceparent");
    assert!(!has_trace(&messages(&settings, "requests", 1)[0]));
    let events: Vec<bool> = messages(&settings, "finalevents", 2).iter().map(has_trace).collect();
    assert_eq!(events, [true, false]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_stands_under_its_id() {
    let settings = settings();
    let kafka = connected(&settings, 1).await;
    let letter = DeadLetter {
        id: LetterId::new("requests", Position { partition: 3, offset: 17 }),
        named: Some((aggregate("a"), request("r1"))),
        command: Some("deposit".to_owned()),
        code: Code::new("RULE_CRASHED"),
        why: "ü".repeat(4_000),
        data: vec![0xff, 0, b'{'],
        time: time(0),
        retries: Vec::new(),
    };
    let nameless = DeadLetter {
        id: LetterId::new("requests", Position { partition: 3, offset: 18 }),
        named: None,
        command: None,
        ..letter.clone()
    };
    let topic = kafka.dead_letter_topic().expect("a producer");
    topic.put(&[letter.clone(), nameless]).await.expect("puts");
    let found = messages(&settings, "deadletters", 2);
    assert_eq!(found[0].key(), Some(&b"requests:3:17"[..]));
    assert_eq!(found[0].payload(), Some(&letter.data[..]));
    let of_first = headers(&found[0]);
    assert_eq!(of_first["ce_requestid"], "r1");
    assert_eq!(of_first["ce_subject"], "account/a");
    assert_eq!(of_first["ce_code"], "RULE_CRASHED");
    assert_eq!(of_first["ce_why"], "ü".repeat(1_024), "cut between characters");
    assert_eq!(found[1].key(), Some(&b"requests:3:18"[..]));
    assert!(!headers(&found[1]).contains_key("ce_subject"));
}
