//! Ports that fail: try again, stop, leave.

use ordain_ports::Action;
use ordain_testkit::{faulty, within};
use ordain_views::{Accounts, View};

use crate::staged::{Call, Fate, Staged};
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
        let world = World::new();
        let (_, commits) = Line::deposits("a", 3);
        world.store_and_publish(&commits).await;
        let staged = Staged::new(world.home.view_store());
        if matches!(fate, Fate::Fails(_)) {
            staged.plan(call, fate.clone());
        }
        staged.plan(call, fate);
        let mut ports = world.ports();
        ports.views = staged.clone();
        let running = run(view, ports, world.feed(&view));
        world.shows(&view, &commits).await;
        running.leave().await;
        assert!(staged.is_plan_done(), "{call:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_that_fails_is_read_again() {
    let world = World::new();
    let (_, commits) = Line::deposits("a", 9);
    world.store(&commits).await;
    world.publish(&commits[9..]).await;
    let faulty = faulty::Commits::new(world.home.commits());
    (0..3).for_each(|_| faulty.plan_read(faulty::Read::Unavailable));
    let mut ports = world.ports();
    ports.commits = faulty.clone();
    let running = run(Accounts, ports, world.feed(&Accounts));
    world.shows(&Accounts, &commits).await;
    assert!(faulty.is_plan_done());
    running.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_that_cannot_be_saved_is_saved_later() {
    let world = World::new();
    let (_, commits) = Line::deposits("a", 3);
    world.store_and_publish(&commits).await;
    let (feed, control) = faulty::Feed::wrap(world.feed(&Accounts));
    for partition in 0..world.home.event_partitions() {
        control.plan_save(partition, faulty::Save::Unavailable);
        control.plan_save(partition, faulty::Save::AnswerLost);
    }
    let running = run(Accounts, world.ports(), feed);
    ordain_testkit::until("three tries", || async {
        (control.saves_asked().len() >= 3).then_some(())
    })
    .await;
    let saves = control.saves_asked();
    assert!(saves.iter().all(|save| save == &saves[0]), "{saves:?}");
    world.shows(&Accounts, &commits).await;
    running.leave().await;
}

/// However long the store does not answer, a projector that is told to leave leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projector_leaves_while_its_store_does_not_answer() {
    let world = World::new();
    let (_, commits) = Line::deposits("a", 3);
    world.store_and_publish(&commits).await;
    for call in [Call::Rows, Call::Write, Call::Marks, Call::SetMarks] {
        let staged = Staged::new(world.home.view_store());
        staged.plan(call, Fate::Fails(Action::TryAgain));
        staged.always(call, Action::TryAgain);
        let mut ports = world.ports();
        ports.views = staged;
        run(Marked, ports, world.feed(&Marked)).leave().await;
    }
    let running = world.run(Marked);
    world.shows(&Marked, &commits).await;
    running.leave().await;
}

/// A fenced lane is dropped, with all that was remembered; the partition's next lane goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fenced_lane_ends_and_its_successor_goes_on() {
    let world = World::new();
    let (mut line, mut commits) = Line::deposits("a", 3);
    world.store_and_publish(&commits).await;
    let (feed, control) = faulty::Feed::wrap(world.feed(&Accounts));
    for partition in 0..world.home.event_partitions() {
        control.plan_save(partition, faulty::Save::Fenced);
    }
    let running = run(Accounts, world.ports(), feed);
    world.shows(&Accounts, &commits).await;
    commits.push(line.deposit());
    world.store_and_publish(&commits[4..]).await;
    world.shows(&Accounts, &commits).await;
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
