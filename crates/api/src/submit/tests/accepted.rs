//! Accepted implies storable and decodable.

use std::num::{NonZeroU64, NonZeroU128};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use ordain_model::{
    Command, Handler, Registry, ReplyAddress, Timestamp, TraceContext, Unprocessable,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::submit::check::{check, record_bytes};
use crate::{Request, SubmitLimits};

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| ordain_domain::registry().unwrap());

/// Values, good and bad, of which bodies are made.
fn value() -> impl Strategy<Value = String> {
    let odd = [
        "0",
        "1",
        "-1",
        "1.0",
        "1e2",
        "1e400",
        "-0",
        "0.5",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        "9007199254740993",
        "\"a\"",
        "\"\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\ud83d\\ude00\"",
        "null",
        "true",
        "{}",
        "[]",
        "\"x~a\"",
        "{\"id\":\"t\",\"name\":\"n\"}",
        "[{\"id\":\"t\",\"name\":\"n\",\"done\":true}]",
        "[\"a\",\"b\"]",
        "[\"a\",\"a\"]",
    ];
    prop_oneof![
        8 => select(odd.to_vec()).prop_map(str::to_owned),
        4 => any::<i64>().prop_map(|number| number.to_string()),
        2 => any::<f64>().prop_filter("finite", |number| number.is_finite())
            .prop_map(|number| format!("{number:e}")),
        3 => "[\\PC]{0,12}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        1 => vec("[a-c]{1,2}", 0..4).prop_map(|texts| serde_json::to_string(&texts).unwrap()),
    ]
}

/// Bodies near those that the example types take.
fn body() -> impl Strategy<Value = String> {
    let name = select(
        ["amount", "cleaners", "tasks", "cleanerId", "taskId", "extra", "amoun\\u0074", "a\\u0000"]
            .to_vec(),
    );
    let member = (name, value()).prop_map(|(name, value)| format!("\"{name}\":{value}"));
    let object = vec(member, 0..3).prop_map(|members| format!("{{{}}}", members.join(",")));
    prop_oneof![12 => object, 1 => value(), 1 => "[\\PC]{0,12}"]
}

fn command_names() -> Vec<(String, String)> {
    let of_type = |handler: &Arc<dyn Handler>| {
        let definition = handler.definition();
        let names = definition.commands.iter();
        names
            .map(|command| (definition.name.to_string(), command.name.to_string()))
            .collect::<Vec<_>>()
    };
    REGISTRY.iter().flat_map(of_type).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_accepted_can_be_stored_and_decided(
        (kind, command) in select(command_names()),
        body in body(),
    ) {
        let handler = REGISTRY.get(&kind).unwrap();
        let request = Request {
            aggregate: format!("default/{kind}/a").parse().unwrap(),
            request: "r".parse().unwrap(),
            command: command.parse().unwrap(),
            body: Bytes::from(body),
            expected_sequence: Some(u64::MAX),
            deadline: Some(Timestamp::from_nanoseconds(i64::MAX)),
            may_be_repeat: true,
            trace: Some(TraceContext::new(NonZeroU128::MAX, NonZeroU64::MAX, true)),
        };
        if let Ok(checked) = check(handler.as_ref(), &SubmitLimits::default(), &request) {
            let to = ReplyAddress { channel: "c".repeat(64).into(), nonce: u64::MAX };
            let time = Timestamp::from_nanoseconds(i64::MIN);
            let accepted = checked.into_command(&request, to, time);
            let stored = postcard::to_allocvec(&(accepted.trace, &accepted)).unwrap();
            prop_assert!(stored.len() <= record_bytes(&request));
            let (trace, read): (_, Command) = postcard::from_bytes(&stored).unwrap();
            let read = Command { trace, ..read };
            prop_assert_eq!(&read, &accepted);
            let decided = handler.decide(&handler.initial(), &command, &read.data);
            prop_assert!(!matches!(decided, Err(Unprocessable { .. })), "{:?}", decided);
        }
    }
}

/// The property above says nothing if nothing is ever accepted.
#[test]
fn bodies_near_valid_ones_are_accepted_often_enough() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let strategy = (select(command_names()), body());
    let accepted = (0..4_000).filter(|_| {
        let ((kind, command), body) = strategy.new_tree(&mut runner).unwrap().current();
        let request = Request {
            aggregate: format!("default/{kind}/a").parse().unwrap(),
            command: command.parse().unwrap(),
            body: Bytes::from(body),
            ..crate::scripted::deposit("r", 1)
        };
        let handler = REGISTRY.get(&kind).unwrap();
        check(handler.as_ref(), &SubmitLimits::default(), &request).is_ok()
    });
    let accepted = accepted.count();
    assert!(accepted > 100, "only {accepted} of 4,000");
}
