//! When it is saved that records are done, folded or passed over, and what a crash before that
//! costs.

use std::sync::Arc;

use ordain_model::Commit;
use ordain_ports::Published;
use ordain_testkit::{faulty, until};
use ordain_views::{Accounts, CleanerJobs, Settings};

use crate::account::Account;
use crate::scripted::Script;
use crate::world::{Line, Running, World, published, run_with};

/// One record a batch, and no limit but those that a test sets.
fn settings() -> Settings {
    Settings {
        batch_records_max: 1,
        unsaved_records_max: usize::MAX,
        unsaved_ms_max: u64::MAX,
        retry_ms_max: 20,
        ..Settings::default()
    }
}

fn follow(world: &World, script: &Script, settings: Settings) -> Running {
    run_with(CleanerJobs, world.ports(), script.feed(), settings)
}

/// An event that concerns the view of jobs.
fn job_for_ann() -> Arc<Commit> {
    Line::of("job-request", "j").send("create", r#"{"cleaners":["ann"],"tasks":[]}"#)
}

/// So many events of an account, which does not concern the view of jobs.
pub(crate) fn strange(count: usize) -> Vec<Published> {
    let (_, commits) = Line::deposits("a", count - 1);
    commits.iter().flat_map(|commit| published(commit)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_passed_over_is_saved_once_it_is_many_records_and_when_the_lane_ends() {
    let (world, script) = (World::new(), Script::default());
    script.add(strange(7));
    let running = follow(&world, &script, Settings { unsaved_records_max: 3, ..settings() });
    script.taken().await;
    running.leave().await;
    assert_eq!(script.saves(), [3, 6, 7]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_lane_saves_what_it_has_passed_over() {
    let (world, script) = (World::new(), Script::default());
    let running = follow(&world, &script, Settings { unsaved_ms_max: 20, ..settings() });
    for progress in [2, 4] {
        script.add(strange(2));
        script.saved_up_to(progress).await;
    }
    running.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_that_is_never_idle_saves_what_it_has_passed_over_in_time_too() {
    let (world, script) = (World::new(), Script::default());
    script.add(strange(3));
    let running = follow(&world, &script, Settings { unsaved_ms_max: 0, ..settings() });
    script.taken().await;
    running.leave().await;
    assert_eq!(script.saves(), [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_folded_is_saved_with_what_was_passed_over() {
    let (world, script) = (World::new(), Script::default());
    let commit = job_for_ann();
    world.store(std::slice::from_ref(&commit)).await;
    script.add(strange(2));
    script.add(published(&commit));
    script.add(strange(2));
    let running = follow(&world, &script, Settings { unsaved_records_max: 3, ..settings() });
    script.taken().await;
    world.shows(&CleanerJobs, &[commit]).await;
    running.leave().await;
    assert_eq!(script.saves(), [3, 5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_that_stops_saves_what_it_has_passed_over() {
    let (world, script) = (World::new(), Script::default());
    let mut job = Line::of("job-request", "j");
    script.add(strange(2));
    script.add(published(&job.happen("teleported", 1, "{}")));
    let running = follow(&world, &script, settings());
    script.saved_up_to(2).await;
    running.leave().await;
    assert_eq!(script.saves(), [2]);
}

/// A crash costs reading less than the limit again; a view that follows all of it sees repeats
/// at most.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_crash_fewer_records_than_the_limit_are_passed_over_again() {
    let account = Account::published(24).await;
    let world = &account.world;
    let (feed, control) = faulty::Feed::wrap(world.feed(&CleanerJobs));
    let settings = Settings { unsaved_records_max: 10, ..settings() };
    let running = run_with(CleanerJobs, world.ports(), feed, settings.clone());
    until("the second save", || async { (control.saves_asked().len() == 2).then_some(()) }).await;
    running.crash().await;
    let saved: Vec<u64> = control.saves_asked().iter().map(|(_, progress)| *progress).collect();
    assert_eq!(saved, [10, 20], "25 records");
    let (feed, control) = faulty::Feed::wrap(world.feed(&CleanerJobs));
    let running = run_with(CleanerJobs, world.ports(), feed, settings);
    let created = [job_for_ann()];
    world.store_and_publish(&created).await;
    world.shows(&CleanerJobs, &created).await;
    running.leave().await;
    let (partition, ended) = control.saves_asked().pop().unwrap();
    assert!(ended >= 1, "partition {partition}");
    // Whoever follows the account has missed nothing and counts nothing twice.
    account.is_followed(Accounts).await;
    assert_eq!(account.place(&CleanerJobs).await, None);
}
