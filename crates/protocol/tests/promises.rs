//! The protocol keeps its promises under every small configuration, and each of them meets what it
//! is there for.

use ordain_protocol::{Configuration, can_go_on_for_ever, configurations, explore};

/// Explores a configuration, which must have at least `states_min` states: an empty one would keep
/// every promise.
fn keeps_its_promises(configuration: Configuration, states_min: usize) {
    let report = explore(configuration.clone());
    assert_eq!(report.broken(), Vec::<&str>::new(), "{report}");
    assert_eq!(report.never_met(), Vec::<&str>::new(), "{report}");
    assert!(report.states >= states_min, "only {} states", report.states);
    assert!(!configuration.meets.is_empty(), "nothing that must be met");
    // What must hold at rest says something only if every run comes to rest.
    assert!(!can_go_on_for_ever(configuration), "a run goes on for ever");
}

#[test]
fn one_lane_that_crashes_moves_and_loses_an_answer_keeps_its_promises() {
    keeps_its_promises(configurations::lane(), 100_000);
}

#[test]
fn promises_hold_when_what_is_not_durable_is_rolled_back() {
    keeps_its_promises(configurations::rollback(), 25_000);
}

#[test]
fn refusals_expected_sequences_deadlines_and_reused_ids_keep_their_promises() {
    keeps_its_promises(configurations::refusals(), 60_000);
}

#[test]
fn raised_partitions_keep_the_promises() {
    keeps_its_promises(configurations::raised(), 40_000);
}

#[test]
fn raised_partitions_keep_the_promises_beside_a_zombie() {
    keeps_its_promises(configurations::raised_and_moved(), 95_000);
}

#[test]
fn raised_partitions_keep_the_promises_over_a_rollback() {
    keeps_its_promises(configurations::raised_and_rolled_back(), 20_000);
}

#[test]
fn a_follower_that_crashes_and_wakes_as_a_zombie_keeps_its_promises() {
    keeps_its_promises(configurations::follower(), 14_000);
}

#[test]
fn promises_hold_from_the_command_to_the_row() {
    keeps_its_promises(configurations::fleet(), 130_000);
}
