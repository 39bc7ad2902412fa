//! The rows that a lane remembers: not read again, and never trusted where another projector may
//! have changed them.

use std::sync::Arc;

use ordain_model::{AggregateKey, Json, Unprocessable};
use ordain_ports::{Mark, Published, Row, RowWrite, SoleRow};
use ordain_views::{Accounts, Change, Settings, View};

use crate::scripted::Script;
use crate::staged::Staged;
use crate::world::{Line, World, published, run_with};

fn settings() -> Settings {
    Settings { batch_records_max: 1, retry_ms_max: 20, ..Settings::default() }
}

/// A view that can fold an event only into the row that the one before has left; with marks, or
/// with sole rows.
#[derive(Clone, Copy)]
enum Strict {
    Marked,
    Sole,
}

impl View for Strict {
    fn name(&self) -> &'static str {
        "strict"
    }

    fn sole_row(&self) -> Option<SoleRow> {
        match self {
            Self::Marked => None,
            Self::Sole => Some(AggregateKey::as_str),
        }
    }

    fn follows(&self) -> &'static [&'static str] {
        &["account"]
    }

    fn changes(&self, event: &Published) -> Result<Vec<Change>, Unprocessable> {
        let sequence = event.event.sequence;
        let fold = move |row: Option<&Json>| {
            let before: u64 = row.map_or(0, |row| row.as_str().parse().unwrap());
            if before + 1 == sequence {
                return Ok(Some(number(sequence)));
            }
            let why = format!("event {sequence} on a row of {before}");
            Err(Unprocessable { what: "row".to_owned(), why })
        };
        Ok(vec![Change::new(event.aggregate.as_str(), fold)])
    }
}

fn number(number: u64) -> Json {
    Json::try_from(number.to_string()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_the_lane_has_written_is_not_read_again() {
    let (world, script) = (World::new(), Script::default());
    let (_, commits) = Line::deposits("a", 9);
    world.store(&commits).await;
    let staged = Staged::new(world.home.view_store());
    let mut ports = world.ports();
    ports.views = Arc::clone(&staged) as _;
    script.add(commits.iter().flat_map(|commit| published(commit)));
    let running = run_with(Accounts, ports, script.feed(), settings());
    world.shows(&Accounts, &commits).await;
    running.leave().await;
    assert_eq!(staged.rows_read().len(), 1, "{:?}", staged.rows_read());
    // Nor is a mark kept beside a sole row.
    let of = std::slice::from_ref(&commits[0].aggregate);
    assert_eq!(world.home.view_store().marks(Accounts.name(), of).await.unwrap(), [None]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_that_may_remember_nothing_reads_every_row() {
    let (world, script) = (World::new(), Script::default());
    let (_, commits) = Line::deposits("a", 9);
    world.store(&commits).await;
    let staged = Staged::new(world.home.view_store());
    let mut ports = world.ports();
    ports.views = Arc::clone(&staged) as _;
    script.add(commits.iter().flat_map(|commit| published(commit)));
    let lean = Settings { lane_rows_bytes_max: 0, ..settings() };
    let running = run_with(Accounts, ports, script.feed(), lean);
    world.shows(&Accounts, &commits).await;
    running.leave().await;
    assert_eq!(staged.rows_read().len(), 10);
}

/// Writes row and mark of the aggregate as another projector of the view.
async fn write_as_another(world: &World, view: Strict, line: &Line, expected: u64) {
    let (views, aggregate) = (world.home.view_store(), line.aggregate.clone());
    let sequence = expected + 1;
    let row = Row {
        key: aggregate.as_str().to_owned(),
        aggregate: aggregate.clone(),
        sequence,
        body: Some(number(sequence)),
    };
    let write = RowWrite { expected: Some(expected), row };
    assert_eq!(views.write(view.name(), vec![write]).await.unwrap(), [true]);
    if view.sole_row().is_some() {
        return;
    }
    let mark = Mark { aggregate, expected: Some(expected), sequence };
    assert_eq!(views.set_marks(view.name(), vec![mark]).await.unwrap(), [true]);
}

/// The lane remembers the row, or the row and the mark, as of before another projector wrote.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_remembered_row_that_another_projector_has_changed_stops_no_lane() {
    for view in [Strict::Marked, Strict::Sole] {
        for lane_marks_max in [0, 100] {
            let (world, script) = (World::new(), Script::default());
            let (line, commits) = Line::deposits("a", 2);
            world.store(&commits).await;
            let settings = Settings { lane_marks_max, ..settings() };
            let running = run_with(view, world.ports(), script.feed(), settings);
            script.add(published(&commits[0]));
            script.saved_up_to(1).await;
            write_as_another(&world, view, &line, 1).await;
            script.add(published(&commits[2]));
            world.shows(&view, &commits).await;
            running.leave().await;
        }
    }
}

/// The lane goes to another projector and comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_that_comes_back_knows_nothing_of_its_rows_as_they_were() {
    comes_back(Strict::Marked).await;
    comes_back(Strict::Sole).await;
}

async fn comes_back(view: Strict) {
    let world = World::new();
    let mut lines: Vec<Line> = (0..12).map(|n| Line::account(&format!("a{n}"))).collect();
    let mut commits: Vec<_> = lines.iter_mut().map(|line| line.send("open", "{}")).collect();
    world.store_and_publish(&commits).await;
    let first = world.run(view);
    world.shows(&view, &commits).await;
    let second = world.run(view);
    let more: Vec<_> = lines.iter_mut().map(Line::deposit).collect();
    world.store_and_publish(&more).await;
    commits.extend(more);
    world.shows(&view, &commits).await;
    second.leave().await;
    let more: Vec<_> = lines.iter_mut().map(Line::deposit).collect();
    world.store_and_publish(&more).await;
    commits.extend(more);
    world.shows(&view, &commits).await;
    first.leave().await;
}
