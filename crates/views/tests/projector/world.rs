//! A world for one test: a home in a directory of its own, aggregates that the rules decide, and
//! projectors.

use std::collections::BTreeMap;
use std::sync::Arc;

use ordain_domain::registry;
use ordain_embedded::Home;
use ordain_model::{
    AggregateKey, Commit, Decision, Event, Fingerprint, Handler, Json, Outcome, Source, State,
    Timestamp, Unprocessable,
};
use ordain_ports::{Clock, Feed, NoSpans, Published, RowRange, SystemClock, ViewStore};
use ordain_testkit::{Gate, faulty, until, within};
use ordain_views::{Accounts, Change, Ports, Projector, Settings, View};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::staged::{Staged, Stops};

pub(crate) struct World {
    pub(crate) home: Home,
    directory: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { home: open(&directory), directory }
    }

    /// Closes the home and opens its directory again.
    pub(crate) async fn restart(self) -> Self {
        let Self { home, directory } = self;
        within("the home to close", home.close()).await;
        drop(home);
        Self { home: open(&directory), directory }
    }

    pub(crate) fn ports(&self) -> Ports {
        Ports {
            commits: self.home.commits(),
            views: self.home.view_store(),
            dead_letters: self.home.dead_letters(),
            spans: Arc::new(NoSpans),
            clock: Arc::new(SystemClock),
        }
    }

    /// The same, with this store of views.
    pub(crate) fn ports_over(&self, views: &Arc<Staged>) -> Ports {
        Ports { views: Arc::clone(views) as Arc<dyn ViewStore>, ..self.ports() }
    }

    /// The store of views, to be told what becomes of its calls.
    pub(crate) fn staged(&self) -> Arc<Staged> {
        Staged::new(self.home.view_store())
    }

    /// Joins the group that the view's projectors share.
    pub(crate) fn feed(&self, view: &dyn View) -> Box<dyn Feed<Published>> {
        self.home.join_events(&Projector::group(view))
    }

    pub(crate) fn run(&self, view: impl View) -> Running {
        let feed = self.feed(&view);
        run(view, self.ports(), feed)
    }

    /// Has a projector run over this store of views.
    pub(crate) fn run_over(&self, views: &Arc<Staged>, view: impl View) -> Running {
        let feed = self.feed(&view);
        run(view, self.ports_over(views), feed)
    }

    /// Has a projector run by this feed until it stops there, and gives the gate that lets it go
    /// on.
    pub(crate) async fn run_until(
        &self,
        view: impl View,
        feed: Box<dyn Feed<Published>>,
        stops: Stops,
    ) -> (Running, Gate) {
        let staged = self.staged();
        let gate = staged.stop(stops);
        let running = run(view, self.ports_over(&staged), feed);
        gate.reached().await;
        (running, gate)
    }

    /// Has a projector run and crash there.
    pub(crate) async fn crash(&self, view: impl View, at: Stops) {
        let feed = self.feed(&view);
        let (running, _) = self.run_until(view, feed, at).await;
        running.crash().await;
    }

    /// The view's feed. In every lane the first saves of progress meet these, one after the other.
    pub(crate) fn feed_that_saves(
        &self,
        view: &dyn View,
        saves: &[faulty::Save],
    ) -> (Box<dyn Feed<Published>>, faulty::Control) {
        let (feed, control) = faulty::Feed::wrap(self.feed(view));
        for partition in 0..self.home.event_partitions() {
            saves.iter().for_each(|save| control.plan_save(partition, save.clone()));
        }
        (feed, control)
    }

    pub(crate) async fn store(&self, commits: &[Arc<Commit>]) {
        let inserted = self.home.commits().insert(commits).await;
        assert!(inserted.stop.is_none(), "{inserted:?}");
    }

    pub(crate) async fn publish(&self, commits: &[Arc<Commit>]) {
        self.home.event_log().publish(commits).await.unwrap();
    }

    pub(crate) async fn store_and_publish(&self, commits: &[Arc<Commit>]) {
        self.store(commits).await;
        self.publish(commits).await;
    }

    /// Up to where the view has come with the aggregate.
    pub(crate) async fn place(&self, view: &dyn View, of: &AggregateKey) -> Option<u64> {
        self.home.view_store().reached(view.name(), view.sole_row(), of).await.unwrap()
    }

    /// Waits until the view has reached this sequence of the aggregate.
    pub(crate) async fn reached(&self, view: &dyn View, of: &AggregateKey, sequence: u64) {
        let what = format!("{} to reach {sequence} of {of}", view.name());
        until(&what, || async { (self.place(view, of).await >= Some(sequence)).then_some(()) })
            .await;
    }

    /// The rows of the view: what each says and the sequence it is of.
    pub(crate) async fn rows(&self, view: &dyn View) -> Rows {
        rows(self.home.view_store().as_ref(), view).await
    }

    /// Waits until the view has reached all these commits, and holds it against the fold of them.
    pub(crate) async fn shows(&self, view: &dyn View, commits: &[Arc<Commit>]) {
        for commit in commits {
            self.reached(view, &commit.aggregate, commit.sequence).await;
        }
        assert_eq!(self.rows(view).await, fold(view, commits));
    }
}

