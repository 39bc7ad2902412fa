//! Other projectors at the same rows: zombies that wake up, and two owners for a while.

use std::sync::Arc;

use ordain_model::Commit;
use ordain_testkit::Gate;
use ordain_views::{Accounts, CleanerJobs, View};

use crate::account::Account;
use crate::staged::{Call, Stops};
use crate::world::{Line, Marked, Running, World, run};

/// A projector that stops, and the gate that wakes it. It reads by a feed of its own, as one does
/// that does not know of its successor.
async fn zombie(world: &World, view: impl View, stops: Stops) -> (Running, Gate) {
    world.run_until(view, world.home.join_events("zombie"), stops).await
}

/// The zombie wakes up between reading and writing a row (Z4), or between row and mark.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zombie_changes_nothing_that_its_successor_wrote() {
    for stops in [
        Stops::Before(Call::Rows),
        Stops::After(Call::Rows),
        Stops::Before(Call::Write),
        Stops::After(Call::Write),
    ] {
        a_zombie_changes_nothing(Accounts, stops).await;
        a_zombie_changes_nothing(Marked, stops).await;
    }
    for stops in [Stops::After(Call::Marks), Stops::Before(Call::SetMarks)] {
        a_zombie_changes_nothing(Marked, stops).await;
    }
}

async fn a_zombie_changes_nothing(view: impl View + Copy, stops: Stops) {
    let mut account = Account::published(3).await;
    let (zombie, gate) = zombie(&account.world, view, stops).await;
    account.deposit().await;
    account.deposit().await;
    account.is_followed(view).await;
    gate.open();
    // The next event reaches the view through the zombie only, behind all that it woke to.
    account.deposit().await;
    account.is_shown(&view).await;
    zombie.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zombie_brings_no_row_back_that_others_have_changed() {
    let world = World::new();
    let mut job = Line::of("job-request", "j");
    let mut commits = vec![job.send("create", r#"{"cleaners":["ann","bob"],"tasks":[]}"#)];
    world.store_and_publish(&commits).await;
    let (zombie, gate) = zombie(&world, CleanerJobs, Stops::After(Call::Rows)).await;
    commits.push(job.send("accept", r#"{"cleanerId":"ann"}"#));
    world.store_and_publish(&commits[1..]).await;
    let successor = world.run(CleanerJobs);
    world.shows(&CleanerJobs, &commits).await;
    successor.leave().await;
    gate.open();
    commits.push(job.send("decline", r#"{"cleanerId":"bob"}"#));
    world.store_and_publish(&commits[2..]).await;
    world.shows(&CleanerJobs, &commits).await;
    zombie.leave().await;
}

/// Both have every record, and neither knows of the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_owners_of_every_lane_make_no_mistake() {
    two_owners_make_no_mistake(Accounts).await;
    two_owners_make_no_mistake(Marked).await;
}

async fn two_owners_make_no_mistake(view: impl View + Copy) {
    let world = World::new();
    let mut lines: Vec<Line> = (0..5).map(|n| Line::account(&format!("a{n}"))).collect();
    let mut commits: Vec<Arc<Commit>> =
        lines.iter_mut().map(|line| line.send("open", "{}")).collect();
    world.store_and_publish(&commits).await;
    let first = run(view, world.ports(), world.home.join_events("first"));
    let second = run(view, world.ports(), world.home.join_events("second"));
    for _ in 0..40 {
        let more: Vec<_> = lines.iter_mut().map(Line::deposit).collect();
        world.store_and_publish(&more).await;
        commits.extend(more);
    }
    world.shows(&view, &commits).await;
    first.leave().await;
    second.leave().await;
    world.shows(&view, &commits).await;
}
