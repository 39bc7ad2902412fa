//! The proof can fail: builds that break one promise each are caught, under the same load.

use std::time::Instant;

use ordain_checker::Report;
use ordain_tests::Role;

use crate::run::{Run, Strike};

/// How many workers are killed before their events are published.
const KILLS: usize = 3;
/// What becomes of events that nobody publishes.
const UNPUBLISHED: [&str; 2] = ["event-missing", "event-overtakes"];
/// How often clients get on beside that.
const ROUNDS: usize = 3;

/// Runs a mutant, with workers killed where that is what it does not bear. It has to be caught by
/// an anomaly of one of these kinds.
async fn is_caught(mutant: &str, kinds: &[&str], kills: usize) {
    let begun = Instant::now();
    let mut run = Run::begin(3, &format!("{mutant}=return")).await;
    for _ in 0..kills {
        run.strike(Strike::Kill, ("C7", Role::Worker), 20).await;
    }
    for _ in 0..ROUNDS {
        run.goes_on().await;
    }
    let load = begun.elapsed();
    let report: Report = run.end().await;
    let all = begun.elapsed();
    println!("{mutant}: {:?}, after {load:.0?} of load, {all:.0?} in all", report.counts);
    let is_caught = kinds.iter().any(|kind| report.counts.contains_key(kind));
    assert!(is_caught, "{mutant} is to be caught: {report:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fingerprint_ignored_is_caught() {
    is_caught("broken-fingerprint-ignored", &["other-command-answered"], 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attaching_by_id_alone_is_caught() {
    is_caught("broken-attach-by-id-alone", &["other-command-answered"], 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_taken_without_its_nonce_is_caught() {
    is_caught("broken-reply-without-nonce", &["not-marked-as-repeat"], 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_own_events_only_is_caught() {
    is_caught("broken-own-events-only", &UNPUBLISHED, KILLS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_before_publishing_is_caught() {
    is_caught("broken-progress-before-publishing", &UNPUBLISHED, KILLS).await;
}