/// The accounts, with marks beside their rows, as a view without sole rows has them.
#[derive(Clone, Copy)]
pub(crate) struct Marked;

impl View for Marked {
    fn name(&self) -> &'static str {
        "marked"
    }

    fn follows(&self) -> &'static [&'static str] {
        Accounts.follows()
    }

    fn changes(&self, event: &Published) -> Result<Vec<Change>, Unprocessable> {
        Accounts.changes(event)
    }
}

fn open(directory: &TempDir) -> Home {
    let settings = ordain_embedded::Settings { partitions: Some(3), ..Default::default() };
    Home::open(directory.path(), &settings).unwrap()
}

pub(crate) type Rows = BTreeMap<String, (u64, String)>;

pub(crate) async fn rows(store: &dyn ViewStore, view: &dyn View) -> Rows {
    let range = RowRange { limit: 10_000, ..RowRange::default() };
    let list = store.list(view.name(), &range).await.unwrap();
    assert_eq!(list.next, None);
    let row = |row: ordain_ports::Row| (row.key, (row.sequence, String::from(row.body.unwrap())));
    list.rows.into_iter().map(row).collect()
}

/// What the rows must be, by the plainest fold there is.
pub(crate) fn fold(view: &dyn View, commits: &[Arc<Commit>]) -> Rows {
    let mut rows: BTreeMap<String, (u64, Json)> = BTreeMap::new();
    for event in commits.iter().flat_map(|commit| published(commit)) {
        if view.follows().contains(&event.aggregate.aggregate_type()) {
            for change in view.changes(&event).unwrap() {
                let row = rows.get(change.key()).map(|(_, row)| row);
                let row = change.apply(row).unwrap().unwrap();
                rows.insert(change.key().to_owned(), (event.event.sequence, row));
            }
        }
    }
    rows.into_iter().map(|(key, (sequence, row))| (key, (sequence, String::from(row)))).collect()
}

pub(crate) fn published(commit: &Commit) -> Vec<Published> {
    let published = |event: &Event| Published {
        aggregate: commit.aggregate.clone(),
        request: commit.request.clone(),
        event: event.clone(),
        trace: commit.trace,
    };
    commit.events.iter().map(published).collect()
}

/// A projector at work.
pub(crate) struct Running {
    task: JoinHandle<Result<(), ordain_ports::Error>>,
    leave: CancellationToken,
}

pub(crate) fn run(view: impl View, ports: Ports, feed: Box<dyn Feed<Published>>) -> Running {
    let settings = Settings {
        history_commits_max: 2,
        round_changes_max: 5,
        retry_ms_max: 20,
        ..Settings::default()
    };
    run_with(view, ports, feed, settings)
}

