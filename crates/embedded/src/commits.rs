//! The commit store and what is read out of it: aggregates, histories, outcomes.

use std::sync::Arc;

use async_trait::async_trait;
use ordain_model::{AggregateKey, Commit, RequestId, Snapshot, Stored};
use ordain_ports::{Commits, Error, Inserted, Load, Outcomes, Snapshots, Stop};

use crate::Home;
use crate::batch::Batch;
use crate::fault::Fault;
use crate::key;
use crate::record::{self, Unreadable};
use crate::tables::{self, Table, View};

/// A commit on its way into the store.
struct New {
    commit: Arc<Commit>,
    value: Vec<u8>,
}

/// What became of an insert, in the writer.
enum Ended {
    All,
    Repeat,
    Conflict,
}

#[async_trait]
impl Commits for Home {
    async fn insert(&self, commits: &[Arc<Commit>]) -> Inserted {
        let mut new = Vec::with_capacity(commits.len());
        let mut refused = None;
        for commit in commits {
            match self.encoded(commit) {
                Ok(value) => new.push(New { commit: Arc::clone(commit), value }),
                Err(why) => {
                    refused = Some(why);
                    break;
                }
            }
        }
        let bytes = new.iter().map(|new| new.value.len()).sum();
        let (stored, ended) = match self.inner.write(bytes, move |batch| insert(batch, new)).await {
            Ok(inserted) => inserted,
            // Whoever was never told does not know.
            Err(fault @ Fault::BrokenOff) => {
                return Inserted::until(0, Stop::Unknown(fault.into()));
            }
            Err(fault) => return Inserted::until(0, Stop::Unavailable(fault.into())),
        };
        match (ended, refused) {
            (Ended::Repeat, _) => Inserted::until(stored, Stop::Repeat),
            (Ended::Conflict, _) => Inserted::until(stored, Stop::Conflict),
            (Ended::All, Some(why)) => Inserted::until(stored, Stop::NotStorable(why)),
            (Ended::All, None) => Inserted::all(stored),
        }
    }

    async fn load(&self, aggregates: &[Load]) -> Result<Vec<Stored>, Error> {
        let aggregates = aggregates.to_vec();
        let loaded = self.inner.read(move |tables| {
            let view = tables.view();
            aggregates.iter().map(|wanted| load(&view, wanted)).collect()
        });
        Ok(loaded.await?)
    }

