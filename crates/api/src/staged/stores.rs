//! Stores that a test fills: commits, views, dead letters.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ordain_model::{
    AggregateKey, Code, Commit, Event, Fingerprint, Json, Outcome, RequestId, Snapshot, Source,
    Stored, Timestamp,
};
use ordain_ports::{
    Action, Commits, DeadLetter, DeadLetters, Error, Inserted, LetterId, Load, Mark, Row, RowList,
    RowRange, RowWrite, ViewStore,
};

use super::account;

/// The error of a store that a test has broken.
fn broken() -> Error {
    Error::new(Action::TryAgain, "broken by the test")
}

/// The commits of aggregates.
#[derive(Default)]
pub(crate) struct Histories {
    commits: Mutex<BTreeMap<AggregateKey, Vec<Arc<Commit>>>>,
    snapshots: Mutex<BTreeMap<AggregateKey, Snapshot>>,
    pub(crate) is_broken: Mutex<bool>,
}

impl Histories {
    /// An account is opened, then so much is deposited by each commit, in one event an amount.
    pub(crate) fn open(&self, id: &str, deposits: &[&[u64]]) {
        self.commit(id, "open", Ok(&[("opened", "{}".to_owned())]));
        for amounts in deposits {
            let data = |amount: &u64| ("deposited", format!(r#"{{"amount": {amount}}}"#));
            let events: Vec<_> = amounts.iter().map(data).collect();
            self.commit(id, "deposit", Ok(&events));
        }
    }

    /// A withdrawal is refused.
    pub(crate) fn refuse(&self, id: &str) {
        self.commit(id, "withdraw", Err("INSUFFICIENT_FUNDS"));
    }

    fn commit(&self, id: &str, command: &str, decided: Result<&[(&str, String)], &'static str>) {
        let mut all = self.commits.lock().unwrap();
        let commits = all.entry(account(id)).or_default();
        let before = commits.last().map_or(0, |commit| commit.sequence);
        let revision = commits.len() as u64 + 1;
        let time = |n: u64| Timestamp::from_nanoseconds(i64::try_from(revision * 100 + n).unwrap());
        let events = decided.unwrap_or_default().iter().zip(before + 1..);
        let events: Vec<Event> = events
            .map(|((name, data), sequence)| Event {
                sequence,
                name: name.parse().unwrap(),
                version: 1,
                data: Json::try_from(data.clone()).unwrap(),
                time: time(sequence - before),
            })
            .collect();
        commits.push(Arc::new(Commit {
            aggregate: account(id),
            request: format!("r{revision}").parse().unwrap(),
            command: command.parse().unwrap(),
            fingerprint: Fingerprint::from([0; 32]),
            revision,
            sequence: before + events.len() as u64,
            outcome: decided.err().map_or(Outcome::Success, |code| Outcome::Fail(Code::new(code))),
            events,
            time: time(0),
            source: Source { partition: 0, offset: revision, nonce: 0 },
            trace: None,
        }));
    }

    pub(crate) fn last(&self, id: &str) -> Arc<Commit> {
        self.commits.lock().unwrap()[&account(id)].last().unwrap().clone()
    }

    /// Forgets a commit, by its revision, as a damaged store would.
    pub(crate) fn lose(&self, id: &str, revision: u64) {
        let mut all = self.commits.lock().unwrap();
        all.get_mut(&account(id)).unwrap().retain(|commit| commit.revision != revision);
    }

    /// Keeps a snapshot of an account at a revision.
    pub(crate) fn snapshot(&self, id: &str, revision: u64, state: &str) {
        let commits = self.commits.lock().unwrap();
        let commit = &commits[&account(id)][usize::try_from(revision).unwrap() - 1];
        let snapshot = Snapshot {
            aggregate: account(id),
            fold_version: 1,
            revision,
            sequence: commit.sequence,
            time: commit.time,
            state: Json::try_from(state.to_owned()).unwrap(),
        };
        self.snapshots.lock().unwrap().insert(account(id), snapshot);
    }
}

#[async_trait]
impl Commits for Histories {
    async fn insert(&self, _: &[Arc<Commit>]) -> Inserted {
        Inserted::all(0)
    }

    async fn load(&self, aggregates: &[Load]) -> Result<Vec<Stored>, Error> {
        if *self.is_broken.lock().unwrap() {
            return Err(broken());
        }
        let commits = self.commits.lock().unwrap();
        let snapshots = self.snapshots.lock().unwrap();
        let one = |load: &Load| {
            let snapshot = snapshots.get(&load.aggregate).cloned();
            let from = snapshot.as_ref().map_or(0, |snapshot| snapshot.revision);
            let all = commits.get(&load.aggregate).into_iter().flatten();
            let tail = all.filter(|commit| commit.revision > from).cloned().collect();
            Stored { snapshot, published: 0, tail }
        };
        Ok(aggregates.iter().map(one).collect())
    }

    async fn history(
        &self,
        aggregate: &AggregateKey,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Commit>>, Error> {
        // At most three, so that every history is read in more than one piece.
        let commits = self.commits.lock().unwrap();
        let all = commits.get(aggregate).into_iter().flatten();
        Ok(all.filter(|commit| commit.sequence > after).take(limit.min(3)).cloned().collect())
    }

    async fn aggregates(
        &self,
        _: Option<&AggregateKey>,
        _: usize,
    ) -> Result<Vec<(AggregateKey, u64)>, Error> {
        unreachable!("no request asks for all aggregates")
    }
}

/// The rows and marks of views.
#[derive(Default)]
pub(crate) struct Views {
    rows: Mutex<BTreeMap<(String, String), Row>>,
    marks: Mutex<BTreeMap<(String, AggregateKey), u64>>,
}

impl Views {
    pub(crate) fn put(&self, view: &str, key: &str, body: Option<&str>) {
        let body = body.map(|body| Json::try_from(body.to_owned()).unwrap());
        let row = Row { key: key.to_owned(), aggregate: account("a"), sequence: 3, body };
        self.rows.lock().unwrap().insert((view.to_owned(), key.to_owned()), row);
    }

    pub(crate) fn mark(&self, view: &str, aggregate: AggregateKey, sequence: u64) {
        self.marks.lock().unwrap().insert((view.to_owned(), aggregate), sequence);
    }
}

#[async_trait]
impl ViewStore for Views {
    async fn rows(&self, view: &str, keys: &[String]) -> Result<Vec<Option<Row>>, Error> {
        let rows = self.rows.lock().unwrap();
        Ok(keys.iter().map(|key| rows.get(&(view.to_owned(), key.clone())).cloned()).collect())
    }

    async fn write(&self, _: &str, _: Vec<RowWrite>) -> Result<Vec<bool>, Error> {
        Err(broken())
    }

    async fn marks(&self, view: &str, of: &[AggregateKey]) -> Result<Vec<Option<u64>>, Error> {
        let marks = self.marks.lock().unwrap();
        Ok(of.iter().map(|key| marks.get(&(view.to_owned(), key.clone())).copied()).collect())
    }

    async fn set_marks(&self, _: &str, _: Vec<Mark>) -> Result<Vec<bool>, Error> {
        Err(broken())
    }

    async fn list(&self, view: &str, range: &RowRange) -> Result<RowList, Error> {
        let rows = self.rows.lock().unwrap();
        let mut found: Vec<Row> = rows
            .iter()
            .filter(|((of, key), row)| {
                of == view
                    && key.starts_with(&range.prefix)
                    && range.after.as_ref().is_none_or(|after| key > after)
                    && row.body.is_some()
            })
            .map(|(_, row)| row.clone())
            .collect();
        let has_more = found.len() > range.limit;
        found.truncate(range.limit);
        let next = found.last().filter(|_| has_more).map(|row| row.key.clone());
        Ok(RowList { rows: found, next })
    }
}

/// Dead letters.
#[derive(Default)]
pub(crate) struct Letters(Mutex<BTreeMap<LetterId, DeadLetter>>);

#[async_trait]
impl DeadLetters for Letters {
    async fn put(&self, letters: Vec<DeadLetter>) -> Result<(), Error> {
        let mut all = self.0.lock().unwrap();
        all.extend(letters.into_iter().map(|letter| (letter.id.clone(), letter)));
        Ok(())
    }

    async fn list(&self, after: Option<&LetterId>, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        let all = self.0.lock().unwrap();
        let behind = all.values().filter(|letter| after.is_none_or(|after| letter.id > *after));
        Ok(behind.take(limit).cloned().collect())
    }

    async fn get(&self, id: &LetterId) -> Result<Option<DeadLetter>, Error> {
        Ok(self.0.lock().unwrap().get(id).cloned())
    }

    async fn retried(&self, id: &LetterId, request: RequestId) -> Result<bool, Error> {
        let mut all = self.0.lock().unwrap();
        let Some(letter) = all.get_mut(id) else {
            return Ok(false);
        };
        if !letter.retries.contains(&request) {
            letter.retries.push(request);
        }
        Ok(true)
    }
}
