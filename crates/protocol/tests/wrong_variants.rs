//! Every rule is there for a promise: without it exactly that promise breaks, with what hangs on
//! it, while the protocol keeps all of them under the same configuration.

use ordain_protocol::{Found, Wrong, explore, variants};

/// Explores every configuration of a wrong variant with and without the rule.
fn breaks_what_it_should(wrong: Wrong) {
    let of_this: Vec<_> = variants().into_iter().filter(|v| v.wrong == wrong).collect();
    assert!(!of_this.is_empty(), "no configuration shows {wrong:?}");
    for variant in of_this {
        let right = explore(variant.configuration.clone());
        assert_eq!(right.broken(), Vec::<&str>::new(), "{right}");
        let report = explore(variant.configuration.with(wrong));
        let mut breaks = variant.breaks;
        breaks.sort_unstable();
        assert_eq!(report.broken(), breaks, "{report}");
        let shown = |found: &Found| !matches!(found, Found::Broken(way) if way.is_empty());
        assert!(report.results.values().all(shown), "a promise broken without a way: {report}");
    }
}

#[test]
fn keeping_the_cache_after_a_failed_insert_leaves_a_gap_in_the_revisions() {
    breaks_what_it_should(Wrong::CacheKeptAfterFailure);
}

#[test]
fn sending_the_numbered_rest_after_a_repeat_leaves_a_gap_in_the_revisions() {
    breaks_what_it_should(Wrong::NumberedRestSent);
}

#[test]
fn publishing_own_events_only_leaves_events_unpublished_and_lets_others_overtake() {
    breaks_what_it_should(Wrong::OwnEventsOnly);
}

#[test]
fn skipping_publication_on_a_repeat_leaves_events_unpublished() {
    breaks_what_it_should(Wrong::RepeatNotPublished);
}

#[test]
fn reads_that_show_what_is_not_durable_change_answers_and_leave_gaps() {
    breaks_what_it_should(Wrong::ReadsNotDurable);
}

#[test]
fn an_unconditional_view_write_takes_the_view_back() {
    breaks_what_it_should(Wrong::ViewWrittenUnconditionally);
}

#[test]
fn waiting_for_ever_on_a_duplicate_that_is_rolled_back_loses_a_command() {
    breaks_what_it_should(Wrong::WaitsForDuplicate);
}

#[test]
fn a_row_folded_twice_after_a_crash_before_its_mark_is_not_the_fold() {
    breaks_what_it_should(Wrong::RowFoldedTwice);
}

#[test]
fn without_a_unique_request_a_command_takes_effect_twice() {
    breaks_what_it_should(Wrong::RequestNotUnique);
}

#[test]
fn without_a_unique_revision_two_commits_share_a_number() {
    breaks_what_it_should(Wrong::RevisionNotUnique);
}

#[test]
fn progress_saved_before_publishing_leaves_events_unpublished() {
    breaks_what_it_should(Wrong::ProgressBeforePublishing);
}

#[test]
fn taking_the_progress_of_a_zombie_takes_its_successor_back() {
    breaks_what_it_should(Wrong::ZombieProgressTaken);
}

#[test]
fn ignoring_the_fingerprint_answers_one_command_with_the_outcome_of_another() {
    breaks_what_it_should(Wrong::FingerprintIgnored);
}

#[test]
fn checking_the_deadline_only_once_executes_a_late_command() {
    breaks_what_it_should(Wrong::DeadlineCheckedOnce);
}

#[test]
fn writing_the_mark_before_the_rows_vouches_for_what_is_not_there() {
    breaks_what_it_should(Wrong::MarkBeforeRows);
}
