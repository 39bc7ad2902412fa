//! Of views, and of runs that prove nothing.

use ordain_checker::evidence::{Fault, Item};
use ordain_checker::history::Line;

use super::{ANN, Spoil, deposit, open, paid, taken};
use crate::run::{Run, account, job};

super::anomalies! {
    a_row_that_is_missing: ["row-missing"], || {
        let mut run = taken();
        run.without(|item| matches!(item, Item::Row(row) if row.key == "bob/j"));
        run
    }, || {
        // No event, no row.
        let mut run = Run::default();
        run.does(&deposit("in"));
        run
    };

    a_row_of_nothing: ["row-unknown"], || {
        let mut run = taken();
        let mut row = run.row("cleaner-jobs").clone();
        row.key = "cid/j".to_owned();
        run.items.push(Item::Row(row));
        run
    }, || {
        // A view that is not modelled.
        let mut run = taken();
        let mut row = run.row("cleaner-jobs").clone();
        row.view = "others".to_owned();
        run.items.push(Item::Row(row));
        run
    };

    a_row_that_says_something_else: ["row-differs"], || {
        let mut run = taken();
        let row = run.row("cleaner-jobs");
        row.row = row.row.replace("accepted", "offered");
        run
    }, || {
        // The same in other words.
        let mut run = taken();
        let row = run.row("cleaner-jobs");
        row.row = row.row.replace(':', ": ");
        run
    };

    a_row_of_another_sequence: ["row-differs"], || {
        let mut run = paid();
        run.row("accounts").sequence = 1;
        run
    }, || {
        let mut run = paid();
        run.does(&account("a", "again", "open", 0));
        run
    };

    answers_in_another_order: ["row-differs"], || {
        let mut run = taken();
        run.does(&job("j", "bob", "decline", r#"{"cleanerId":"bob"}"#));
        let row = run.row("job-requests");
        let answers = r#"{"ann":"accepted","bob":"declined"}"#;
        assert!(row.row.contains(answers), "{}", row.row);
        row.row = row.row.replace(answers, r#"{"bob":"declined","ann":"accepted"}"#);
        run
    }, || {
        let mut run = taken();
        run.does(&job("j", "bob", "decline", r#"{"cleanerId":"bob"}"#));
        run.does(&job("j", "start", "start", "{}"));
        run.does(&job("j", "early", "finish", "{}"));
        run.does(&job("j", "task", "finish-task", r#"{"taskId":"t","cleanerId":"ann"}"#));
        run.does(&job("j", "finish", "finish", ANN));
        run
    };

    a_row_that_keeps_too_many_times: ["row-differs"], || {
        let mut run = Run::default();
        run.does(&open());
        for number in 0..100 {
            run.does(&deposit(&number.to_string()));
        }
        let opened = ordain_checker::reference::time::rfc_3339(run.commit("open").time);
        let row = run.row("accounts");
        row.row = row.row.replace(r#""timestamps":["#, &format!(r#""timestamps":["{opened}","#));
        run
    }, || {
        let mut run = Run::default();
        run.does(&open());
        for number in 0..100 {
            run.does(&deposit(&number.to_string()));
        }
        run
    };

    a_view_that_goes_back: ["went-back"], || {
        let mut run = paid();
        run.views(1, "accounts", "a");
        run.views(1, "accounts", "a");
        run.last_view_read().sequence = Some(1);
        run
    }, || {
        // Another reader, and another row.
        let mut run = paid();
        run.views(1, "accounts", "a");
        run.views(2, "accounts", "a");
        run.last_view_read().sequence = Some(1);
        run.views(1, "accounts", "b");
        run
    };

    a_row_that_vanishes: ["went-back"], || {
        let mut run = taken();
        run.views(1, "cleaner-jobs", "ann/j");
        run.views(1, "cleaner-jobs", "ann/j");
        run.last_view_read().sequence = None;
        run
    }, || {
        let mut run = taken();
        run.views(1, "cleaner-jobs", "ann/j");
        run.last_view_read().sequence = None;
        run.views(1, "cleaner-jobs", "ann/j");
        run
    };

    a_receipt_that_was_not_reached: ["receipt-not-reached"], || {
        let mut run = taken();
        run.views(1, "cleaner-jobs", "ann/j");
        let read = run.last_view_read();
        (read.reached, read.sequence) = (Some(2), Some(1));
        run
    }, || {
        // The second event does not change this row.
        let mut run = taken();
        run.views(1, "cleaner-jobs", "bob/j");
        let read = run.last_view_read();
        (read.reached, read.sequence) = (Some(2), Some(1));
        run
    };

    an_answer_to_no_call: ["answer-without-call"], || {
        let mut run = paid();
        run.ends(99, 504);
        run
    }, || {
        let mut run = paid();
        let call = run.calls(&deposit("second"));
        run.ends(call, 504);
        run
    };

    two_answers_to_a_call: ["call-doubled"], || {
        let mut run = paid();
        let answer = Line::Answer(run.answer(2).clone());
        run.lines.push(answer);
        run
    }, paid;

    a_fault_that_was_not_met: ["fault-not-met"], || {
        let mut run = paid();
        let name = "C5".to_owned();
        let (kills_planned, kills, pauses_planned, pauses) = (5, 5, 5, 4);
        run.items.push(Item::Fault(Fault {
            name,
            kills_planned,
            kills,
            pauses_planned,
            pauses,
            ..Fault::default()
        }));
        run
    }, || {
        let mut run = paid();
        let name = "C5".to_owned();
        let (kills_planned, kills, pauses_planned, pauses) = (5, 6, 5, 5);
        run.items.push(Item::Fault(Fault {
            name,
            kills_planned,
            kills,
            pauses_planned,
            pauses,
            ..Fault::default()
        }));
        run
    };

    a_view_that_goes_back_for_who_reads_in_turn: ["went-back"], || {
        let mut run = paid();
        run.views(1, "accounts", "a");
        let before = run.last_view_read().at;
        run.views(1, "accounts", "a");
        let read = run.last_view_read();
        (read.called, read.sequence) = (before + 1, Some(1));
        run
    }, || {
        // Asked before the other was there: which was first is not known.
        let mut run = paid();
        run.views(1, "accounts", "a");
        let before = run.last_view_read().at;
        run.views(1, "accounts", "a");
        let read = run.last_view_read();
        (read.called, read.sequence) = (before - 1, Some(1));
        run
    };
}
