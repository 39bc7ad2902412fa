//! Reads back all that a home holds of every writer, and checks that each value is what it must
//! be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use ordain_embedded::Home;
use ordain_model::{AggregateKey, Command, Commit, Event, Outcome, Source, Timestamp};
use ordain_ports::{
    Announced, Content, DeadLetter, Feed, Input, Lane, Load, Position, Published, Record,
    partition_of,
};
use uuid::Uuid;

use super::values::{self, FOLD_VERSION};
use super::{AGGREGATES, FILLER, GROUP, State, Told, VIEW};

const RECORDS_MAX: usize = 1_000;
const BYTES_MAX: usize = 1 << 20;
/// So many values behind the last one that may be there are asked for too.
const BEYOND: u64 = 3;

/// What a home holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Of each writer.
    pub states: BTreeMap<u32, State>,
    /// The saved progress, by group (empty for the workers') and partition.
    pub progress: BTreeMap<(String, u32), u64>,
    /// The end of each partition of the log of requests.
    pub ends: Vec<u64>,
}

/// What all writers' states are read from.
struct Read {
    /// The commands that can be read, by writer and cycle.
    commands: BTreeMap<(u32, u64), Position>,
    /// The last sequence of each aggregate in the log of events.
    events: BTreeMap<AggregateKey, u64>,
    letters: Vec<DeadLetter>,
    announced: BTreeSet<Announced>,
    progress: BTreeMap<(String, u32), u64>,
}

/// Reads everything back. Of values that can be anywhere by now `told` says where they stand.
///
/// # Errors
/// What is not as it must be.
pub async fn observe(home: &Home, told: &Told) -> Result<Found> {
    let mut progress = BTreeMap::new();
    for (partition, saved) in (0..).zip(home.command_log().progress().await?) {
        progress.extend(saved.map(|saved| ((String::new(), partition), saved)));
    }
    let ends = home.command_log().ends().await?;
    let commands = commands(home, &ends).await.context("the log of requests")?;
    progress.extend(event_progress(home).await?);
    let read = Read {
        commands,
        events: events(home).await.context("the log of events")?,
        letters: home.dead_letters().list(None, usize::MAX).await?,
        announced: home.announcements().known().await?.into_iter().collect(),
        progress,
    };
    let mut states = BTreeMap::new();
    for (&writer, &begun) in &told.begun {
        let of = OfWriter { home, read: &read, told, writer, begun };
        let state = of.state().await.with_context(|| format!("writer {writer}"))?;
        states.insert(writer, state);
    }
    Ok(Found { states, progress: read.progress, ends })
}

/// All lanes that a new member of a group is given.
async fn lanes<R>(feed: &mut dyn Feed<R>, count: u32) -> Result<Vec<Box<dyn Lane<R>>>> {
    let mut lanes = Vec::new();
    for _ in 0..count {
        lanes.push(feed.lane().await?.context("a member that has not left gets a lane")?);
    }
    Ok(lanes)
}

async fn next<R>(lane: &dyn Lane<R>) -> Result<Vec<Record<R>>> {
    match lane.next(RECORDS_MAX, BYTES_MAX).await? {
        Input::Records(records) => Ok(records),
        Input::Gone(gone) => bail!("records are gone from a home: {gone:?}"),
        Input::Revoked => bail!("a lane was revoked"),
    }
}

/// The commands from the progress of each lane to its end.
async fn commands(home: &Home, ends: &[u64]) -> Result<BTreeMap<(u32, u64), Position>> {
    let mut found = BTreeMap::new();
    let mut feed = home.join_requests();
    for lane in lanes(&mut *feed, home.partitions()).await? {
        let partition = lane.partition();
        let mut offset = lane.progress().unwrap_or(0);
        let end = ends.get(partition as usize).copied().context("a lane of no partition")?;
        ensure!(offset <= end, "progress {offset} is above the end {end} of {partition}");
        while offset < end {
            for record in next(&*lane).await? {
                let at = Position { partition, offset };
                ensure!(record.position == at, "{:?} follows where {at:?} must", record.position);
                let (writer, cycle) = known_command(&record)?;
                let twice = found.insert((writer, cycle), at);
                ensure!(twice.is_none(), "command {cycle} of {writer} is at {twice:?} and {at:?}");
                offset += 1;
            }
        }
    }
    Ok(found)
}

fn known_command(record: &Record<Command>) -> Result<(u32, u64)> {
    let Content::Whole(read) = &record.content else {
        bail!("the record at {:?} is damaged", record.position);
    };
    let Some((writer, "c", cycle)) = values::request_of(&read.request) else {
        bail!("nobody appended {}", read.request);
    };
    ensure!(*read == values::command(writer, cycle)?, "{} is another command", read.request);
    Ok((writer, cycle))
}

async fn event_progress(home: &Home) -> Result<Vec<((String, u32), u64)>> {
    let mut feed = home.join_events(GROUP);
    let lanes = lanes(&mut *feed, home.event_partitions()).await?;
    let saved = lanes.iter().filter_map(|lane| Some((lane.partition(), lane.progress()?)));
    Ok(saved.map(|(partition, saved)| ((GROUP.to_owned(), partition), saved)).collect())
}

