//! Crashes between the steps of a batch: rows, marks, progress.

use ordain_ports::RowRange;
use ordain_testkit::{Gate, faulty};
use ordain_views::{Accounts, View};

use crate::staged::{Call, Fate, Staged};
use crate::world::{Line, Marked, World, run};

async fn rows_written(world: &World, view: &dyn View) -> usize {
    let range = RowRange { limit: 10, ..RowRange::default() };
    world.home.view_store().list(view.name(), &range).await.unwrap().rows.len()
}

/// The rows are written, the mark is not (C11).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_is_folded_twice_after_a_crash_between_row_and_mark() {
    let world = World::new();
    let (mut line, mut commits) = Line::deposits("a", 3);
    world.store_and_publish(&commits).await;
    let staged = Staged::new(world.home.view_store());
    let gate = Gate::shut();
    staged.plan(Call::SetMarks, Fate::PausedBefore(gate.clone()));
    let mut ports = world.ports();
    ports.views = staged;
    let running = run(Marked, ports, world.feed(&Marked));
    gate.reached().await;
    running.crash().await;
    assert_eq!(rows_written(&world, &Marked).await, 1);
    assert_eq!(world.place(&Marked, &line.aggregate).await, None);
    commits.push(line.deposit());
    world.store_and_publish(&commits[4..]).await;
    let running = world.run(Marked);
    world.shows(&Marked, &commits).await;
    running.leave().await;
}

/// Where the row is the mark, nothing comes between them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sole_row_says_itself_how_far_it_is_folded() {
    let world = World::new();
    let (mut line, mut commits) = Line::deposits("a", 3);
    world.store_and_publish(&commits).await;
    let staged = Staged::new(world.home.view_store());
    let gate = Gate::shut();
    staged.plan(Call::Write, Fate::PausedAfter(gate.clone()));
    let mut ports = world.ports();
    ports.views = staged;
    let running = run(Accounts, ports, world.feed(&Accounts));
    gate.reached().await;
    running.crash().await;
    assert_eq!(rows_written(&world, &Accounts).await, 1);
    assert_eq!(world.place(&Accounts, &line.aggregate).await, Some(4));
    commits.push(line.deposit());
    world.store_and_publish(&commits[4..]).await;
    let running = world.run(Accounts);
    world.shows(&Accounts, &commits).await;
    running.leave().await;
}

/// Before the rows: nothing is left, and nothing is missed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_is_missed_after_a_crash_before_the_row() {
    let world = World::new();
    let (line, commits) = Line::deposits("a", 3);
    world.store_and_publish(&commits).await;
    let staged = Staged::new(world.home.view_store());
    let gate = Gate::shut();
    staged.plan(Call::Write, Fate::PausedBefore(gate.clone()));
    let mut ports = world.ports();
    ports.views = staged;
    let running = run(Accounts, ports, world.feed(&Accounts));
    gate.reached().await;
    running.crash().await;
    assert_eq!(world.place(&Accounts, &line.aggregate).await, None);
    let running = world.run(Accounts);
    world.shows(&Accounts, &commits).await;
    running.leave().await;
}

/// The marks are written, the progress is not (C12), or its answer is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_is_folded_twice_after_a_crash_between_mark_and_progress() {
    for after in [false, true] {
        let world = World::new();
        let (mut line, mut commits) = Line::deposits("a", 3);
        world.store_and_publish(&commits).await;
        let (feed, control) = faulty::Feed::wrap(world.feed(&Accounts));
        let gate = Gate::shut();
        for partition in 0..world.home.event_partitions() {
            let gate = gate.clone();
            control.plan_save(
                partition,
                match after {
                    false => faulty::Save::PausedBefore(gate),
                    true => faulty::Save::PausedAfter(gate),
                },
            );
        }
        let running = run(Accounts, world.ports(), feed);
        gate.reached().await;
        running.crash().await;
        assert_eq!(world.place(&Accounts, &line.aggregate).await, Some(4));
        let world = world.restart().await;
        commits.push(line.deposit());
        world.store_and_publish(&commits[4..]).await;
        let running = world.run(Accounts);
        world.shows(&Accounts, &commits).await;
        running.leave().await;
    }
}