    async fn history(
        &self,
        aggregate: &AggregateKey,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Commit>>, Error> {
        let aggregate = aggregate.clone();
        let commits = self.inner.read(move |tables| {
            let view = tables.view();
            let first = first_after(&view, &aggregate, after)?;
            tail(&view, &aggregate, first).take(limit.max(1)).collect()
        });
        Ok(commits.await?)
    }

    async fn aggregates(
        &self,
        before: Option<&AggregateKey>,
        limit: usize,
    ) -> Result<Vec<(AggregateKey, u64)>, Error> {
        // No key begins with the byte of the bound, for text is UTF-8.
        let below = before.map_or_else(|| vec![u8::MAX], key::of_aggregate);
        let found = self.inner.read(move |tables| aggregates(&tables.view(), below, limit.max(1)));
        Ok(found.await?)
    }
}

impl Home {
    /// The bytes of a commit, or why it can never be stored.
    fn encoded(&self, commit: &Commit) -> Result<Vec<u8>, String> {
        let value = record::encode_commit(commit)?;
        let most = self.inner.settings.commit_bytes_max;
        if value.len() > most {
            return Err(format!("the commit is {} bytes; {most} can be stored", value.len()));
        }
        Ok(value)
    }
}

/// Puts the commits into the batch, up to the first that cannot be stored.
fn insert(batch: &mut Batch, new: Vec<New>) -> tables::Result<(usize, Ended)> {
    if let Some(New { commit, .. }) = new.first() {
        batch.decides(commit.source.partition);
    }
    let mut stored = 0;
    for New { commit, value } in new {
        let Commit { aggregate, request, revision, .. } = commit.as_ref();
        let outcome = key::outcome(aggregate, request);
        if batch.contains(Table::Outcomes, &outcome)? {
            return Ok((stored, Ended::Repeat));
        }
        if !batch.follows(aggregate, *revision)? {
            return Ok((stored, Ended::Conflict));
        }
        // Staged, so that a rival in the same batch meets it though the heads have forgotten it.
        batch.put(Table::Commits, key::commit(aggregate, *revision), value);
        batch.put(Table::Outcomes, outcome, revision.to_be_bytes());
        stored += 1;
    }
    Ok((stored, Ended::All))
}

fn load(view: &View<'_>, wanted: &Load) -> Result<Stored, Fault> {
    let Load { aggregate, fold_version } = wanted;
    let unreadable = |what: &str| {
        let what = format!("the {what} of {aggregate}");
        move |why: Unreadable| Fault::Unreadable { what, why }
    };
    let snapshot: Option<Snapshot> = view
        .get(Table::Snapshots, &key::snapshot(aggregate, *fold_version))?
        .map(|value| record::decode_numbered(&value).map_err(unreadable("snapshot")))
        .transpose()?;
    let published = view
        .get(Table::Published, aggregate.as_str().as_bytes())?
        .map(|value| record::number(&value).map_err(unreadable("published mark")))
        .transpose()?;
    let from = snapshot.as_ref().map_or(1, |snapshot| snapshot.revision + 1);
    let tail = tail(view, aggregate, from).collect::<Result<_, _>>()?;
    Ok(Stored { snapshot, published: published.unwrap_or(0), tail })
}

/// The commits of an aggregate from a revision on; a gap among them is an error.
fn tail(
    view: &View<'_>,
    aggregate: &AggregateKey,
    from: u64,
) -> impl Iterator<Item = Result<Arc<Commit>, Fault>> {
    let end = key::behind(&key::of_aggregate(aggregate));
    let pairs = view.range(Table::Commits, &key::commit(aggregate, from), &end);
    let what = aggregate.to_string();
    pairs.zip(from..).map(move |(pair, revision)| {
        let (key, value) = pair?;
        let unreadable = |why| Fault::Unreadable { what: format!("a commit of {what}"), why };
        if key::last_number(&key) != Some(revision) {
            return Err(unreadable(format!("revision {revision} is missing")));
        }
        record::decode_commit(&value).map(Arc::new).map_err(unreadable)
    })
}

/// The first revision whose sequence is above `after`; one above the last when there is none.
/// Along the revisions the sequence never falls.
fn first_after(view: &View<'_>, aggregate: &AggregateKey, after: u64) -> Result<u64, Fault> {
    let last = view.last_key(Table::Commits, &key::of_aggregate(aggregate))?;
    let last = last.as_deref().and_then(key::last_number).unwrap_or(0);
    let (mut low, mut high) = (1, last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let value = view.get(Table::Commits, &key::commit(aggregate, middle))?;
        let unreadable = |why| Fault::Unreadable { what: format!("a commit of {aggregate}"), why };
        let value = value.ok_or_else(|| unreadable(format!("revision {middle} is missing")))?;
        if record::number(&value).map_err(unreadable)? > after {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}

/// The last aggregates whose commits stand below this key, and their last sequences.
fn aggregates(
    view: &View<'_>,
    mut below: Vec<u8>,
    limit: usize,
) -> Result<Vec<(AggregateKey, u64)>, Fault> {
    let mut found = Vec::new();
    while found.len() < limit
        && let Some((key, value)) = view.last_below(Table::Commits, &below)?
    {
        let unreadable = |why| Fault::Unreadable { what: format!("commit {key:?}"), why };
        let aggregate = key::aggregate_of(&key)
            .ok_or_else(|| unreadable("its key names no aggregate".to_owned()))?;
        let sequence = record::number(&value).map_err(unreadable)?;
        below = key::of_aggregate(&aggregate);
        found.push((aggregate, sequence));
    }
    Ok(found)
}

#[async_trait]
impl Outcomes for Home {
    async fn find(
        &self,
        ids: &[(AggregateKey, RequestId)],
    ) -> Result<Vec<Option<Arc<Commit>>>, Error> {
        let ids = ids.to_vec();
        let found = self.inner.read(move |tables| {
            let view = tables.view();
            ids.iter().map(|(aggregate, request)| find(&view, aggregate, request)).collect()
        });
        Ok(found.await?)
    }
}

fn find(
    view: &View<'_>,
    aggregate: &AggregateKey,
    request: &RequestId,
) -> Result<Option<Arc<Commit>>, Fault> {
    let unreadable =
        |why| Fault::Unreadable { what: format!("outcome {request} of {aggregate}"), why };
    let Some(revision) = view.get(Table::Outcomes, &key::outcome(aggregate, request))? else {
        return Ok(None);
    };
    let revision = record::number(&revision).map_err(unreadable)?;
    let commit = view.get(Table::Commits, &key::commit(aggregate, revision))?;
    let commit = commit.ok_or_else(|| unreadable("its commit is missing".to_owned()))?;
    record::decode_commit(&commit).map(|commit| Some(Arc::new(commit))).map_err(unreadable)
}

#[async_trait]
impl Snapshots for Home {
    async fn save(&self, snapshots: Vec<Snapshot>) -> Result<(), Error> {
        let mut new = Vec::with_capacity(snapshots.len());
        for snapshot in &snapshots {
            let value = record::encode_numbered(snapshot.revision, snapshot)
                .map_err(|why| Error::from(Fault::NotStorable { what: "a snapshot", why }))?;
            let key = key::snapshot(&snapshot.aggregate, snapshot.fold_version);
            new.push((key, snapshot.revision, value));
        }
        let bytes = new.iter().map(|(_, _, value)| value.len()).sum();
        let written = self.inner.write_soon(bytes, move |batch| {
            for (key, revision, value) in new {
                put_newer(batch, Table::Snapshots, (key, revision), value)?;
            }
            Ok(())
        });
        Ok(written.await?)
    }

    async fn save_published(&self, published: Vec<(AggregateKey, u64)>) -> Result<(), Error> {
        let written = self.inner.write_soon(published.len() * 64, move |batch| {
            for (aggregate, sequence) in published {
                let key = aggregate.as_str().as_bytes().to_vec();
                put_newer(batch, Table::Published, (key, sequence), sequence.to_be_bytes().into())?;
            }
            Ok(())
        });
        Ok(written.await?)
    }
}

/// Writes a value that begins with its number, unless what is there has that number or a larger.
fn put_newer(
    batch: &mut Batch,
    table: Table,
    (key, number): (Vec<u8>, u64),
    value: Vec<u8>,
) -> tables::Result<()> {
    if batch.number(table, &key)?.is_none_or(|there| there < number) {
        batch.put_numbered(table, (key, number), value);
    }
    Ok(())
}