/// The last sequence of each aggregate; the events of each stand in order and without gap.
async fn events(home: &Home) -> Result<BTreeMap<AggregateKey, u64>> {
    let mut found: BTreeMap<AggregateKey, u64> = BTreeMap::new();
    for event in all_events(home).await? {
        known_event(&event, &mut found)?;
    }
    Ok(found)
}

/// All that stands in the log of events, partition by partition. To know where it ends, something
/// is published.
///
/// # Errors
/// There is a gap, or a record that cannot be read.
pub async fn all_events(home: &Home) -> Result<Vec<Published>> {
    let name = Uuid::new_v4().to_string();
    let sentinels = sentinels(home.event_partitions(), &name)?;
    home.event_log().publish(&sentinels).await?;
    let mut found = Vec::new();
    let mut feed = home.join_events(&name);
    for lane in lanes(&mut *feed, home.event_partitions()).await? {
        let mut offset = 0;
        'lane: loop {
            for record in next(&*lane).await? {
                ensure!(record.position.offset == offset, "there is no event at {offset}");
                offset += 1;
                let Content::Whole(read) = record.content else {
                    bail!("the event at {:?} is damaged", record.position);
                };
                if read.request.as_str() == name {
                    break 'lane;
                }
                found.push(read);
            }
        }
    }
    Ok(found)
}

fn known_event(read: &Published, found: &mut BTreeMap<AggregateKey, u64>) -> Result<()> {
    let Some((writer, which, revision)) = values::request_of(&read.request) else {
        // Another reader's sentinel.
        return Ok(());
    };
    let last = found.entry(read.aggregate.clone()).or_default();
    ensure!(read.event.sequence == *last + 1, "{} follows {last}", read.event.sequence);
    *last = read.event.sequence;
    let commit = values::commit(writer, which.parse()?, revision)?;
    let same = commit.aggregate == read.aggregate && commit.events.contains(&read.event);
    ensure!(same, "{} has another event", read.request);
    Ok(())
}

/// A commit with one event for each partition of the log of events.
fn sentinels(partitions: u32, name: &str) -> Result<Vec<Arc<Commit>>> {
    let mut sentinels = Vec::new();
    for partition in 0..partitions {
        let keys =
            (0..).map(|number: u32| AggregateKey::new("default", "sentinel", &number.to_string()));
        let mut keys = keys.filter_map(Result::ok);
        let aggregate = keys.find(|key| partition_of(key, partitions) == partition);
        let data = ordain_model::Json::of(&1)?;
        let time = Timestamp::default();
        let event = Event { sequence: 1, name: "ended".parse()?, version: 1, data, time };
        sentinels.push(Arc::new(Commit {
            aggregate: aggregate.context("there are keys of every partition")?,
            request: name.parse()?,
            command: "end".parse()?,
            fingerprint: [3; 32].into(),
            revision: 1,
            sequence: 1,
            outcome: Outcome::Success,
            events: vec![event],
            time,
            source: Source { partition: 0, offset: 0, nonce: 0 },
            trace: None,
        }));
    }
    Ok(sentinels)
}

/// One writer, to be read back.
struct OfWriter<'a> {
    home: &'a Home,
    read: &'a Read,
    told: &'a Told,
    writer: u32,
    /// How many of its jobs were begun.
    begun: u64,
}

