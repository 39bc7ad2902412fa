//! The rows that a lane remembers: not read again, and never trusted where another projector may
//! have changed them.

use std::sync::Arc;

use ordain_model::{AggregateKey, Commit, Json, Unprocessable};
use ordain_ports::{Mark, Published, Row, RowWrite, SoleRow};
use ordain_views::{Accounts, Change, Settings, View};

use crate::account::Account;
use crate::scripted::Script;
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

/// An account of ten events, each folded in a batch of its own; and the keys of the rows that were
/// read for that.
async fn folded(settings: Settings) -> (Account, Vec<String>) {
    let (account, script) = (Account::stored(9).await, Script::default());
    let staged = account.world.staged();
    script.add(account.commits.iter().flat_map(|commit| published(commit)));
    let ports = account.world.ports_over(&staged);
    let running = run_with(Accounts, ports, script.feed(), settings);
    account.is_shown(&Accounts).await;
    running.leave().await;
    (account, staged.rows_read())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_the_lane_has_written_is_not_read_again() {
    let (account, read) = folded(settings()).await;
    assert_eq!(read.len(), 1, "{read:?}");
    // Nor is a mark kept beside a sole row.
    let (views, of) = (account.world.home.view_store(), [account.line.aggregate]);
    assert_eq!(views.marks(Accounts.name(), &of).await.unwrap(), [None]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_that_may_remember_nothing_reads_every_row() {
    let (_, read) = folded(Settings { lane_rows_bytes_max: 0, ..settings() }).await;
    assert_eq!(read.len(), 10);
}

/// Writes row and mark of the aggregate as another projector of the view.
async fn write_as_another(account: &Account, view: Strict, expected: u64) {
    let (views, aggregate) = (account.world.home.view_store(), account.line.aggregate.clone());
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
            let (account, script) = (Account::stored(2).await, Script::default());
            let settings = Settings { lane_marks_max, ..settings() };
            let running = run_with(view, account.world.ports(), script.feed(), settings);
            script.add(published(&account.commits[0]));
            script.saved_up_to(1).await;
            write_as_another(&account, view, 1).await;
            script.add(published(&account.commits[2]));
            account.is_shown(&view).await;
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
    deposit_into_all(&world, &mut lines, &mut commits).await;
    world.shows(&view, &commits).await;
    second.leave().await;
    deposit_into_all(&world, &mut lines, &mut commits).await;
    world.shows(&view, &commits).await;
    first.leave().await;
}

async fn deposit_into_all(world: &World, lines: &mut [Line], commits: &mut Vec<Arc<Commit>>) {
    let more: Vec<_> = lines.iter_mut().map(Line::deposit).collect();
    world.store_and_publish(&more).await;
    commits.extend(more);
}
