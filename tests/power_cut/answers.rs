//! What a server answered over HTTP, and whether an image still holds it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use ordain_embedded::{Home, Settings};
use ordain_model::{AggregateKey, Commit};
use ordain_ports::{Content, Input, Load, Published};
use ordain_tests::workload::{self, KINDS};
use serde_json::Value;

use crate::check::within_limit;
use crate::images::Facts;
use crate::traced::Step;

/// The writer that goes on in an image.
const GOES_ON: u32 = 0;
const VIEW: &str = "accounts";

/// Everything that was answered up to some moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answers {
    /// The outcomes, by aggregate and request id.
    pub(crate) outcomes: BTreeMap<(AggregateKey, String), Value>,
    /// The largest revision and sequence that was shown of each aggregate.
    states: BTreeMap<AggregateKey, (u64, u64)>,
    /// The largest sequence that was shown of each account's row.
    rows: BTreeMap<AggregateKey, u64>,
}

fn key(of: &Value) -> Option<AggregateKey> {
    AggregateKey::new("default", of["type"].as_str()?, of["id"].as_str()?).ok()
}

impl Answers {
    /// Takes an answer in.
    fn answered(&mut self, body: &Value) -> Option<()> {
        if let Some(result) = body.get("result") {
            return self.answered(result);
        }
        if body["outcome"].is_string() {
            let request = body["requestId"].as_str()?.to_owned();
            let outcome = (key(body)?, request);
            let before = self.outcomes.entry(outcome).or_insert_with(|| body.clone());
            assert_eq!(before, body, "a request was answered in two ways");
        } else if body["state"].is_object() {
            let shown = self.states.entry(key(body)?).or_default();
            shown.0 = shown.0.max(body["revision"].as_u64()?);
            shown.1 = shown.1.max(body["sequence"].as_u64()?);
        } else if body["view"] == VIEW {
            let account = AggregateKey::new("default", "account", body["key"].as_str()?).ok()?;
            let shown = self.rows.entry(account).or_default();
            *shown = body["sequence"].as_u64()?.max(*shown);
        }
        Some(())
    }

    /// Whether an outcome, a state and a row were answered at all.
    pub(crate) fn are_of_all_kinds(&self) -> bool {
        !self.outcomes.is_empty() && !self.states.is_empty() && !self.rows.is_empty()
    }
}

impl Facts for Answers {
    fn hear(&mut self, step: &Step) {
        if let Step::Answered(body) = step {
            self.answered(body);
        }
    }

    fn check(&self, directory: &Path) -> Result<()> {
        within_limit(check_twice(self, directory))
    }
}

fn open(directory: &Path) -> Result<Home> {
    let settings =
        Settings { free_bytes_min_commands: 0, free_bytes_min: 0, ..Settings::default() };
    Ok(Home::open(directory, &settings)?)
}

async fn check_twice(answers: &Answers, directory: &Path) -> Result<()> {
    let home = open(directory).context("opening the image")?;
    let first = check(answers, &home).await.context("reading the image")?;
    for job in 0..KINDS {
        workload::perform(&home, GOES_ON, job).await.context("going on")?;
    }
    home.close().await;
    drop(home);
    let home = open(directory).context("opening it again")?;
    let second = check(answers, &home).await.context("reading it again")?;
    ensure!(first == second, "there is another history when it is opened again");
    for job in KINDS..2 * KINDS {
        workload::perform(&home, GOES_ON, job).await.context("going on again")?;
    }
    home.close().await;
    Ok(())
}

type Histories = BTreeMap<AggregateKey, Vec<Arc<Commit>>>;

/// The histories of all aggregates that were ever answered of, and that everything fits together.
async fn check(answers: &Answers, home: &Home) -> Result<Histories> {
    let mut histories = Histories::new();
    let of_outcomes = answers.outcomes.keys().map(|(aggregate, _)| aggregate);
    for aggregate in of_outcomes.chain(answers.states.keys()).chain(answers.rows.keys()) {
        if !histories.contains_key(aggregate) {
            let history = history(home, aggregate).await.with_context(|| aggregate.to_string())?;
            histories.insert(aggregate.clone(), history);
        }
    }
    for ((aggregate, request), answered) in &answers.outcomes {
        let found = find(home, aggregate, request).await?;
        let found = found.with_context(|| format!("{request} of {aggregate} is missing"))?;
        is_answered(&found, answered).with_context(|| format!("{request} of {aggregate}"))?;
    }
    for (aggregate, (revision, sequence)) in &answers.states {
        let last = histories.get(aggregate).and_then(|history| history.last());
        let last = last.with_context(|| format!("{aggregate} was shown, and is missing"))?;
        let there = last.revision >= *revision && last.sequence >= *sequence;
        ensure!(there, "{aggregate} was shown at {sequence}, and is at {}", last.sequence);
    }
    let published = published(home, &histories).await.context("the log of events")?;
    rows(answers, home, (&histories, &published)).await?;
    progress(home, (&histories, &published)).await?;
    Ok(histories)
}

async fn find(home: &Home, aggregate: &AggregateKey, request: &str) -> Result<Option<Arc<Commit>>> {
    let found = home.outcomes().find(&[(aggregate.clone(), request.parse()?)]).await?;
    Ok(found.into_iter().next().flatten())
}

