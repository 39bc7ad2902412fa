//! Ports that fail: try again, stop, leave.

use ordain_ports::Action;
use ordain_testkit::{faulty, within};
use ordain_views::{Accounts, Ports, View};

use crate::account::Account;
use crate::staged::{Call, Fate};
use crate::world::{Line, Marked, World, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_fails_is_tried_again_whether_it_was_done_or_not() {
    for call in [Call::Rows, Call::Write] {
        is_tried_again(Accounts, call).await;
        is_tried_again(Marked, call).await;
    }
    for call in [Call::Marks, Call::SetMarks] {
        is_tried_again(Marked, call).await;
    }
}

async fn is_tried_again(view: impl View + Copy, call: Call) {
    for fate in [Fate::Fails(Action::TryAgain), Fate::AnswerLost] {
        let account = Account::published(3).await;
        let staged = account.world.staged();
        if matches!(fate, Fate::Fails(_)) {
            staged.plan(call, fate.clone());
        }
        staged.plan(call, fate);
        let running = account.world.run_over(&staged, view);
        account.is_shown(&view).await;
        running.leave().await;
        assert!(staged.is_plan_done(), "{call:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_that_fails_is_read_again() {
    let account = Account::stored(9).await;
    let world = &account.world;
    world.publish(&account.commits[9..]).await;
    let faulty = faulty::Commits::new(world.home.commits());
    (0..3).for_each(|_| faulty.plan_read(faulty::Read::Unavailable));
    let ports = Ports { commits: faulty.clone(), ..world.ports() };
    let running = run(Accounts, ports, world.feed(&Accounts));
    account.is_shown(&Accounts).await;
    assert!(faulty.is_plan_done());
    running.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_that_cannot_be_saved_is_saved_later() {
    let account = Account::published(3).await;
    let fail = [faulty::Save::Unavailable, faulty::Save::AnswerLost];
    let (feed, control) = account.world.feed_that_saves(&Accounts, &fail);
    let running = run(Accounts, account.world.ports(), feed);
    ordain_testkit::until("three tries", || async {
        (control.saves_asked().len() >= 3).then_some(())
    })
    .await;
    let saves = control.saves_asked();
    assert!(saves.iter().all(|save| save == &saves[0]), "{saves:?}");
    account.is_shown(&Accounts).await;
    running.leave().await;
}

/// However long the store does not answer, a projector that is told to leave leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projector_leaves_while_its_store_does_not_answer() {
    let account = Account::published(3).await;
    for call in [Call::Rows, Call::Write, Call::Marks, Call::SetMarks] {
        let staged = account.world.staged();
        staged.plan(call, Fate::Fails(Action::TryAgain));
        staged.always(call, Action::TryAgain);
        account.world.run_over(&staged, Marked).leave().await;
    }
    account.is_followed(Marked).await;
}

/// A fenced lane is dropped, with all that was remembered; the partition's next lane goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fenced_lane_ends_and_its_successor_goes_on() {
    let mut account = Account::published(3).await;
    let (feed, _) = account.world.feed_that_saves(&Accounts, &[faulty::Save::Fenced]);
    let running = run(Accounts, account.world.ports(), feed);
    account.is_shown(&Accounts).await;
    account.deposit().await;
    account.is_shown(&Accounts).await;
    running.leave().await;
}

/// One lane is revoked while it waits for records; the others of the projector go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_lane_ends_and_comes_back() {
    let world = World::new();
    let (feed, control) = faulty::Feed::wrap(world.feed(&Accounts));
    let running = run(Accounts, world.ports(), feed);
    let mut commits = Vec::new();
    for number in 0..12 {
        let deposits = Line::deposits(&format!("a{number}"), 2).1;
        world.store_and_publish(&deposits).await;
        commits.extend(deposits);
        world.shows(&Accounts, &commits).await;
        let _ = control.revoke(number % world.home.event_partitions());
    }
    within("the projector", running.leave()).await;
}