impl OfWriter<'_> {
    async fn state(&self) -> Result<State> {
        if self.writer == FILLER {
            let revisions = [self.large_revisions().await?, 0];
            return Ok(State { revisions, ..State::default() });
        }
        let mut state = State { commands: self.commands()?, ..State::default() };
        for which in 0..AGGREGATES {
            let aggregate = values::aggregate(self.writer, which)?;
            state.revisions[which] = self.revisions(which, &aggregate).await?;
            state.events[which] = self.read.events.get(&aggregate).copied().unwrap_or(0);
            state.rows[which] = self.row(which).await?;
            let marks =
                self.home.view_store().marks(VIEW, std::slice::from_ref(&aggregate)).await?;
            state.marks[which] = marks.first().copied().flatten().unwrap_or(0);
            let load = Load { aggregate, fold_version: FOLD_VERSION };
            let stored = self.home.commits().load(&[load]).await?;
            let stored = stored.first().context("nothing was loaded")?;
            state.published[which] = stored.published;
            if let Some(snapshot) = &stored.snapshot {
                let revision = snapshot.revision;
                let expected = values::snapshot(self.writer, which, revision)?;
                ensure!(*snapshot == expected, "the snapshot at {revision} is another");
                state.snapshots[which] = revision;
            }
        }
        state.letters = self.letters()?;
        state.announced = self.announced()?;
        Ok(state)
    }

    /// The job by which a command is appended.
    const fn job(&self, number: u64) -> u64 {
        super::job_of_command(self.writer, number)
    }

    /// How many commands are in the log, or were and are handled.
    fn commands(&self) -> Result<u64> {
        let handled = |cycle: u64| {
            let place = self.told.places.get(&(self.writer, self.job(cycle)))?;
            let progress = self.read.progress.get(&(String::new(), place.partition))?;
            (place.offset < *progress).then_some(())
        };
        let there = |cycle: u64| {
            self.read.commands.contains_key(&(self.writer, cycle)) || handled(cycle).is_some()
        };
        let mut cycles = (0..).take_while(|cycle| there(*cycle)).count() as u64;
        // Those that were refused leave gaps.
        while self.told.refused.contains(&(self.writer, self.job(cycles))) || there(cycles) {
            cycles += 1;
        }
        for (&(writer, cycle), at) in &self.read.commands {
            let job = (writer, self.job(cycle));
            if writer == self.writer {
                ensure!(cycle < cycles, "command {cycle} is there, {cycles} is not");
                ensure!(!self.told.refused.contains(&job), "command {cycle} was refused");
                let place = self.told.places.get(&job).unwrap_or(at);
                ensure!(place == at, "command {cycle} is at {at:?}, but was at {place:?}");
            }
        }
        Ok(cycles)
    }

    async fn revisions(&self, which: usize, aggregate: &AggregateKey) -> Result<u64> {
        // No snapshot has this fold version, so all commits are given.
        let load = Load { aggregate: aggregate.clone(), fold_version: u32::MAX };
        let stored = self.home.commits().load(&[load]).await?;
        let tail = stored.first().map(|stored| stored.tail.as_slice()).unwrap_or_default();
        let revisions = tail.len() as u64;
        let mut asked = Vec::new();
        for revision in 1..=revisions + BEYOND {
            let request = values::request(self.writer, &which.to_string(), revision)?;
            asked.push((aggregate.clone(), request));
        }
        let outcomes = self.home.outcomes().find(&asked).await?;
        for (revision, (commit, outcome)) in
            (1..).zip(tail.iter().map(Some).chain(std::iter::repeat(None)).zip(&outcomes))
        {
            let there = commit.map(AsRef::as_ref);
            ensure!(there == outcome.as_deref(), "revision {revision} is not its own outcome");
            if let Some(commit) = there {
                let expected = values::commit(self.writer, which, revision)?;
                ensure!(*commit == expected, "revision {revision} is another commit");
            }
        }
        Ok(revisions)
    }

    /// The last revision, looked for only around where it must be: there are too many bytes.
    async fn large_revisions(&self) -> Result<u64> {
        let shown = self.told.shown.get(&self.writer).copied().unwrap_or(0);
        let mut looked: Vec<u64> = [1, shown / 3, shown / 2].into_iter().collect();
        looked.extend(shown..=self.begun + BEYOND);
        looked.retain(|revision| *revision > 0);
        let mut asked = Vec::new();
        for revision in &looked {
            let request = values::request(self.writer, "0", *revision)?;
            asked.push((values::aggregate(self.writer, 0)?, request));
        }
        let mut last = 0;
        let found = self.home.outcomes().find(&asked).await?;
        for (revision, commit) in looked.into_iter().zip(found) {
            if let Some(commit) = commit {
                let same = *commit == values::commit(self.writer, 0, revision)?;
                ensure!(same, "revision {revision} is another commit");
                last = revision.max(last);
            } else {
                ensure!(revision > shown, "revision {revision} is missing");
            }
        }
        Ok(last)
    }

    async fn row(&self, which: usize) -> Result<u64> {
        let key = values::row(self.writer, which, 1)?.key;
        let rows = self.home.view_store().rows(VIEW, &[key]).await?;
        let Some(row) = rows.into_iter().next().flatten() else { return Ok(0) };
        let expected = values::row(self.writer, which, row.sequence)?;
        ensure!(row == expected, "the row at {} is another", row.sequence);
        Ok(row.sequence)
    }

    fn letters(&self) -> Result<u64> {
        let topic = format!("w{}", self.writer);
        let there = self.read.letters.iter().filter(|letter| letter.id.topic == topic);
        let there: Vec<_> = there.cloned().collect();
        let mut expected = Vec::new();
        let pairs = there.len() as u64 / 2;
        for pair in 0..pairs {
            expected.extend(values::letters(self.writer, pair * 3)?);
        }
        expected.sort_by(|one, other| one.id.cmp(&other.id));
        ensure!(there == expected, "the dead letters are others: {there:?}");
        Ok(pairs)
    }

    fn announced(&self) -> Result<u64> {
        let of = format!("w{}", self.writer);
        let there = self.read.announced.iter().filter(|announced| announced.aggregate_type == of);
        let there: BTreeSet<_> = there.cloned().collect();
        let pairs = there.len() as u64 / 2;
        let mut expected = BTreeSet::new();
        for pair in 0..pairs {
            expected.extend(values::announced(self.writer, pair * 3 + 1)?);
        }
        ensure!(there == expected, "the announcements are others: {there:?}");
        Ok(pairs)
    }
}
