//! Crashes between the steps of a batch: rows, marks, progress.

use ordain_testkit::{Gate, faulty};
use ordain_views::{Accounts, View};

use crate::account::Account;
use crate::staged::{Call, Stops};
use crate::world::{Marked, run};

/// How many rows are written, and up to where the view has come.
async fn left(account: &Account, view: &dyn View) -> (usize, Option<u64>) {
    (account.world.rows(view).await.len(), account.place(view).await)
}

/// The rows are written, the mark is not (C11).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_is_folded_twice_after_a_crash_between_row_and_mark() {
    let mut account = Account::published(3).await;
    account.world.crash(Marked, Stops::Before(Call::SetMarks)).await;
    assert_eq!(left(&account, &Marked).await, (1, None));
    account.deposit().await;
    account.is_followed(Marked).await;
}

/// Where the row is the mark, nothing comes between them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sole_row_says_itself_how_far_it_is_folded() {
    let mut account = Account::published(3).await;
    account.world.crash(Accounts, Stops::After(Call::Write)).await;
    assert_eq!(left(&account, &Accounts).await, (1, Some(4)));
    account.deposit().await;
    account.is_followed(Accounts).await;
}

/// Before the rows: nothing is left, and nothing is missed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_is_missed_after_a_crash_before_the_row() {
    is_missed_by_none(Accounts).await;
    is_missed_by_none(Marked).await;
}

async fn is_missed_by_none(view: impl View + Copy) {
    let account = Account::published(3).await;
    account.world.crash(view, Stops::Before(Call::Write)).await;
    assert_eq!(left(&account, &view).await, (0, None));
    account.is_followed(view).await;
}

/// The marks are written, the progress is not (C12), or its answer is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_is_folded_twice_after_a_crash_between_mark_and_progress() {
    for stops in [faulty::Save::PausedBefore, faulty::Save::PausedAfter] {
        let account = Account::published(3).await;
        let gate = Gate::shut();
        let (feed, _) = account.world.feed_that_saves(&Accounts, &[stops(gate.clone())]);
        let running = run(Accounts, account.world.ports(), feed);
        gate.reached().await;
        running.crash().await;
        assert_eq!(account.place(&Accounts).await, Some(4));
        let mut account = account.restart().await;
        account.deposit().await;
        account.is_followed(Accounts).await;
    }
}
