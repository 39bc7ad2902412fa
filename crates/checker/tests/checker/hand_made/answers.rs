//! Of answers that must not be, of states that were read, and of records that were planted.

use ordain_checker::evidence::{Item, Letter, Planted, Request, Topic, Unreadable};
use ordain_checker::history::{Line, ReadBroken, StateRead, Way};
use ordain_checker::{Demands, Outcome, Place};

use super::{Spoil, deposit, fault, letter, open, paid, withdraw};
use crate::run::{Nonce, Run, account};

const PLACE: Place = Place { partition: 0, offset: 900 };

fn last_state_read(run: &mut Run) -> &mut StateRead {
    match run.lines.last_mut() {
        Some(Line::StateRead(read)) => read,
        other => panic!("no read of a state: {other:?}"),
    }
}

/// A read of a state that said that there is no such aggregate.
fn finds_nothing(run: &mut Run, called: u64) {
    run.clock += 10;
    let (aggregate, state) = ("default/account/a".to_owned(), "null".to_owned());
    let (at, session, revision, sequence) = (run.clock, 1, 0, 0);
    let read = StateRead { called, at, session, aggregate, revision, sequence, state };
    run.lines.push(Line::StateRead(read));
}

/// A deposit that was rejected for crashing, so many times.
fn crashed(count: u32) -> Run {
    let mut run = Run::default();
    for number in 0..count {
        let operation = deposit(&format!("in-{number}"));
        let call = run.does(&operation);
        run.items.push(letter(&operation, "RULE_CRASHED"));
        let code = Some("RULE_CRASHED".to_owned());
        let commit = run.commit(&operation.request);
        (commit.outcome, commit.code) = (Outcome::Rejected, code.clone());
        let told = run.answer(call).told.as_mut().unwrap();
        (told.outcome, told.code) = (Outcome::Rejected, code);
    }
    run
}

/// A record that cannot be read, and its dead letter.
fn unreadable(run: &mut Run, topic: Topic) {
    run.items.push(match topic {
        Topic::Requests => Item::Request(Request { place: PLACE, command: None }),
        _ => Item::Unreadable(Unreadable { topic, place: PLACE }),
    });
    let (topic, code) = (topic.name().to_owned(), "UNREADABLE".to_owned());
    run.items.push(Item::Letter(Letter { topic, place: PLACE, named: None, code }));
}

fn planted(run: &mut Run, topic: Topic) {
    run.items.push(Item::Planted(Planted { topic, place: PLACE }));
}

