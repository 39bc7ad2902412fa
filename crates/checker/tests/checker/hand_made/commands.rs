//! Of commands and their answers: lost, doubled, told differently.

use ordain_checker::Outcome;
use ordain_checker::evidence::{Item, LookUp};

use super::{Spoil, deposit, is_commit, look_up, open, paid, transfer, withdraw};
use crate::run::{Nonce, Run, account};

super::anomalies! {
    a_record_without_a_commit: ["lost"], || {
        let mut run = paid();
        run.calls(&deposit("second"));
        run.appends(&deposit("second"));
        run
    }, || {
        // Sent, and never came into the log: nobody was promised anything.
        let mut run = paid();
        let call = run.calls(&deposit("second"));
        run.ends(call, 504);
        run
    };

    an_answer_without_a_commit: ["answer-without-commit"], || {
        let mut run = paid();
        let call = run.calls(&deposit("second"));
        run.ends(call, 202);
        run
    }, || {
        let mut run = paid();
        let call = run.calls(&deposit("second"));
        run.ends(call, 202);
        let record = run.appends(&deposit("second"));
        run.decides(&record);
        run
    };

    an_answered_success_that_is_not_there: ["answer-without-commit", "lost"], || {
        let mut run = Run::default();
        run.does(&account("a", "in", "deposit", 5));
        run.without(|item| is_commit(item, "in"));
        run
    }, || {
        let mut run = Run::default();
        run.does(&account("a", "in", "deposit", 5));
        run
    };

    an_outcome_that_no_look_up_finds: ["not-found"], || {
        let mut run = paid();
        let found = look_up(&mut run, &deposit("in"));
        run.items.push(Item::LookUp(LookUp { told: None, ..found }));
        run
    }, || {
        let mut run = paid();
        let found = look_up(&mut run, &deposit("in"));
        run.items.push(Item::LookUp(LookUp { told: None, request: "other".to_owned(), ..found }));
        run
    };

    a_command_decided_twice: ["decided-twice"], || {
        // A refusal, so that nothing else shows it.
        let mut run = Run::default();
        run.does(&deposit("in"));
        let mut second = run.commit("in").clone();
        second.revision = 2;
        second.time += 1;
        run.items.push(Item::Commit(second));
        run
    }, || {
        // Sent twice, and decided once.
        let mut run = paid();
        run.does(&deposit("in"));
        run
    };

    two_commits_of_one_record: ["cause-differs", "shared-cause"], || {
        let mut run = paid();
        let place = run.commit("open").source;
        run.commit("in").source = place;
        run
    }, || {
        let mut run = paid();
        run.does(&account("b", "in", "open", 5));
        run
    };

    a_commit_of_no_record: ["cause-missing"], || {
        let mut run = paid();
        run.commit("in").source.offset += 100;
        run
    }, || {
        // Where the record of an earlier sending stands.
        let mut run = paid();
        let operation = deposit("second");
        let (one, two) = (run.calls(&operation), run.calls(&operation));
        let (first, second) = (run.appends(&operation), run.appends(&operation));
        run.decides(&second);
        run.is_told(one, &operation, first.nonce());
        run.is_told(two, &operation, second.nonce());
        run
    };

    a_commit_of_another_sending: ["cause-differs"], || {
        let mut run = paid();
        run.commit("in").nonce += 100;
        run
    }, paid;

    a_commit_of_another_body: ["cause-differs"], || {
        let mut run = paid();
        run.commit("in").fingerprint.push('!');
        run
    }, paid;

    an_answer_that_says_something_else: ["answer-differs"], || {
        let mut run = paid();
        let call = run.does(&withdraw("out"));
        run.answer(call).told.as_mut().unwrap().outcome = Outcome::Fail;
        run
    }, || {
        let mut run = paid();
        run.does(&withdraw("out"));
        run.does(&withdraw("out"));
        run
    };

    an_answer_of_another_revision: ["answer-differs"], || {
        let mut run = paid();
        let call = run.does(&deposit("in"));
        run.answer(call).told.as_mut().unwrap().revision = 1;
        run
    }, || {
        let mut run = paid();
        run.does(&deposit("in"));
        run
    };

    answers_with_other_bytes: ["bodies-differ"], || {
        let mut run = paid();
        let call = run.does(&deposit("in"));
        run.answer(call).told.as_mut().unwrap().body += 1;
        run
    }, || {
        // Another request's document has other bytes.
        let mut run = paid();
        run.does(&deposit("second"));
        run
    };

    a_look_up_that_says_something_else: ["look-up-differs"], || {
        let mut run = paid();
        let mut found = look_up(&mut run, &deposit("in"));
        found.told.as_mut().unwrap().sequence = 1;
        run.items.push(Item::LookUp(found));
        run
    }, || {
        let mut run = paid();
        let found = look_up(&mut run, &deposit("in"));
        run.items.push(Item::LookUp(found));
        run
    };

    a_look_up_with_other_bytes: ["look-up-differs"], || {
        let mut run = paid();
        let mut found = look_up(&mut run, &deposit("in"));
        found.told.as_mut().unwrap().body += 1;
        run.items.push(Item::LookUp(found));
        run
    }, || {
        // Nobody was answered, so there are no bytes to compare with.
        let mut run = paid();
        run.calls(&deposit("second"));
        let record = run.appends(&deposit("second"));
        run.decides(&record);
        let found = look_up(&mut run, &deposit("second"));
        run.items.push(Item::LookUp(found));
        run
    };

    a_repeat_that_is_not_marked: ["not-marked-as-repeat"], || {
        let mut run = paid();
        let call = run.does(&deposit("in"));
        run.answer(call).told.as_mut().unwrap().replayed = false;
        run
    }, || {
        // The first sending was decided, and only the second one got an answer.
        let mut run = paid();
        let operation = deposit("second");
        let call = run.calls(&operation);
        run.ends(call, 504);
        let first = run.appends(&operation);
        let call = run.calls(&operation);
        run.appends(&operation);
        run.decides(&first);
        run.is_told(call, &operation, 0);
        run
    };

    money_that_was_taken_and_not_given: ["total-differs", "transfer-broken"], || {
        let mut run = paid();
        let (from, _) = transfer(&mut run, 5);
        run.does(&from);
        run
    }, || {
        let mut run = paid();
        let (from, to) = transfer(&mut run, 5);
        run.does(&from);
        run.does(&to);
        run
    };

    money_that_was_given_and_not_taken: ["total-differs", "transfer-broken"], || {
        let mut run = Run::default();
        run.does(&open());
        let (from, to) = transfer(&mut run, 5);
        run.does(&from);
        run.does(&to);
        run
    }, || {
        // The withdrawal was refused, so there is no deposit.
        let mut run = Run::default();
        run.does(&open());
        let (from, _) = transfer(&mut run, 5);
        run.does(&from);
        run
    };

    rows_that_hold_another_total: ["row-differs", "total-differs"], || {
        let mut run = paid();
        let row = run.row("accounts");
        row.row = row.row.replace(r#""funds":5"#, r#""funds":6"#);
        run
    }, || {
        let mut run = paid();
        run.does(&withdraw("out"));
        run
    };

    an_answer_to_another_command: ["other-command-answered"], || {
        let mut run = paid();
        let call = run.calls(&account("a", "in", "deposit", 7));
        run.is_told(call, &deposit("in"), 0);
        run
    }, || {
        let mut run = paid();
        let call = run.calls(&account("a", "in", "deposit", 7));
        run.appends(&account("a", "in", "deposit", 7));
        run.answers(call, Some(422), (None, Some("KEY_REUSED")));
        run
    };

    a_repeat_taken_for_another_command: ["falsely-reused"], || {
        let mut run = paid();
        let call = run.calls(&deposit("in"));
        run.answers(call, Some(422), (None, Some("KEY_REUSED")));
        run
    }, || {
        let mut run = paid();
        let call = run.calls(&withdraw("in"));
        run.answers(call, Some(422), (None, Some("KEY_REUSED")));
        run
    };

    a_commit_of_another_request: ["cause-differs", "shared-cause"], || {
        // Of the same body, so that only the request tells them apart.
        let mut run = paid();
        run.does(&deposit("second"));
        let (source, nonce) = (run.commit("in").source, run.commit("in").nonce);
        let second = run.commit("second");
        (second.source, second.nonce) = (source, nonce);
        run
    }, || {
        let mut run = paid();
        run.does(&deposit("second"));
        run
    };

    two_sendings_that_both_count_as_the_first: ["not-marked-as-repeat"], || {
        let mut run = paid();
        let operation = deposit("second");
        let (one, two) = (run.calls(&operation), run.calls(&operation));
        let (first, _) = (run.appends(&operation), run.appends(&operation));
        run.decides(&first);
        run.is_told(one, &operation, first.nonce());
        run.is_told(two, &operation, first.nonce());
        run
    }, || {
        let mut run = paid();
        let operation = deposit("second");
        let (one, two) = (run.calls(&operation), run.calls(&operation));
        let (first, second) = (run.appends(&operation), run.appends(&operation));
        run.decides(&first);
        run.is_told(one, &operation, first.nonce());
        run.is_told(two, &operation, second.nonce());
        run
    };

    a_later_call_that_counts_as_the_first: ["not-marked-as-repeat"], || {
        let mut run = paid();
        let call = run.does(&deposit("in"));
        run.answer(2).told.as_mut().unwrap().replayed = true;
        run.answer(call).told.as_mut().unwrap().replayed = false;
        run
    }, || {
        // Who produced the record never got an answer.
        let mut run = paid();
        run.does(&deposit("in"));
        run.answer(2).told.as_mut().unwrap().replayed = true;
        run
    };
}
