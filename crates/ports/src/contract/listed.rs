//! The macro that makes the suites an adapter's tests, and the check that it lists them all.

/// Makes the suite of a port the tests of an adapter: `contract!(commits, MyWorld);` emits a module
/// `commits` with one test for each promise. The ports are `announcements`, `command_log`,
/// `commits`, `crash_marks`, `dead_letters`, `event_log`, `feed`, `heartbeats`, `outcomes`,
/// `replies`, `snapshots` and `views`. The crate that uses it needs `tokio` with `macros` and
/// `rt-multi-thread`.
#[macro_export]
macro_rules! contract {
    (announcements, $world:ty) => {
        $crate::contract!(@ announcements, $world, [
            what_was_announced_is_known_for_good announcements_at_once_are_all_known
        ]);
    };
    (command_log, $world:ty) => {
        $crate::contract!(@ command_log, $world, [
            an_acknowledged_command_survives_a_restart
            commands_are_read_once_between_two_saved_progresses
            commands_appended_at_once_are_all_read a_command_whose_delivery_is_dropped_is_read
            commands_of_one_aggregate_stand_in_order an_aggregate_keeps_its_partition
            a_refused_command_is_never_in_the_log what_was_read_survives_a_restart
            ends_are_above_what_was_acknowledged progress_is_above_what_was_saved
            pruning_leaves_what_is_not_done pruning_leaves_what_is_young
        ]);
    };
    (commits, $world:ty) => {
        $crate::contract!(@ commits, $world, [
            what_was_reported_as_stored_survives_a_restart a_stored_commit_never_changes
            an_empty_insert_succeeds a_large_insert_is_stored_whole an_insert_ends_at_a_repeat
            an_insert_ends_at_a_conflict an_insert_ends_at_what_it_holds_twice
            an_insert_ends_at_a_commit_that_cannot_be_stored
            a_second_commit_of_a_request_is_a_repeat a_second_commit_of_a_revision_is_a_conflict
            a_repeat_that_is_also_a_conflict_is_a_repeat a_request_id_counts_per_aggregate
            one_of_many_at_once_gets_a_revision one_of_many_at_once_gets_a_request_id
            batches_at_once_keep_their_prefixes an_abandoned_insert_leaves_a_prefix
            a_reader_beside_a_writer_sees_all_that_was_reported what_was_shown_survives_a_restart
            an_unknown_aggregate_is_empty a_commit_reads_back_as_it_was_inserted
            load_begins_at_the_snapshot_of_its_fold_version load_keeps_aggregates_apart
            a_long_tail_is_in_order history_begins_behind_the_sequence_asked_for
            history_pages_hold_every_event_once aggregates_are_given_once_each_by_their_keys
        ]);
    };
    (crash_marks, $world:ty) => {
        $crate::contract!(@ crash_marks, $world, [
            beginnings_at_one_progress_add_up beginnings_elsewhere_do_not_count
            a_mark_that_remains_counts_as_a_beginning
            marks_of_a_record_survive_a_restart a_removed_mark_is_forgotten
            marks_of_other_records_do_not_add_up
        ]);
    };
    (dead_letters, $world:ty) => {
        $crate::contract!(@ dead_letters, $world, [
            letters_survive_a_restart the_first_letter_stays one_of_many_letters_at_once_is_kept
            letters_are_listed_in_the_order_of_their_ids retries_are_kept_in_order_and_once
            retries_at_once_are_all_kept
        ]);
    };
    (event_log, $world:ty) => {
        $crate::contract!(@ event_log, $world, [
            published_events_survive_a_restart a_large_call_is_published_whole
            events_of_one_aggregate_stand_in_order order_holds_beside_other_publishers
            publishing_again_appends_again every_group_reads_events_as_they_were
            commits_without_events_are_passed_over
        ]);
    };
    (feed, $world:ty) => {
        $crate::contract!(@ feed, $world, [
            a_lane_begins_at_a_progress_at_the_end next_keeps_to_its_limit_of_records
            next_keeps_to_its_limit_of_bytes a_damaged_record_is_given_in_its_place
            new_partitions_are_read_from_the_beginning a_member_without_partition_takes_over
            a_new_lane_begins_at_or_above_every_reported_save
            a_partition_is_read_on_by_its_next_member
        ] [
            a_lane_begins_at_the_beginning a_lane_begins_at_the_saved_progress
            an_empty_lane_waits_for_records an_abandoned_next_loses_nothing
            an_abandoned_wait_for_a_lane_loses_none saved_progress_never_goes_back
            a_waiting_lane_can_be_saved_through a_member_alone_has_every_partition
            two_members_share_the_partitions a_revoked_lane_reads_revoked
            a_revoked_lane_may_save_until_it_is_dropped a_lane_that_is_not_dropped_is_fenced
            leaving_revokes_all_lanes a_dropped_lane_is_given_out_again a_dropped_feed_is_a_crash
            members_come_and_go_while_records_flow
        ]);
    };
    (heartbeats, $world:ty) => {
        $crate::contract!(@ heartbeats, $world, [
            the_last_heartbeat_of_each_member_is_given
            an_earlier_heartbeat_never_replaces_a_later_one
            the_latest_of_many_heartbeats_at_once_stays who_has_left_is_not_given
        ]);
    };
    (outcomes, $world:ty) => {
        $crate::contract!(@ outcomes, $world, [
            what_was_reported_is_found_at_once ids_count_per_aggregate
            what_was_found_survives_a_restart answers_stand_in_the_order_of_the_questions
        ]);
    };
    (replies, $world:ty) => {
        $crate::contract!(@ replies, $world, [
            sending_never_waits a_reply_reaches_only_the_process_it_names
            a_reply_arrives_as_it_was_sent a_reply_sent_right_after_subscribing_arrives
            a_channel_ends_with_its_sink no_channel_is_given_twice
            a_flood_arrives_or_is_told_to_be_lost a_loss_is_told_after_an_interruption
        ]);
    };
    (snapshots, $world:ty) => {
        $crate::contract!(@ snapshots, $world, [
            only_newer_snapshots_replace the_newest_of_one_call_is_kept
            the_newest_of_many_at_once_is_kept fold_versions_do_not_touch_one_another
            published_only_grows the_highest_published_of_many_at_once_is_kept
            what_was_saved_is_loaded_at_once
        ]);
    };
    (views, $world:ty) => {
        $crate::contract!(@ views, $world, [
            a_row_is_written_on_its_condition_only a_tombstone_counts_for_conditions
            a_refused_write_leaves_the_others_of_its_call
            one_row_twice_in_a_call_is_written_on_each_condition one_of_many_at_once_writes_a_row
            a_mark_is_set_on_its_condition_only one_of_many_at_once_sets_a_mark
            what_was_written_survives_a_restart what_was_written_is_shown_at_once
            what_was_shown_survives_a_restart tombstones_are_given_and_not_listed
            views_do_not_see_one_another a_list_holds_what_begins_with_its_prefix
            a_list_goes_on_behind_any_key a_list_comes_to_its_end_over_tombstones
            a_list_beside_writers_gives_each_lasting_row_once
        ]);
    };
    (@ $port:ident, $world:ty, [$($promise:ident)*]) => {
        mod $port {
            use super::*;
            $($crate::contract!(@@ $promise, $world, $port::$promise::<$world>);)*
        }
    };
    (@ $port:ident, $world:ty, [$($promise:ident)*] [$($of_topic:ident)*]) => {
        mod $port {
            use super::*;
            $($crate::contract!(@@ $promise, $world, $port::$promise::<$world>);)*
            mod requests {
                use super::*;
                $($crate::contract!(
                    @@ $of_topic, $world,
                    $port::$of_topic::<$world, $crate::contract::feed::Requests>
                );)*
            }
            mod events {
                use super::*;
                $($crate::contract!(
                    @@ $of_topic, $world,
                    $port::$of_topic::<$world, $crate::contract::feed::Events>
                );)*
            }
        }
    };
    (@@ $promise:ident, $world:ty, $($run:tt)*) => {
        #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            let run = $crate::contract::$($run)*();
            $crate::contract::in_time::<$world>(stringify!($promise), run).await;
        }
    };
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    /// A port's name, its trait, where its contract stands, and its suite.
    const PORTS: [(&str, &str, &str, &[&str]); 13] = [
        (
            "announcements",
            "Announcements",
            include_str!("../announcements.rs"),
            &[include_str!("announcements.rs")],
        ),
        ("command_log", "CommandLog", include_str!("../log.rs"), &[include_str!("command_log.rs")]),
        (
            "commits",
            "Commits",
            include_str!("../commits.rs"),
            &[
                include_str!("commits.rs"),
                include_str!("commits/concurrency.rs"),
                include_str!("commits/reading.rs"),
            ],
        ),
        (
            "crash_marks",
            "CrashMarks",
            include_str!("../crash_marks.rs"),
            &[include_str!("crash_marks.rs")],
        ),
        (
            "dead_letters",
            "DeadLetters",
            include_str!("../dead_letters.rs"),
            &[include_str!("dead_letters.rs")],
        ),
        ("event_log", "EventLog", include_str!("../log.rs"), &[include_str!("event_log.rs")]),
        (
            "feed",
            "Feed",
            include_str!("../feed.rs"),
            &[
                include_str!("feed.rs"),
                include_str!("feed/reading.rs"),
                include_str!("feed/moving.rs"),
                include_str!("feed/flowing.rs"),
            ],
        ),
        (
            "heartbeats",
            "Heartbeats",
            include_str!("../heartbeats.rs"),
            &[include_str!("heartbeats.rs")],
        ),
        ("outcomes", "Outcomes", include_str!("../outcomes.rs"), &[include_str!("outcomes.rs")]),
        ("replies", "ReplySender", include_str!("../replies.rs"), &[include_str!("replies.rs")]),
        ("replies", "Replies", include_str!("../replies.rs"), &[include_str!("replies.rs")]),
        (
            "snapshots",
            "Snapshots",
            include_str!("../snapshots.rs"),
            &[include_str!("snapshots.rs")],
        ),
        (
            "views",
            "ViewStore",
            include_str!("../views.rs"),
            &[include_str!("views.rs"), include_str!("views/lists.rs")],
        ),
    ];

    const LISTS: &str = include_str!("listed.rs");

    /// The names in the macro's arm of a port.
    fn listed(port: &str) -> BTreeSet<String> {
        let head = format!("    ({port}, $world:ty) => {{");
        let arm = LISTS.split_once(&head).expect("an arm").1.split_once("]);").expect("its end").0;
        let names = arm.split_once('[').expect("a list").1;
        let is_name = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        names.split_whitespace().filter(is_name).map(str::to_owned).collect()
    }

    #[test]
    fn the_macro_lists_every_test_of_every_suite() {
        for (port, _, _, suite) in PORTS {
            let tests = suite.iter().flat_map(|file| file.split("\npub async fn ").skip(1));
            let tests: BTreeSet<String> =
                tests.map(|test| test.split('<').next().unwrap_or("").to_owned()).collect();
            assert_eq!(listed(port), tests, "{port}");
        }
    }

    #[test]
    fn every_promise_has_a_test() {
        for (port, name, source, suite) in PORTS {
            let before = source.split_once(&format!("pub trait {name}")).expect("a trait").0;
            let contract = before.rsplit_once("# Contract").expect("a contract").1;
            let promises = contract.lines().filter_map(|line| {
                let number = line.trim_start().strip_prefix("/// ")?.split_once(". ")?.0;
                number.parse::<u32>().ok()
            });
            let promises: Vec<u32> = promises.collect();
            assert!(!promises.is_empty(), "{port} promises nothing");
            for promise in promises {
                let says = format!("/// Promise {promise}: ");
                let is_tested = suite.iter().any(|file| file.contains(&says));
                assert!(is_tested, "promise {promise} of {port} has no test");
            }
        }
    }
}