super::anomalies! {
    a_defect_that_was_answered: ["defect"], || {
        let mut run = paid();
        let call = run.calls(&deposit("second"));
        run.ends(call, 500);
        run
    }, || {
        let mut run = paid();
        for status in [503, 504, 202, 429] {
            let call = run.calls(&deposit("second"));
            run.ends(call, status);
        }
        let record = run.appends(&deposit("second"));
        run.decides(&record);
        run
    };

    a_success_without_a_document: ["defect"], || {
        let mut run = paid();
        let call = run.calls(&deposit("in"));
        run.ends(call, 200);
        run
    }, || {
        let mut run = paid();
        let call = run.call(1, Way::LookUp, &deposit("in"));
        run.is_told(call, &deposit("in"), 2);
        run
    };

    a_refusal_without_a_document: ["defect"], || {
        // An API that answers EXPIRED by itself has no document of it.
        let mut run = paid();
        let call = run.calls(&deposit("second"));
        run.ends(call, 409);
        run
    }, || {
        let mut run = Run::default();
        run.does(&deposit("refused"));
        run
    };

    a_look_up_that_timed_out: ["defect"], || {
        let mut run = paid();
        let call = run.call(1, Way::LookUp, &deposit("in"));
        run.ends(call, 504);
        run
    }, || {
        let mut run = paid();
        let call = run.call(1, Way::LookUp, &deposit("in"));
        run.ends(call, 503);
        run
    };

    a_read_that_was_answered_with_a_defect: ["defect"], || {
        let mut run = paid();
        let (path, status) = ("/v1/account/a".to_owned(), 500);
        run.lines.push(Line::ReadBroken(ReadBroken { at: 90, session: 1, path, status }));
        run
    }, || {
        let mut run = paid();
        run.reads("default/account/a");
        run
    };

    unknown_said_after_202: ["unknown-after"], || {
        let mut run = paid();
        let call = run.calls(&deposit("second"));
        run.ends(call, 202);
        let asks = run.call(1, Way::LookUp, &deposit("second"));
        run.ends(asks, 404);
        let record = run.appends(&deposit("second"));
        run.decides(&record);
        run
    }, || {
        // Asked before that was told.
        let mut run = paid();
        let call = run.calls(&deposit("second"));
        let asks = run.call(1, Way::LookUp, &deposit("second"));
        run.ends(call, 202);
        run.ends(asks, 404);
        let record = run.appends(&deposit("second"));
        run.decides(&record);
        run
    };

    unknown_said_after_the_outcome: ["falsely-unknown", "unknown-after"], || {
        let mut run = paid();
        let asks = run.call(1, Way::LookUp, &deposit("in"));
        run.ends(asks, 404);
        run
    }, || {
        // Of another command.
        let mut run = paid();
        let asks = run.call(1, Way::LookUp, &deposit("other"));
        run.ends(asks, 404);
        run
    };

    unknown_said_after_key_reused: ["unknown-after"], || {
        let mut run = paid();
        let record = run.appends(&account("a", "one", "deposit", 1));
        run.decides(&record);
        let call = run.calls(&account("a", "one", "deposit", 2));
        run.answers(call, Some(422), (None, Some("KEY_REUSED")));
        let asks = run.call(1, Way::LookUp, &account("a", "one", "deposit", 1));
        run.ends(asks, 404);
        run
    }, || {
        let mut run = paid();
        let record = run.appends(&account("a", "one", "deposit", 1));
        let asks = run.call(1, Way::LookUp, &account("a", "one", "deposit", 1));
        run.ends(asks, 404);
        run.decides(&record);
        let call = run.calls(&account("a", "one", "deposit", 2));
        run.answers(call, Some(422), (None, Some("KEY_REUSED")));
        run
    };

    reused_of_what_was_never_decided: ["reused-without-commit"], || {
        let mut run = paid();
        let call = run.calls(&deposit("second"));
        run.answers(call, Some(422), (None, Some("KEY_REUSED")));
        run
    }, || {
        // A body that breaks its schema is refused with the same status.
        let mut run = paid();
        let call = run.calls(&deposit("second"));
        run.answers(call, Some(422), (None, Some("INVALID_BODY")));
        run
    };

    the_only_sending_marked_as_a_repeat: ["falsely-marked-as-repeat"], || {
        let mut run = paid();
        run.answer(2).told.as_mut().unwrap().replayed = true;
        run
    }, || {
        // The first sending came into the log, and its answer was lost.
        let mut run = paid();
        let call = run.calls(&deposit("second"));
        run.ends(call, 504);
        run.does(&deposit("second"));
        run.answer(4).told.as_mut().unwrap().replayed = true;
        run
    };

    a_batch_that_is_no_mark_of_a_repeat: ["not-marked-as-repeat"], || {
        let mut run = paid();
        let call = run.call(1, Way::Batch, &deposit("in"));
        run.is_told(call, &deposit("in"), 9);
        run.answer(call).told.as_mut().unwrap().replayed = false;
        let again = run.call(1, Way::Send, &deposit("in"));
        run.is_told(again, &deposit("in"), 9);
        run.answer(again).told.as_mut().unwrap().replayed = false;
        run
    }, || {
        let mut run = paid();
        let call = run.call(1, Way::Batch, &deposit("in"));
        run.is_told(call, &deposit("in"), 9);
        run.answer(call).told.as_mut().unwrap().replayed = false;
        run
    };

    the_only_one_that_was_not_refused_marked_as_a_repeat: ["falsely-marked-as-repeat"], || {
        let mut run = paid();
        let call = run.calls(&deposit("second"));
        run.ends(call, 503);
        run.does(&deposit("second"));
        run.answer(4).told.as_mut().unwrap().replayed = true;
        run
    }, || {
        let mut run = paid();
        let call = run.calls(&deposit("second"));
        run.ends(call, 503);
        run.does(&deposit("second"));
        run
    };

    a_state_that_goes_back: ["state-behind"], || {
        let mut run = paid();
        run.reads("default/account/a");
        let old = last_state_read(&mut run).clone();
        run.does(&deposit("third"));
        run.reads("default/account/a");
        let read = last_state_read(&mut run);
        *read = StateRead { called: read.called, at: read.at, ..old };
        run
    }, || {
        // Asked for before the answer of what is missing in it.
        let mut run = paid();
        run.reads("default/account/a");
        let old = last_state_read(&mut run).clone();
        let called = old.at;
        run.does(&deposit("third"));
        run.reads("default/account/a");
        let read = last_state_read(&mut run);
        *read = StateRead { called, at: read.at, ..old };
        run
    };

    a_state_that_is_not_found: ["state-behind"], || {
        let mut run = paid();
        let called = run.clock + 1;
        finds_nothing(&mut run, called);
        run
    }, || {
        // Asked for before it was opened, and of one that has only refused.
        let mut run = Run::default();
        run.does(&withdraw("early"));
        let called = run.clock + 1;
        finds_nothing(&mut run, called);
        run.does(&open());
        finds_nothing(&mut run, called);
        run
    };

    more_crashes_than_faults: ["crashed-without-faults"], || {
        let mut run = crashed(2);
        run.items.push(fault(4, 1));
        run
    }, || {
        let mut run = crashed(2);
        run.items.push(fault(4, 0));
        run.items.push(fault(1, 1));
        run
    };

    a_record_of_requests_that_nobody_planted: ["unreadable"], || {
        let mut run = paid();
        unreadable(&mut run, Topic::Requests);
        run
    }, || {
        let mut run = paid();
        unreadable(&mut run, Topic::Requests);
        planted(&mut run, Topic::Requests);
        run
    };

    an_event_that_cannot_be_read: ["unreadable"], || {
        let mut run = paid();
        unreadable(&mut run, Topic::FinalEvents);
        run
    }, || {
        let mut run = paid();
        unreadable(&mut run, Topic::FinalEvents);
        planted(&mut run, Topic::FinalEvents);
        run
    };

    a_planted_event_that_no_view_has_told_of: ["unreadable-without-letter"], || {
        let mut run = paid();
        let topic = Topic::FinalEvents;
        run.items.push(Item::Unreadable(Unreadable { topic, place: PLACE }));
        planted(&mut run, topic);
        run
    }, || {
        // Somebody else's event that can be read, and concerns nobody here.
        let mut run = paid();
        let mut event = run.event(1).clone();
        (event.place, event.aggregate) = (PLACE, "other/thing/x".to_owned());
        run.items.push(Item::Event(event));
        planted(&mut run, Topic::FinalEvents);
        run
    };

    a_letter_that_cannot_be_read: ["unreadable"], || {
        let mut run = paid();
        unreadable(&mut run, Topic::DeadLetters);
        run
    }, || {
        let mut run = paid();
        unreadable(&mut run, Topic::DeadLetters);
        planted(&mut run, Topic::DeadLetters);
        run
    };

    a_planted_record_that_was_decided: ["planted-decided"], || {
        let mut run = paid();
        let record = run.appends(&deposit("planted"));
        run.decides(&record);
        let (topic, place) = (Topic::Requests, record.place);
        run.items.push(Item::Planted(Planted { topic, place }));
        let (topic, code) = (topic.name().to_owned(), "UNREADABLE".to_owned());
        run.items.push(Item::Letter(Letter { topic, place, named: None, code }));
        run
    }, || {
        // It named an aggregate and a request, so it was rejected.
        let mut run = Run::default();
        run.does(&open());
        let record = run.appends(&withdraw("planted"));
        run.decides(&record);
        let commit = run.commit("planted");
        (commit.outcome, commit.code) = (Outcome::Rejected, Some("UNREADABLE".to_owned()));
        commit.command = "unreadable".to_owned();
        let (topic, place) = (Topic::Requests, record.place);
        run.items.push(Item::Planted(Planted { topic, place }));
        let (topic, code) = (topic.name().to_owned(), "UNREADABLE".to_owned());
        let named = Some((withdraw("").aggregate(), "planted".to_owned()));
        run.items.push(Item::Letter(Letter { topic, place, named, code }));
        run
    };

    a_commit_of_another_command: ["cause-differs"], || {
        let mut run = paid();
        run.commit("in").command = "withdraw".to_owned();
        run
    }, paid;

    a_range_that_is_replayed_and_loses_an_event: ["event-missing"], || {
        let mut run = paid();
        run.items.retain(|item| !super::is_event(item, 2));
        replayed(&mut run);
        run
    }, || {
        let mut run = paid();
        run.does(&withdraw("out"));
        replayed(&mut run);
        run
    };

    a_record_that_stands_twice_and_was_applied_twice: ["decided-twice", "row-differs", "unjustified"], || {
        // Applied again from its copy, and nobody was told.
        let mut run = Run::default();
        run.does(&open());
        let record = run.appends(&open());
        let mut second = run.commit("open").clone();
        (second.revision, second.sequence) = (2, 2);
        (second.source, second.nonce) = (record.place, record.nonce());
        second.time += 100;
        second.events[0].sequence = 2;
        second.events[0].time += 100;
        let events = second.events.clone();
        run.calls(&open());
        run.items.push(Item::Commit(second));
        run.publishes("default/account/a", "open", &events);
        run
    }, || {
        let mut run = Run::default();
        run.does(&open());
        replayed(&mut run);
        run
    };
}

