//! Records that the log deleted before the view read them: their events come from the commits.

use std::sync::Arc;

use ordain_model::Commit;
use ordain_ports::partition_of;
use ordain_testkit::{Gate, faulty, within};
use ordain_views::{Accounts, Ports, Projector, Settings, View};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::scripted::Script;
use crate::world::{Line, Marked, Running, World, fold, published, run_with};

/// As many as the lane's log has partitions.
const PARTITIONS: u32 = 3;

/// A projector that reads short pieces of histories.
fn run(view: impl View, ports: Ports, script: &Script) -> Running {
    let settings = Settings { history_commits_max: 2, ..Settings::default() };
    run_with(view, ports, script.feed(), settings)
}

/// Accounts of all partitions, more than are looked at in two steps, with up to 6 deposits each,
/// which are stored and not published, and a job, which the view does not follow.
async fn lines(world: &World) -> Vec<(Line, Vec<Arc<Commit>>)> {
    let mut lines: Vec<_> = (0..230).map(|n| Line::deposits(&format!("a{n}"), n % 7)).collect();
    let mut job = Line::of("job-request", "j");
    let created = job.send("create", r#"{"cleaners":[],"tasks":[]}"#);
    lines.push((job, vec![created]));
    for (_, commits) in &lines {
        world.store(commits).await;
    }
    lines
}

/// What the lane of partition 0 has to show of them.
fn shown(lines: &[(Line, Vec<Arc<Commit>>)]) -> Vec<Arc<Commit>> {
    let own = |line: &Line| partition_of(&line.aggregate, PARTITIONS) == 0;
    let account = |line: &Line| line.aggregate.aggregate_type() == "account";
    let of_lane = lines.iter().filter(|(line, _)| own(line) && account(line));
    of_lane.flat_map(|(_, commits)| commits.clone()).collect()
}

async fn takes_events_from_the_commits(view: impl View + Copy) {
    let world = World::new();
    let mut lines = lines(&world).await;
    // Of one account the view has come to the middle.
    let at = lines.iter().position(|(line, commits)| {
        commits.len() > 4 && partition_of(&line.aggregate, PARTITIONS) == 0
    });
    let begun = at.unwrap();
    let script = Script::default();
    script.add(lines[begun].1[..2].iter().flat_map(|commit| published(commit)));
    let running = run(view, world.ports(), &script);
    world.reached(&view, &lines[begun].0.aggregate, 2).await;
    running.leave().await;

    let script = Script::default();
    script.lose(200, PARTITIONS);
    let running = run(view, world.ports(), &script);
    script.saved_up_to(200).await;
    assert_eq!(world.rows(&view).await, fold(&view, &shown(&lines)));
    // It reads on behind what is gone.
    let (line, commits) = &mut lines[begun];
    commits.push(line.deposit());
    let last = commits.last().unwrap().clone();
    world.store(std::slice::from_ref(&last)).await;
    script.add(published(&last));
    script.saved_up_to(201).await;
    assert_eq!(world.rows(&view).await, fold(&view, &shown(&lines)));
    running.leave().await;
    assert_eq!(world.home.dead_letters().list(None, 9).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_whose_records_are_gone_are_taken_from_the_commits() {
    takes_events_from_the_commits(Accounts).await;
    takes_events_from_the_commits(Marked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_cannot_be_read_are_read_again() {
    let world = World::new();
    let lines = lines(&world).await;
    let commits = faulty::Commits::new(world.home.commits());
    (0..3).for_each(|_| commits.plan_read(faulty::Read::Unavailable));
    let script = Script::default();
    script.lose(200, PARTITIONS);
    let ports = Ports { commits: commits.clone(), ..world.ports() };
    let running = run(Accounts, ports, &script);
    script.saved_up_to(200).await;
    assert!(commits.is_plan_done());
    assert_eq!(world.rows(&Accounts).await, fold(&Accounts, &shown(&lines)));
    running.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_that_is_revoked_before_all_are_gone_through_saves_nothing() {
    let world = World::new();
    let lines = lines(&world).await;
    let commits = faulty::Commits::new(world.home.commits());
    let gate = Gate::shut();
    commits.plan_read(faulty::Read::PausedAfter(gate.clone()));
    let script = Script::default();
    script.lose(200, PARTITIONS);
    let ports = Ports { commits: commits.clone(), ..world.ports() };
    let running = run(Accounts, ports, &script);
    gate.reached().await;
    let left = tokio::spawn(running.leave());
    ordain_testkit::until("the lane to be revoked", || async { script.has_left().then_some(()) })
        .await;
    gate.open();
    left.await.unwrap();
    assert_eq!(script.saved(), None);
    // The next one begins again, and finds what the first has folded.
    let script = Script::default();
    script.lose(200, PARTITIONS);
    let running = run(Accounts, world.ports(), &script);
    script.saved_up_to(200).await;
    assert_eq!(world.rows(&Accounts).await, fold(&Accounts, &shown(&lines)));
    running.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_cannot_be_read_holds_the_lane_before_all_that_is_gone() {
    let world = World::new();
    let mut lines = lines(&world).await;
    let own = |(line, _): &&mut (Line, _)| partition_of(&line.aggregate, PARTITIONS) == 0;
    let (line, commits) = lines.iter_mut().find(own).unwrap();
    let strange = line.happen("frozen", 1, "{}");
    let aggregate = line.aggregate.clone();
    let before = commits.last().unwrap().sequence;
    world.store(&[strange]).await;
    let script = Script::default();
    script.lose(200, PARTITIONS);
    let (tell, mut told) = mpsc::unbounded_channel();
    let report = move |_, why: Option<&str>| drop(tell.send(why.map(str::to_owned)));
    let projector = Projector::new(Arc::new(Accounts), world.ports(), Settings::default());
    let leave = CancellationToken::new();
    let running = projector.reporting(Arc::new(report)).run(script.feed(), leave.clone());
    let running = tokio::spawn(running);
    let why = within("the lane to be stopped", told.recv()).await.unwrap().unwrap();
    assert!(why.starts_with("at offset 0: "), "{why}");
    leave.cancel();
    within("the projector to end", running).await.unwrap().unwrap();
    assert_eq!(script.saved(), None);
    assert_eq!(world.place(&Accounts, &aggregate).await, Some(before));
}
