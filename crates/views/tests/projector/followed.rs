//! What comes through the log: in order, twice, with gaps, out of order.

use std::sync::Arc;

use ordain_model::Commit;
use ordain_views::{Accounts, CleanerJobs, JobRequests};

use crate::account::Account;
use crate::world::{Line, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_view_is_the_fold_of_all_events() {
    let world = World::new();
    let (accounts, cleaner_jobs, jobs) =
        (world.run(Accounts), world.run(CleanerJobs), world.run(JobRequests));
    let mut commits: Vec<Arc<Commit>> = Vec::new();
    for number in 0..20 {
        let mut job = Line::of("job-request", &format!("j{number}"));
        let cleaners = r#"["ann","bob","cem","dan","eve","fay"]"#;
        let tasks = r#"[{"id":"t","name":"Mop"}]"#;
        commits.extend([
            job.send("create", &format!(r#"{{"cleaners":{cleaners},"tasks":{tasks}}}"#)),
            job.send("decline", r#"{"cleanerId":"bob"}"#),
            job.send("accept", r#"{"cleanerId":"bob"}"#),
            job.send("accept", r#"{"cleanerId":"ann"}"#),
            job.send("start", "{}"),
            job.send("finish-task", r#"{"taskId":"t"}"#),
            job.send("finish", "{}"),
        ]);
        let (_, deposits) = Line::deposits(&format!("a{number}"), number);
        commits.extend(deposits);
    }
    world.store_and_publish(&commits).await;
    let of = |type_: &str| -> Vec<_> {
        let mut of = commits.clone();
        of.retain(|commit| commit.aggregate.aggregate_type() == type_);
        of
    };
    world.shows(&Accounts, &of("account")).await;
    world.shows(&CleanerJobs, &of("job-request")).await;
    world.shows(&JobRequests, &of("job-request")).await;
    for running in [accounts, cleaner_jobs, jobs] {
        running.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_is_dropped() {
    let mut account = Account::published(3).await;
    let running = account.world.run(Accounts);
    account.is_shown(&Accounts).await;
    account.world.publish(&account.commits).await;
    account.world.publish(&account.commits[1..3]).await;
    account.deposit().await;
    account.is_shown(&Accounts).await;
    running.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_behind_a_later_event_is_dropped() {
    let account = Account::stored(3).await;
    // One batch of the projector holds all of it: 1, 2, 1, 3, 2, 3, 4.
    let order = [0, 1, 0, 2, 1, 2, 3].map(|at: usize| account.commits[at].clone());
    account.world.publish(&order).await;
    account.is_followed(Accounts).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_is_filled_from_the_commits() {
    let account = Account::stored(9).await;
    let (world, commits) = (&account.world, &account.commits);
    let running = world.run(Accounts);
    for published in [&commits[..1], &commits[4..5], &commits[9..]] {
        world.publish(published).await;
        world.reached(&Accounts, &account.line.aggregate, published[0].sequence).await;
    }
    account.is_shown(&Accounts).await;
    running.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_has_forgotten_the_beginning_is_enough() {
    let account = Account::stored(30).await;
    account.world.publish(&account.commits[30..]).await;
    account.is_followed(Accounts).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_overtake_others_change_nothing() {
    let account = Account::stored(5).await;
    for commit in [3, 1, 0, 5, 2, 4] {
        account.world.publish(&account.commits[commit..=commit]).await;
    }
    account.is_followed(Accounts).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn types_that_are_not_followed_only_move_the_progress() {
    let account = Account::stored(1).await;
    let mut job = Line::of("job-request", "j");
    let created = job.send("create", r#"{"cleaners":[],"tasks":[]}"#);
    account.world.store_and_publish(&[created]).await;
    account.world.publish(&account.commits).await;
    account.is_followed(Accounts).await;
    assert_eq!(account.world.place(&Accounts, &job.aggregate).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projector_goes_on_where_the_one_before_stopped() {
    let account = Account::published(3).await;
    account.is_followed(Accounts).await;
    let mut account = account.restart().await;
    account.deposit().await;
    account.is_followed(Accounts).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_projectors_share_the_lanes_of_one_view() {
    let world = World::new();
    let first = world.run(Accounts);
    let mut commits = Vec::new();
    for number in 0..30 {
        commits.extend(Line::deposits(&format!("a{number}"), 5).1);
    }
    world.store_and_publish(&commits[..60]).await;
    let second = world.run(Accounts);
    world.store_and_publish(&commits[60..120]).await;
    world.shows(&Accounts, &commits[..120]).await;
    first.leave().await;
    world.store_and_publish(&commits[120..]).await;
    world.shows(&Accounts, &commits).await;
    second.leave().await;
}
