//! The deliberately wrong variants: each makes rows that are not the fold of the events, which the
//! same tests without them would show.
//!
//! A target of its own, because failpoints are of the whole process. Run it with the feature
//! `failpoints`.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "shared with the tests of the projector, which use the rest")]
#[path = "../projector/account.rs"]
mod account;
#[expect(dead_code, reason = "shared with the tests of the projector, which use the rest")]
#[path = "../projector/staged.rs"]
mod staged;
#[expect(dead_code, reason = "shared with the tests of the projector, which use the rest")]
#[path = "../projector/world.rs"]
mod world;

use std::panic::AssertUnwindSafe;

use fail::FailScenario;
use ordain_testkit::within;

use crate::account::Account;
use crate::staged::{Call, Stops};
use crate::world::{Marked, Rows, fold};

/// Stops a projector at this call, has another one go on, and gives what the rows are then and
/// what they should be.
async fn a_crash_at(call: Call) -> (Rows, Rows) {
    let mut account = Account::published(3).await;
    account.world.crash(Marked, Stops::Before(call)).await;
    account.deposit().await;
    let running = account.world.run(Marked);
    account.world.reached(&Marked, &account.line.aggregate, 5).await;
    running.leave().await;
    rows_and_fold(&account).await
}

async fn a_zombie_writes_late() -> (Rows, Rows) {
    let mut account = Account::published(3).await;
    // It has read and folded, and stops at the last moment before it writes.
    let feed = account.world.home.join_events("zombie");
    let (zombie, gate) = account.world.run_until(Marked, feed, Stops::After(Call::Rows)).await;
    account.deposit().await;
    account.deposit().await;
    account.is_followed(Marked).await;
    gate.open();
    within("the zombie", zombie.leave()).await;
    rows_and_fold(&account).await
}

async fn rows_and_fold(account: &Account) -> (Rows, Rows) {
    (account.world.rows(&Marked).await, fold(&Marked, &account.commits))
}

/// Runs the story with and without the wrong variant: only without it the rows are right.
fn shown_wrong<F: Future<Output = (Rows, Rows)>>(variant: &str, story: impl Fn() -> F) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.unwrap();
    let scenario = FailScenario::setup();
    let (rows, expected) = runtime.block_on(story());
    assert_eq!(rows, expected);
    fail::cfg(variant, "return").unwrap();
    let (rows, expected) = runtime.block_on(story());
    assert_ne!(rows, expected, "{variant} was not seen");
    scenario.teardown();
}

#[test]
fn a_row_folded_twice_is_seen() {
    shown_wrong("broken-fold-twice", || a_crash_at(Call::SetMarks));
}

#[test]
fn a_mark_before_its_rows_is_seen() {
    // With the mark first, what was the crash between row and mark is one between mark and row.
    shown_wrong("broken-mark-before-rows", || a_crash_at(Call::Write));
}

#[test]
fn a_row_written_whatever_is_there_is_seen() {
    shown_wrong("broken-unconditional-view-write", a_zombie_writes_late);
}

/// At a crash point the follower ends where it is; what is left heals as the tests of crashes
/// say.
#[test]
fn crash_points_are_where_they_should_be() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.unwrap();
    for (point, row, mark) in [("Z4", 0, None), ("C11", 1, None), ("C12", 1, Some(4))] {
        let scenario = FailScenario::setup();
        fail::cfg(point, "panic").unwrap();
        runtime.block_on(AssertUnwindSafe(async {
            let account = Account::published(3).await;
            account.world.run(Marked).ended().await.unwrap_err();
            assert_eq!(account.world.rows(&Marked).await.len(), row, "{point}");
            assert_eq!(account.place(&Marked).await, mark, "{point}");
            fail::remove(point);
            account.is_followed(Marked).await;
        }));
        scenario.teardown();
    }
}