/// Revisions, sequences and times without gap, and each commit the outcome of its request.
async fn history(home: &Home, aggregate: &AggregateKey) -> Result<Vec<Arc<Commit>>> {
    // No snapshot has this fold version, so all commits are given.
    let load = Load { aggregate: aggregate.clone(), fold_version: u32::MAX };
    let stored = home.commits().load(&[load]).await?;
    let tail = stored.into_iter().next().context("nothing was loaded")?.tail;
    let (mut revision, mut sequence) = (0, 0);
    for commit in &tail {
        revision += 1;
        ensure!(commit.revision == revision, "{} stands at {revision}", commit.revision);
        for event in &commit.events {
            sequence += 1;
            ensure!(event.sequence == sequence, "event {} at {sequence}", event.sequence);
        }
        ensure!(commit.sequence == sequence, "revision {revision} is at {}", commit.sequence);
        let found = find(home, aggregate, commit.request.as_str()).await?;
        ensure!(found.as_ref() == Some(commit), "revision {revision} is not its own outcome");
    }
    Ok(tail)
}

fn is_answered(commit: &Commit, answered: &Value) -> Result<()> {
    let same = answered["revision"] == commit.revision
        && answered["sequence"] == commit.sequence
        && answered["outcome"] == commit.outcome.name()
        && answered["time"] == commit.time.to_string();
    ensure!(same, "{answered} was answered, and there is {commit:?}");
    let events = answered["events"].as_array().context("an outcome has events")?;
    ensure!(events.len() == commit.events.len(), "{answered} has other events: {commit:?}");
    for (answered, event) in events.iter().zip(&commit.events) {
        let data: Value = event.data.decode()?;
        let same = answered["sequence"] == event.sequence
            && answered["type"] == event.name.as_str()
            && answered["data"] == data
            && answered["time"] == event.time.to_string();
        ensure!(same, "{answered} was answered, and there is {event:?}");
    }
    Ok(())
}

/// Up to where the events of each aggregate stand in the log: each that of its commit, in order
/// and without gap; there may be repeats.
async fn published(home: &Home, histories: &Histories) -> Result<BTreeMap<AggregateKey, u64>> {
    let mut published: BTreeMap<AggregateKey, u64> = BTreeMap::new();
    for event in workload::all_events(home).await? {
        let Some(history) = histories.get(&event.aggregate) else { continue };
        let last = published.entry(event.aggregate.clone()).or_default();
        let sequence = event.event.sequence;
        ensure!(sequence <= *last + 1, "{} of {} is behind {last}", sequence, event.aggregate);
        *last = sequence.max(*last);
        ensure!(is_committed(&event, history), "an event without its commit: {event:?}");
    }
    Ok(published)
}

fn is_committed(published: &Published, history: &[Arc<Commit>]) -> bool {
    history.iter().any(|commit| {
        commit.request == published.request && commit.events.contains(&published.event)
    })
}

type Known<'a> = (&'a Histories, &'a BTreeMap<AggregateKey, u64>);

/// The row of an account is the fold of its events up to the row's sequence, is not before what
/// was shown, not behind what is published, and not before its mark.
async fn rows(answers: &Answers, home: &Home, (histories, published): Known<'_>) -> Result<()> {
    for (account, history) in histories {
        if account.aggregate_type() != "account" {
            continue;
        }
        let rows = home.view_store().rows(VIEW, &[account.id().to_owned()]).await?;
        let row = rows.into_iter().next().flatten();
        let sequence = row.as_ref().map_or(0, |row| row.sequence);
        let shown = answers.rows.get(account).copied().unwrap_or(0);
        ensure!(sequence >= shown, "the row of {account} was at {shown}, and is at {sequence}");
        let last = published.get(account).copied().unwrap_or(0);
        ensure!(sequence <= last, "the row of {account} is at {sequence}, the log at {last}");
        let marks = home.view_store().marks(VIEW, std::slice::from_ref(account)).await?;
        let mark = marks.into_iter().next().flatten().unwrap_or(0);
        ensure!(mark <= sequence, "the mark of {account} is at {mark}, its row at {sequence}");
        if let Some(body) = row.and_then(|row| row.body) {
            let row: Value = body.decode()?;
            let funds = funds(history, sequence)?;
            ensure!(row["funds"] == funds, "{account} has {funds} at {sequence}: {row}");
        }
    }
    Ok(())
}

fn funds(history: &[Arc<Commit>], sequence: u64) -> Result<i64> {
    let mut funds = 0;
    for event in history.iter().flat_map(|commit| &commit.events) {
        let data: Value = event.data.decode()?;
        let amount = data["amount"].as_i64().unwrap_or(0);
        match event.name.as_str() {
            _ if event.sequence > sequence => break,
            "deposited" => funds += amount,
            "withdrawn" => funds -= amount,
            _ => {}
        }
    }
    Ok(funds)
}

/// What lies below the progress is done: decided and published. What lies above can be read.
async fn progress(home: &Home, (histories, published): Known<'_>) -> Result<()> {
    let progress = home.command_log().progress().await?;
    for (aggregate, history) in histories {
        for commit in history {
            let source = commit.source;
            let saved = progress.get(source.partition as usize).copied().flatten();
            let last = published.get(aggregate).copied().unwrap_or(0);
            let done = source.offset >= saved.unwrap_or(0) || commit.sequence <= last;
            ensure!(done, "progress {saved:?} is above {source:?}, which is not published");
        }
    }
    let ends = home.command_log().ends().await?;
    let mut feed = home.join_requests();
    for _ in 0..home.partitions() {
        let lane = feed.lane().await?.context("a member that has not left gets a lane")?;
        let mut offset = lane.progress().unwrap_or(0);
        let end = ends.get(lane.partition() as usize).copied().unwrap_or(0);
        ensure!(offset <= end, "progress {offset} is above the end {end}");
        while offset < end {
            let Input::Records(records) = lane.next(1_000, 1 << 20).await? else {
                bail!("a lane was revoked");
            };
            for record in records {
                ensure!(record.position.offset == offset, "there is no record at {offset}");
                ensure!(
                    matches!(record.content, Content::Whole(_)),
                    "a damaged record: {record:?}"
                );
                offset += 1;
            }
        }
    }
    Ok(())
}
