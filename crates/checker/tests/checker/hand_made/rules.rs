//! Of rules that misbehave: only the command that asks for it is lost, and it is kept.

use ordain_checker::Outcome;
use ordain_checker::evidence::{Fault, Item};
use ordain_checker::history::{Line, Operation};

use super::{Spoil, fault, letter};
use crate::run::{Run, operation};

fn broken(request: &str, command: &str) -> Operation {
    operation(("broken", "b"), request, (command, "{}"))
}

/// Something good, something bad that is kept as a dead letter, and something good again.
fn misbehaves(command: &str, code: &str) -> Run {
    let mut run = Run::default();
    run.does(&broken("before", "work"));
    run.does(&broken("bad", command));
    run.items.push(letter(&broken("bad", command), code));
    run.does(&broken("behind", "work"));
    run.reads("default/broken/b");
    run
}

fn becomes(run: &mut Run, outcome: Outcome, code: Option<&str>) {
    let code = code.map(str::to_owned);
    let commit = run.commit("bad");
    (commit.outcome, commit.code) = (outcome, code.clone());
    let told = run.answer(2).told.as_mut().unwrap();
    (told.outcome, told.code) = (outcome, code);
}

/// A rule ends six processes; its command is given up, and another one, too, while that happened to
/// fail besides.
fn gives_up_beside_a_rule(failed: Item) -> Run {
    let mut run = Run::default();
    for (request, command) in [("culprit", "abort"), ("bad", "work")] {
        run.does(&broken(request, command));
        run.items.push(letter(&broken(request, command), "RULE_CRASHED"));
    }
    becomes(&mut run, Outcome::Rejected, Some("RULE_CRASHED"));
    let by_rule = Fault { kills_planned: 6, kills: 6, by_rule: true, ..Fault::default() };
    run.items.extend([Item::Fault(by_rule), failed]);
    run
}

super::anomalies! {
    a_panic_that_was_accepted: ["unjustified"], || {
        let mut run = misbehaves("panic", "RULE_PANICKED");
        becomes(&mut run, Outcome::Success, None);
        run
    }, || misbehaves("panic", "RULE_PANICKED");

    a_panic_that_is_told_as_a_refusal: ["unjustified"], || {
        let mut run = misbehaves("panic", "RULE_PANICKED");
        becomes(&mut run, Outcome::Fail, Some("RULE_PANICKED"));
        run
    }, || misbehaves("panic", "RULE_PANICKED");

    a_panic_without_a_dead_letter: ["letter-missing"], || misbehaves("panic", "RULE_CRASHED"), || {
        misbehaves("panic", "RULE_PANICKED")
    };

    a_rule_given_up_too_soon: ["crashed-without-faults"], || {
        let mut run = misbehaves("abort", "RULE_CRASHED");
        run.items.push(fault(2, 0));
        run
    }, || {
        let mut run = misbehaves("abort", "RULE_CRASHED");
        run.items.push(fault(3, 0));
        run
    };

    an_innocent_command_given_up_beside_a_rule: ["innocent-crashed"], || {
        gives_up_beside_a_rule(fault(2, 0))
    }, || {
        // Enough else has failed for both.
        gives_up_beside_a_rule(fault(2, 1))
    };

    a_rule_that_never_returns_and_panicked: ["unjustified"], || {
        let mut run = misbehaves("hang", "RULE_PANICKED");
        becomes(&mut run, Outcome::Rejected, Some("RULE_PANICKED"));
        run
    }, || {
        let mut run = misbehaves("hang", "RULE_CRASHED");
        run.items.push(fault(3, 0));
        run
    };

    good_that_is_not_counted: ["state-differs"], || {
        let mut run = Run::default();
        run.does(&broken("before", "work"));
        run.reads("default/broken/b");
        if let Some(Line::StateRead(read)) = run.lines.last_mut() {
            read.state = r#"{"done":2}"#.to_owned();
        }
        run
    }, || {
        let mut run = Run::default();
        run.does(&broken("before", "work"));
        run.reads("default/broken/b");
        run
    };
}
