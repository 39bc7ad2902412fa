//! Checks a disk image: it opens, holds all that was told, holds the rest wholly or not at all,
//! and goes on working.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ordain_embedded::Home;
use ordain_tests::workload::{self, Found, KINDS, State, Told, WRITERS};

use crate::images::Facts;
use crate::traced::Step;

/// How long a check may take.
const CHECK_MAX: Duration = Duration::from_secs(60);

impl Facts for Told {
    fn hear(&mut self, step: &Step) {
        if let Step::Told(line) = step {
            self.hear(line.clone());
        }
    }

    fn check(&self, directory: &Path) -> Result<()> {
        check(directory, self)
    }
}

/// Checks the image in a directory against what was told before the power went.
pub(crate) fn check(directory: &Path, told: &Told) -> Result<()> {
    within_limit(check_twice(directory, told))
}

/// Runs a check; one that takes too long has failed.
pub(crate) fn within_limit(check: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let checked = runtime.block_on(async { tokio::time::timeout(CHECK_MAX, check).await });
    // A home that hangs is left behind.
    runtime.shutdown_background();
    checked.context("the check hangs")?
}

async fn check_twice(directory: &Path, told: &Told) -> Result<()> {
    let mut told = told.clone();
    for writer in 0..WRITERS {
        told.begun.entry(writer).or_default();
    }
    let home = open(directory).context("opening the image")?;
    let found = workload::observe(&home, &told).await.context("reading the image")?;
    assert_holds(&found, &told)?;
    let then = go_on(&home, &found, &told).await.context("going on")?;
    home.close().await;
    drop(home);
    let home = open(directory).context("opening it again")?;
    for (writer, state) in &then.states {
        if *writer == GOES_ON {
            *told.begun.entry(*writer).or_default() += 2 * KINDS;
        }
        ensure!(told.begun.contains_key(writer), "a writer that nobody knew: {state:?}");
    }
    let again = workload::observe(&home, &told).await.context("reading it again")?;
    ensure!(again.states == then.states, "again it holds {again:?} instead of {then:?}");
    ensure!(again.progress == then.progress, "again progress is {:?}", again.progress);
    home.close().await;
    Ok(())
}

fn open(directory: &Path) -> Result<Home> {
    Ok(Home::open(directory, &workload::settings())?)
}

/// The writer that goes on in an image.
const GOES_ON: u32 = 0;

/// How many jobs of a writer are there: all that were shown, and none that was not begun.
fn jobs(writer: u32, state: &State, told: &Told) -> Result<u64> {
    let shown = told.shown.get(&writer).copied().unwrap_or(0);
    let begun = told.begun.get(&writer).copied().unwrap_or(0);
    let jobs = (shown..=begun).find(|jobs| State::after(writer, *jobs) == *state);
    jobs.with_context(|| {
        format!(
            "writer {writer} was shown {shown} of {begun} jobs:\nthere is {state:?}\nnot     {:?}",
            State::after(writer, shown)
        )
    })
}

fn assert_holds(found: &Found, told: &Told) -> Result<()> {
    for (writer, state) in &found.states {
        jobs(*writer, state, told)?;
    }
    let of = |map: &BTreeMap<(String, u32), u64>, lane: &(String, u32)| map.get(lane).copied();
    for (lane, saved) in &told.saved {
        let there = of(&found.progress, lane).unwrap_or(0);
        ensure!(there >= *saved, "the progress of {lane:?} is {there}, but {saved} was saved");
    }
    for (lane, there) in &found.progress {
        let most = of(&told.saving, lane).max(of(&told.saved, lane)).unwrap_or(0);
        ensure!(*there <= most, "the progress of {lane:?} is {there}, but {most} at most was done");
    }
    for ((group, partition), progress) in &found.progress {
        let end = found.ends.get(*partition as usize).copied().unwrap_or(0);
        ensure!(
            !group.is_empty() || *progress <= end,
            "progress {progress} is behind the end {end}"
        );
    }
    for ((writer, job), place) in &told.places {
        let end = found.ends.get(place.partition as usize).copied().unwrap_or(0);
        ensure!(place.offset < end, "job {job} of {writer} is behind the end {end}: {place:?}");
    }
    Ok(())
}

/// Does a cycle's worth of jobs of one writer; says what must be there then.
async fn go_on(home: &Home, found: &Found, told: &Told) -> Result<Found> {
    let mut then = found.clone();
    let state = found.states.get(&GOES_ON).context("the writer is not there")?;
    let shown = told.shown.get(&GOES_ON).copied().unwrap_or(0);
    let done = jobs(GOES_ON, state, told)?;
    workload::assert_marked(home, GOES_ON, shown).await?;
    for job in done..done + KINDS {
        workload::perform(home, GOES_ON, job).await.with_context(|| format!("job {job}"))?;
    }
    then.states.insert(GOES_ON, State::after(GOES_ON, done + KINDS));
    Ok(then)
}
