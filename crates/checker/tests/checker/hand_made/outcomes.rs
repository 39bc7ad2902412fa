//! Of outcomes that nothing justifies, and of answers that were not honest.

use ordain_checker::evidence::{Happened, Item, Letter, Planted, Request, Row, Topic};
use ordain_checker::history::{Operation, Way};
use ordain_checker::{Outcome, Place};

use super::{Spoil, deposit, fault, is_request, letter, open, paid, taken, withdraw};
use crate::run::{Run, account, job, operation};

super::anomalies! {
    a_refusal_that_the_state_does_not_justify: ["unjustified"], || {
        let mut run = Run::default();
        run.does(&open());
        run.does(&withdraw("out"));
        run.does(&account("a", "other", "open", 0));
        let code = run.commit("other").code.clone();
        run.commit("out").code = code;
        let report = run.answer(2).told.as_mut().unwrap();
        report.code = Some("ALREADY_EXISTS".to_owned());
        run
    }, || {
        // Refused for what was missing, and granted once it was there.
        let mut run = Run::default();
        run.does(&open());
        run.does(&withdraw("out"));
        run.does(&deposit("in"));
        run.does(&withdraw("again"));
        run
    };

    a_job_that_two_took: ["unjustified"], || {
        let mut run = taken();
        let accept = job("j", "bob", "accept", r#"{"cleanerId":"bob"}"#);
        let call = run.does(&accept);
        run.rests();
        run.without(|item| matches!(item, Item::Row(_)));
        let commit = run.commit("bob");
        commit.outcome = Outcome::Success;
        commit.code = None;
        commit.sequence = 3;
        let time = commit.time;
        commit.events = vec![Happened {
            sequence: 3,
            name: "accepted".to_owned(),
            data: r#"{"cleanerId":"bob"}"#.to_owned(),
            time,
        }];
        let events = commit.events.clone();
        run.publishes("default/job-request/j", "bob", &events);
        let told = run.answer(call).told.as_mut().unwrap();
        (told.outcome, told.code, told.sequence) = (Outcome::Success, None, 3);
        for (view, key, sequence, row) in [
            ("job-requests", "j", 3, r#"{"status":"accepted","cleaners":["ann","bob"],"tasks":[{"id":"t","name":"sweep","done":false}],"answers":{"ann":"accepted","bob":"accepted"},"acceptedCleaner":"bob"}"#),
            ("cleaner-jobs", "ann/j", 2, r#"{"cleaner":"ann","job":"j","status":"accepted"}"#),
            ("cleaner-jobs", "bob/j", 3, r#"{"cleaner":"bob","job":"j","status":"accepted"}"#),
        ] {
            let (view, key, row) = (view.to_owned(), key.to_owned(), row.to_owned());
            run.items.push(Item::Row(Row { view, key, sequence, row }));
        }
        run
    }, || {
        let mut run = taken();
        run.does(&job("j", "bob", "accept", r#"{"cleanerId":"bob"}"#));
        run
    };

    an_expected_sequence_that_was_passed_over: ["unjustified"], || {
        let mut run = paid();
        run.does(&Operation { expected_sequence: Some(2), ..deposit("third") });
        for item in &mut run.items {
            if let Item::Request(record) = item
                && let Some(command) = &mut record.command
                && command.request == "third"
            {
                command.expected_sequence = Some(1);
            }
        }
        run.call_of(3).operation.expected_sequence = Some(1);
        run
    }, || {
        let mut run = paid();
        run.does(&Operation { expected_sequence: Some(1), ..deposit("third") });
        run.does(&Operation { expected_sequence: Some(2), ..deposit("fourth") });
        run
    };

    a_sound_command_that_was_rejected: ["unjustified"], || {
        let mut run = Run::default();
        let call = run.does(&deposit("in"));
        run.items.push(letter(&deposit("in"), "UNPROCESSABLE"));
        let code = Some("UNPROCESSABLE".to_owned());
        let commit = run.commit("in");
        (commit.outcome, commit.code) = (Outcome::Rejected, code.clone());
        let told = run.answer(call).told.as_mut().unwrap();
        (told.outcome, told.code) = (Outcome::Rejected, code);
        run
    }, || {
        // One whose decision coincided with crashes of another cause.
        let mut run = Run::default();
        run.items.push(fault(2, 1));
        let call = run.does(&deposit("in"));
        run.items.push(letter(&deposit("in"), "RULE_CRASHED"));
        let code = Some("RULE_CRASHED".to_owned());
        let commit = run.commit("in");
        (commit.outcome, commit.code) = (Outcome::Rejected, code.clone());
        let told = run.answer(call).told.as_mut().unwrap();
        (told.outcome, told.code) = (Outcome::Rejected, code);
        run
    };

    a_refused_sending_that_stands_in_the_log: ["refused-yet-accepted"], || {
        let mut run = paid();
        let call = run.calls(&deposit("second"));
        run.ends(call, 503);
        let record = run.appends(&deposit("second"));
        run.decides(&record);
        run
    }, || {
        // Another attempt was accepted.
        let mut run = paid();
        let call = run.calls(&deposit("second"));
        run.ends(call, 503);
        run.does(&deposit("second"));
        run
    };

    one_refused_sending_of_two: ["refused-yet-accepted"], || {
        let mut run = paid();
        let call = run.calls(&deposit("second"));
        run.ends(call, 503);
        run.appends(&deposit("second"));
        run.does(&deposit("second"));
        run
    }, || {
        // A copy of the one that was accepted.
        let mut run = paid();
        let call = run.calls(&deposit("second"));
        run.ends(call, 503);
        run.does(&deposit("second"));
        let copies = run.items.iter().filter(|item| is_request(item, "second")).cloned();
        let mut copies: Vec<Item> = copies.collect();
        let Some(Item::Request(copy)) = copies.first_mut() else { panic!("a record") };
        copy.place.offset += 100;
        run.items.append(&mut copies);
        run
    };

    unknown_said_of_what_had_been_decided: ["falsely-unknown"], || {
        let mut run = Run::default();
        let call = run.calls(&deposit("one"));
        run.ends(call, 504);
        let record = run.appends(&deposit("one"));
        run.decides(&record);
        // Its successor was told, so it must have been decided.
        run.does(&deposit("two"));
        let asks = run.call(1, Way::LookUp, &deposit("one"));
        run.ends(asks, 404);
        run
    }, || {
        let mut run = Run::default();
        let call = run.calls(&deposit("one"));
        run.ends(call, 504);
        run.does(&deposit("two"));
        let asks = run.call(1, Way::LookUp, &deposit("one"));
        run.ends(asks, 404);
        let record = run.appends(&deposit("one"));
        run.decides(&record);
        run
    };

    a_command_executed_after_its_deadline: ["late"], || {
        let mut run = paid();
        let deadline = run.commit("in").time + 1_000_000;
        run.does(&Operation { deadline: Some(deadline), ..deposit("third") });
        for item in &mut run.items {
            if let Item::Request(record) = item
                && let Some(command) = &mut record.command
                && command.request == "third"
            {
                command.deadline = Some(deadline - 999_999);
            }
        }
        run.call_of(3).operation.deadline = Some(deadline - 999_999);
        run
    }, || {
        let mut run = paid();
        let deadline = run.commit("in").time + 1_000_000;
        run.does(&Operation { deadline: Some(deadline), ..deposit("third") });
        run
    };

    a_command_that_expired_too_soon: ["expired-too-soon"], || {
        let mut run = Run::default();
        let expired = Operation { deadline: Some(crate::run::EPOCH), ..deposit("one") };
        run.does(&expired);
        let time = run.commit("one").time;
        for item in &mut run.items {
            if let Item::Request(record) = item
                && let Some(command) = &mut record.command
            {
                command.deadline = Some(time);
            }
        }
        run.call_of(1).operation.deadline = Some(time);
        run
    }, || {
        let mut run = Run::default();
        run.does(&Operation { deadline: Some(crate::run::EPOCH), ..deposit("one") });
        run
    };

    a_rejection_without_a_letter: ["letter-missing"], || {
        let mut run = Run::default();
        run.does(&operation(("account", "a"), "odd", ("explode", "{}")));
        run.items.push(letter(&deposit("odd"), "RULE_PANICKED"));
        run
    }, || {
        let mut run = Run::default();
        let odd = operation(("account", "a"), "odd", ("explode", "{}"));
        run.does(&odd);
        run.items.push(letter(&odd, "UNPROCESSABLE"));
        run
    };

    a_damaged_record_without_a_letter: ["unreadable-without-letter"], || {
        let mut run = paid();
        let place = Place { partition: 0, offset: 900 };
        run.items.push(Item::Request(Request { place, command: None }));
        run.items.push(Item::Planted(Planted { topic: Topic::Requests, place }));
        run
    }, || {
        let mut run = paid();
        let place = Place { partition: 0, offset: 900 };
        run.items.push(Item::Request(Request { place, command: None }));
        run.items.push(Item::Planted(Planted { topic: Topic::Requests, place }));
        let (topic, code) = ("requests".to_owned(), "UNREADABLE".to_owned());
        run.items.push(Item::Letter(Letter { topic, place, named: None, code }));
        run
    };

    a_time_past_the_deadline_that_is_no_clock: ["late"], || {
        let mut run = Run::default();
        run.does(&deposit("one"));
        let time = run.commit("one").time + 1_000_000;
        run.does(&Operation { deadline: Some(time), ..deposit("two") });
        run.commit("two").time = time + 1;
        run
    }, || {
        // Right behind the one before, which a clock gave that is ahead.
        let mut run = Run::default();
        run.does(&deposit("one"));
        let time = run.commit("one").time + 1_000_000;
        run.does(&Operation { deadline: Some(time), ..deposit("two") });
        run.commit("one").time = time;
        run.commit("two").time = time + 1;
        run
    };

    a_command_that_no_rule_knows: ["unjustified"], || {
        let mut run = paid();
        for item in &mut run.items {
            if let Item::Request(record) = item
                && let Some(command) = &mut record.command
                && command.request == "in"
            {
                command.command = "explode".to_owned();
            }
        }
        run.call_of(2).operation.command = "explode".to_owned();
        run.commit("in").command = "explode".to_owned();
        run
    }, paid;

    a_refusal_with_events: ["row-differs", "total-differs", "unjustified"], || {
        let mut run = Run::default();
        run.does(&open());
        let call = run.does(&withdraw("out"));
        let commit = run.commit("out");
        let (name, data) = ("deposited".to_owned(), r#"{"amount":5}"#.to_owned());
        commit.events = vec![Happened { sequence: 2, name, data, time: commit.time }];
        commit.sequence = 2;
        let events = commit.events.clone();
        run.publishes("default/account/a", "out", &events);
        run.answer(call).told.as_mut().unwrap().sequence = 2;
        run
    }, || {
        let mut run = Run::default();
        run.does(&open());
        run.does(&withdraw("out"));
        run
    };
}