pub(crate) fn run_with(
    view: impl View,
    ports: Ports,
    feed: Box<dyn Feed<Published>>,
    settings: Settings,
) -> Running {
    let leave = CancellationToken::new();
    let projector = Projector::new(Arc::new(view), ports, settings);
    Running { task: tokio::spawn(projector.run(feed, leave.clone())), leave }
}

impl Running {
    /// Ends it as a crash does: it never comes to its next step.
    pub(crate) async fn crash(self) {
        self.task.abort();
        assert!(within("the end", self.task).await.unwrap_err().is_cancelled());
    }

    pub(crate) async fn leave(self) {
        self.leave.cancel();
        self.ended().await.unwrap();
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(self) -> Result<(), ordain_ports::Error> {
        within("the projector to end", self.task).await.unwrap()
    }
}

/// An aggregate and the commits that the rules make of what it is sent.
pub(crate) struct Line {
    pub(crate) aggregate: AggregateKey,
    handler: Arc<dyn Handler>,
    state: State,
    revision: u64,
    pub(crate) sequence: u64,
}

impl Line {
    pub(crate) fn account(id: &str) -> Self {
        Self::of("account", id)
    }

    pub(crate) fn of(type_: &str, id: &str) -> Self {
        let handler = Arc::clone(registry().unwrap().get(type_).unwrap());
        Self {
            aggregate: AggregateKey::new("default", type_, id).unwrap(),
            state: handler.initial(),
            handler,
            revision: 0,
            sequence: 0,
        }
    }

    /// An account that was opened and given so many single units, one commit each.
    pub(crate) fn deposits(id: &str, deposits: usize) -> (Self, Vec<Arc<Commit>>) {
        let mut line = Self::account(id);
        let mut commits = vec![line.send("open", "{}")];
        commits.extend((0..deposits).map(|_| line.deposit()));
        (line, commits)
    }

    pub(crate) fn deposit(&mut self) -> Arc<Commit> {
        self.send("deposit", r#"{"amount":1}"#)
    }

    /// The commit that this command makes, refusals too.
    pub(crate) fn send(&mut self, command: &str, body: &str) -> Arc<Commit> {
        let body = Json::try_from(body.to_owned()).unwrap();
        let (outcome, new) = match self.handler.decide(&self.state, command, &body).unwrap() {
            Decision::Accepted(new) => (Outcome::Success, new),
            Decision::Refused(code) => (Outcome::Fail(code), Vec::new()),
        };
        let mut events = Vec::new();
        for new in new {
            let event = self.event(new.name.as_str(), new.version, new.data);
            self.handler.apply(&mut self.state, &event).unwrap();
            events.push(event);
        }
        self.commit(command, outcome, events)
    }

    /// A commit with an event that no rule made.
    pub(crate) fn happen(&mut self, name: &str, version: u32, data: &str) -> Arc<Commit> {
        let event = self.event(name, version, Json::try_from(data.to_owned()).unwrap());
        self.commit("deposit", Outcome::Success, vec![event])
    }

    fn event(&mut self, name: &str, version: u32, data: Json) -> Event {
        self.sequence += 1;
        let time = SystemClock.now();
        Event { sequence: self.sequence, name: name.parse().unwrap(), version, data, time }
    }

    fn commit(&mut self, command: &str, outcome: Outcome, events: Vec<Event>) -> Arc<Commit> {
        self.revision += 1;
        let request = format!("r{}", self.revision);
        Arc::new(Commit {
            aggregate: self.aggregate.clone(),
            request: request.parse().unwrap(),
            command: command.parse().unwrap(),
            fingerprint: Fingerprint::of_unreadable(request.as_bytes()),
            revision: self.revision,
            sequence: self.sequence,
            outcome,
            time: events.last().map_or(Timestamp::default(), |event| event.time),
            events,
            source: Source { partition: 0, offset: self.revision, nonce: 0 },
            trace: None,
        })
    }
}
