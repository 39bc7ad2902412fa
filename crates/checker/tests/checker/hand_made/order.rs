//! Of the order of commits and events.

use ordain_checker::evidence::{Happened, Item};
use ordain_checker::history::Line;

use super::{ANN, Spoil, again, both, deposit, is_event, open, paid};
use crate::run::{Nonce, Run, account, job};

super::anomalies! {
    a_gap_in_the_revisions: ["revision-missing"], || {
        let mut run = paid();
        let call = run.does(&deposit("third"));
        run.commit("third").revision = 4;
        run.answer(call).told.as_mut().unwrap().revision = 4;
        run
    }, || {
        let mut run = paid();
        run.does(&deposit("third"));
        run
    };

    a_revision_twice: ["revision-doubled"], || {
        let mut run = Run::default();
        run.does(&deposit("one"));
        let (one, two) = (run.calls(&deposit("two")), run.calls(&deposit("three")));
        let (first, second) = (run.appends(&deposit("two")), run.appends(&deposit("three")));
        run.decides(&first);
        run.decides(&second);
        run.is_told(one, &deposit("two"), first.nonce());
        run.is_told(two, &deposit("three"), second.nonce());
        run.commit("three").revision = 2;
        run.answer(two).told.as_mut().unwrap().revision = 2;
        run
    }, || {
        // Of another aggregate.
        let mut run = paid();
        run.does(&account("b", "two", "deposit", 5));
        run
    };

    a_gap_in_the_sequences: ["answer-differs", "sequence-broken"], || {
        let mut run = paid();
        run.commit("in").sequence = 3;
        run
    }, || {
        // Two events at once.
        let mut run = Run::default();
        run.does(&job("j", "create", "create", r#"{"cleaners":["ann"],"tasks":[]}"#));
        run.does(&job("j", "ann", "decline", ANN));
        run
    };

    a_time_that_goes_back: ["time-not-growing"], || {
        let mut run = Run::default();
        run.does(&deposit("one"));
        run.does(&deposit("two"));
        let time = run.commit("one").time;
        run.commit("two").time = time;
        run
    }, || {
        let mut run = Run::default();
        run.does(&deposit("one"));
        run.does(&deposit("two"));
        let time = run.commit("one").time;
        run.commit("two").time = time + 1;
        run
    };

    a_later_call_at_an_earlier_revision: ["out-of-time"], || {
        let mut run = Run::default();
        let (one, two) = (account("a", "1", "deposit", 5), account("a", "2", "deposit", 5));
        both(&mut run, &one, &two);
        // The first is called only when the second was told its revision, 2.
        run.call_of(1).at = 60;
        run.answer(1).at = 70;
        run.answer(2).at = 50;
        run
    }, || {
        // Called before the second was answered.
        let mut run = Run::default();
        let (one, two) = (account("a", "1", "deposit", 5), account("a", "2", "deposit", 5));
        both(&mut run, &one, &two);
        run.call_of(1).at = 50;
        run.answer(1).at = 70;
        run.answer(2).at = 50;
        run
    };

    a_state_shown_before_it_was_asked_for: ["out-of-time"], || {
        let mut run = Run::default();
        run.does(&open());
        run.does(&deposit("in"));
        run.reads("default/account/a");
        let read = run.lines.pop().unwrap();
        run.lines.insert(0, read);
        let Some(Line::StateRead(read)) = run.lines.first_mut() else { panic!("a read") };
        read.at = 5;
        run.call_of(1).at = 1;
        run.answer(1).at = 2;
        run
    }, || {
        let mut run = paid();
        run.reads("default/account/a");
        run
    };

    a_refused_attempt_that_was_decided: ["falsely-marked-as-repeat", "out-of-time"], || {
        // The first attempt is refused, the second is called after another command's answer, and
        // the decision stands before that one.
        let mut run = Run::default();
        let refused = run.calls(&deposit("one"));
        run.ends(refused, 503);
        let record = run.appends(&deposit("one"));
        run.decides(&record);
        run.does(&deposit("two"));
        run.does(&deposit("one"));
        run.without(|item| matches!(item, Item::Request(r) if r.nonce() == 3));
        let nonce = run.commit("one").nonce;
        assert_eq!(nonce, 1);
        run
    }, || {
        let mut run = Run::default();
        let timed_out = run.calls(&deposit("one"));
        run.ends(timed_out, 504);
        let record = run.appends(&deposit("one"));
        run.decides(&record);
        run.does(&deposit("two"));
        run.does(&deposit("one"));
        run
    };

    a_state_that_the_commits_do_not_give: ["state-differs"], || {
        let mut run = paid();
        run.reads("default/account/a");
        let Some(Line::StateRead(read)) = run.lines.last_mut() else { panic!("a read") };
        read.state = r#"{"funds":0}"#.to_owned();
        run
    }, || {
        // After a refusal: another revision, the same state.
        let mut run = paid();
        run.does(&open());
        run.does(&account("a", "again", "open", 0));
        run.reads("default/account/a");
        run
    };

    a_state_of_a_revision_that_never_was: ["state-differs"], || {
        let mut run = paid();
        run.reads("default/account/a");
        let Some(Line::StateRead(read)) = run.lines.last_mut() else { panic!("a read") };
        read.revision = 3;
        run
    }, || {
        let mut run = paid();
        run.does(&deposit("second"));
        run.reads("default/account/a");
        run
    };

    an_event_that_was_never_published: ["event-missing"], || {
        let mut run = paid();
        run.without(|item| is_event(item, 2));
        run
    }, || {
        let mut run = paid();
        again(&mut run, 2);
        run
    };

    an_event_that_overtakes: ["event-overtakes"], || {
        let mut run = paid();
        run.does(&deposit("third"));
        let (second, third) = (run.event(2).place, run.event(3).place);
        run.event(2).place = third;
        run.event(3).place = second;
        run
    }, || {
        // 1 2 3 1 3 2: repeats may stand in any order.
        let mut run = paid();
        run.does(&deposit("third"));
        for sequence in [1, 3, 2] {
            again(&mut run, sequence);
        }
        run
    };

    an_event_with_other_data: ["event-differs"], || {
        let mut run = paid();
        run.event(2).event.data = r#"{"amount": 5}"#.to_owned();
        run
    }, paid;

    an_event_of_another_time: ["event-differs"], || {
        let mut run = paid();
        run.event(2).event.time += 1;
        run
    }, paid;

    an_event_of_another_request: ["event-differs"], || {
        let mut run = paid();
        run.event(2).request = "open".to_owned();
        run
    }, paid;

    a_repeat_that_says_something_else: ["event-differs"], || {
        let mut run = paid();
        again(&mut run, 2);
        let Some(Item::Event(event)) = run.items.last_mut() else { panic!("an event") };
        event.event.data = r#"{"amount":6}"#.to_owned();
        run
    }, || {
        let mut run = paid();
        again(&mut run, 2);
        again(&mut run, 2);
        run
    };

    an_event_of_no_commit: ["event-unknown"], || {
        let mut run = paid();
        let event = Happened { sequence: 3, ..run.event(2).event.clone() };
        run.publishes("default/account/a", "in", &[event]);
        run
    }, || {
        let mut run = paid();
        let event = run.event(2).event.clone();
        run.publishes("default/account/a", "in", &[event]);
        run
    };

    events_in_two_partitions: ["events-scattered"], || {
        let mut run = paid();
        run.event(2).place.partition += 100;
        run
    }, || {
        let mut run = paid();
        run.does(&account("b", "open", "open", 0));
        run
    };

    an_event_numbered_otherwise_in_its_commit: ["sequence-broken"], || {
        let mut run = paid();
        run.commit("in").events[0].sequence = 3;
        run
    }, paid;

    a_state_of_nothing: ["state-differs"], || {
        let mut run = paid();
        run.reads("default/account/a");
        let Some(Line::StateRead(read)) = run.lines.last_mut() else { panic!("a read") };
        read.aggregate = "default/account/b".to_owned();
        run
    }, || {
        let mut run = paid();
        run.does(&account("b", "open", "open", 0));
        run.reads("default/account/b");
        run
    };

    a_state_of_another_sequence: ["state-differs"], || {
        let mut run = paid();
        run.reads("default/account/a");
        let Some(Line::StateRead(read)) = run.lines.last_mut() else { panic!("a read") };
        read.sequence = 1;
        run
    }, || {
        let mut run = paid();
        run.reads("default/account/a");
        run
    };

    a_row_shown_before_it_was_asked_for: ["out-of-time"], || {
        let mut run = paid();
        run.views(1, "accounts", "a");
        let read = run.last_view_read();
        (read.called, read.at) = (21, 25);
        run
    }, || {
        // While the deposit was under way.
        let mut run = paid();
        run.views(1, "accounts", "a");
        let read = run.last_view_read();
        (read.called, read.at) = (31, 35);
        run
    };

    a_later_call_after_one_for_something_else: ["out-of-time"], || {
        let mut run = Run::default();
        let other = run.calls(&account("a", "one", "deposit", 7));
        run.ends(other, 504);
        let record = run.appends(&deposit("one"));
        run.decides(&record);
        run.does(&deposit("two"));
        run.does(&deposit("one"));
        run
    }, || {
        let mut run = Run::default();
        let timed_out = run.calls(&deposit("one"));
        run.ends(timed_out, 504);
        let record = run.appends(&deposit("one"));
        run.decides(&record);
        run.does(&deposit("two"));
        run.does(&deposit("one"));
        run
    };
}