/// Two withdrew what only one could, as far as both were told.
#[test]
fn answers_that_fit_no_order() {
    let both = |code| {
        let mut run = paid();
        run.does(&withdraw("one"));
        let call = run.does(&withdraw("other"));
        let told = run.answer(call).told.as_mut().unwrap();
        (told.outcome, told.code) = code;
        run
    };
    let report = both((Outcome::Success, None)).checked();
    assert_eq!(super::kinds(&report), ["answer-differs", "no-order"], "{:#?}", report.anomalies);
    let report = both((Outcome::Fail, Some("INSUFFICIENT_FUNDS".to_owned()))).checked();
    assert!(report.is_clean(), "{:#?}", report.anomalies);
    // Longer lines are not searched.
    let demands = |searched_commands_max| Demands {
        successes_min: 0,
        searched_commands_max,
        ..Demands::default()
    };
    for (max, is_searched) in [(3, false), (4, true)] {
        let report = both((Outcome::Success, None)).demanding(demands(max));
        assert_eq!(report.counts.contains_key("no-order"), is_searched, "{max}");
    }
}

/// Every record of requests and of events stands once more behind the others, neighbours swapped,
/// and of the requests a third time.
fn replayed(run: &mut Run) {
    let copies = run.items.iter().rev().filter_map(|item| match item {
        Item::Request(request) => Some(Item::Request(request.clone())),
        Item::Event(event) => Some(Item::Event(event.clone())),
        _ => None,
    });
    let copies: Vec<Item> = copies.collect();
    for (offset, copy) in (1_000..).zip(copies.iter().chain(&copies).cloned()) {
        run.items.push(match copy {
            Item::Request(mut request) => {
                request.place.offset = offset;
                Item::Request(request)
            }
            Item::Event(mut event) => {
                event.place.offset = offset;
                Item::Event(event)
            }
            other => other,
        });
    }
}
