//! The proof can fail: builds that break one promise each are caught, under the same load. Five of
//! them here; `cargo xtask faults --only mutants` runs all.

use ordain_tests::faults::mutants::Mutant;

/// Runs a mutant. It has to be caught.
async fn is_caught(name: &str) {
    #[expect(clippy::expect_used, reason = "a mutant that is not there is not caught")]
    let mutant = Mutant::named(name).expect("a mutant of the table");
    let caught = mutant.catch(3).await;
    let Mutant { name, breaks, .. } = mutant;
    println!("{name} ({breaks}): {caught:?}");
    assert!(!caught.by.is_empty(), "{name} is to be caught: {caught:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn own_events_only() {
    is_caught("own-events-only").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_before_publishing() {
    is_caught("progress-before-publishing").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attach_by_id_alone() {
    is_caught("attach-by-id-alone").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fingerprint_ignored() {
    is_caught("fingerprint-ignored").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repeat_not_marked() {
    is_caught("repeat-not-marked").await;
}
