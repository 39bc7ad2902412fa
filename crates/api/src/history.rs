//! The history of an aggregate, read: folded into a state, or page by page.

use std::sync::Arc;

use ordain_model::{AggregateKey, Commit, Handler, State, Stored};
use ordain_ports::{Commits, Load};

use crate::{Problem, document};

/// How many commits are read at once.
const COMMITS_PER_READ: usize = 500;

/// An aggregate's state as of a sequence.
pub(crate) struct Folded {
    pub(crate) state: State,
    pub(crate) revision: u64,
    pub(crate) sequence: u64,
}

/// A page of events.
pub(crate) struct EventPage {
    pub(crate) events: Vec<Vec<u8>>,
    pub(crate) next: Option<u64>,
}

/// The aggregate as it is now.
pub(crate) async fn now(
    commits: &dyn Commits,
    handler: &dyn Handler,
    key: &AggregateKey,
) -> Result<Folded, Problem> {
    let stored = load(commits, handler, key).await?;
    let mut folded = begin(handler, &stored)?;
    for commit in &stored.tail {
        if commit.revision != folded.revision + 1 {
            let why = format!("gap behind revision {} of {key}", folded.revision);
            return Err(Problem::internal(why));
        }
        folded.apply(handler, commit, u64::MAX)?;
    }
    if folded.sequence == 0 { Err(Problem::unknown_aggregate()) } else { Ok(folded) }
}

/// The aggregate as it was right after the event of that sequence.
pub(crate) async fn as_of(
    commits: &dyn Commits,
    handler: &dyn Handler,
    key: &AggregateKey,
    sequence: u64,
) -> Result<Folded, Problem> {
    let stored = load(commits, handler, key).await?;
    let last = stored.tail.last().map(|commit| commit.sequence);
    let last = last.or(stored.snapshot.as_ref().map(|snapshot| snapshot.sequence)).unwrap_or(0);
    if last == 0 {
        return Err(Problem::unknown_aggregate());
    }
    if last < sequence {
        let why = format_args!("the aggregate has come to sequence {last}");
        return Err(Problem::not_found("SEQUENCE_NOT_REACHED", why));
    }
    let is_below = |stored: &Stored| {
        stored.snapshot.as_ref().is_none_or(|snapshot| snapshot.sequence < sequence)
    };
    let mut folded = if is_below(&stored) {
        let mut folded = begin(handler, &stored)?;
        folded.apply_all(handler, &stored.tail, sequence)?;
        folded
    } else {
        begin(handler, &Stored::default())?
    };
    while folded.sequence < sequence {
        let page = read(commits, key, folded.sequence).await?;
        if page.is_empty() {
            return Err(Problem::internal(format_args!("the history of {key} has an end early")));
        }
        folded.apply_all(handler, &page, sequence)?;
    }
    Ok(folded)
}

/// A page of the aggregate's events from a sequence on, of so many events and bytes at most, but
/// one event where there is one.
pub(crate) async fn page(
    commits: &dyn Commits,
    key: &AggregateKey,
    from: u64,
    (events_max, bytes_max): (usize, usize),
) -> Result<EventPage, Problem> {
    let mut page = EventPage { events: Vec::new(), next: None };
    let mut bytes = 0;
    let mut after = from - 1;
    loop {
        let read = read(commits, key, after).await?;
        let Some(last) = read.last() else { break };
        after = last.sequence;
        for commit in read {
            for event in commit.events.iter().filter(|event| event.sequence >= from) {
                let text = document::event(event, Some(&commit.request));
                bytes += text.len();
                let is_full = page.events.len() == events_max || bytes > bytes_max;
                if is_full && !page.events.is_empty() {
                    page.next = Some(event.sequence);
                    return Ok(page);
                }
                page.events.push(text);
            }
        }
    }
    if page.events.is_empty() && (from == 1 || read(commits, key, 0).await?.is_empty()) {
        return Err(Problem::unknown_aggregate());
    }
    Ok(page)
}

async fn load(
    commits: &dyn Commits,
    handler: &dyn Handler,
    key: &AggregateKey,
) -> Result<Stored, Problem> {
    let fold_version = handler.definition().fold_version;
    let load = Load { aggregate: key.clone(), fold_version };
    let loaded = commits.load(&[load]).await.map_err(|error| Problem::unavailable(&error))?;
    Ok(loaded.into_iter().next().unwrap_or_default())
}

async fn read(
    commits: &dyn Commits,
    key: &AggregateKey,
    after: u64,
) -> Result<Vec<Arc<Commit>>, Problem> {
    let read = commits.history(key, after, COMMITS_PER_READ).await;
    read.map_err(|error| Problem::unavailable(&error))
}

fn begin(handler: &dyn Handler, stored: &Stored) -> Result<Folded, Problem> {
    match &stored.snapshot {
        Some(snapshot) => Ok(Folded {
            state: handler.restore(&snapshot.state).map_err(Problem::internal)?,
            revision: snapshot.revision,
            sequence: snapshot.sequence,
        }),
        None => Ok(Folded { state: handler.initial(), revision: 0, sequence: 0 }),
    }
}

impl Folded {
    fn apply_all(
        &mut self,
        handler: &dyn Handler,
        commits: &[Arc<Commit>],
        until: u64,
    ) -> Result<(), Problem> {
        let due = commits.iter().take_while(|commit| commit.sequence_before() < until);
        due.into_iter().try_for_each(|commit| self.apply(handler, commit, until))
    }

    /// Folds in the commit's events up to a sequence.
    fn apply(&mut self, handler: &dyn Handler, commit: &Commit, until: u64) -> Result<(), Problem> {
        for event in commit.events.iter().take_while(|event| event.sequence <= until) {
            if event.sequence != self.sequence + 1 {
                let why = format!("gap behind event {} of {}", self.sequence, commit.aggregate);
                return Err(Problem::internal(why));
            }
            handler.apply(&mut self.state, event).map_err(Problem::internal)?;
            self.sequence = event.sequence;
        }
        self.revision = commit.revision;
        Ok(())
    }
}
