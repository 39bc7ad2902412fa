//! Does a job of a writer.

use anyhow::{Result, bail, ensure};
use ordain_embedded::Home;
use ordain_ports::{Delivered, Mark, NotAccepted, Position, RowWrite};

use super::values::{self, revisions_after, sequence_at};
use super::{AGGREGATES, APPENDER, FILLER, KINDS, VIEW};

/// What was answered to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// It is done.
    Done,
    /// The command is in the log, here.
    At(Position),
    /// The command is certainly not in the log.
    Refused,
}

/// Does the job of that number, from 0 on, and checks what is answered.
///
/// # Errors
/// It was answered otherwise than it must be.
pub async fn perform(home: &Home, writer: u32, number: u64) -> Result<Answered> {
    if writer == FILLER {
        return insert(home, writer, number).await;
    }
    if writer >= APPENDER {
        return append(home, writer, number).await;
    }
    let (cycle, kind) = (number / KINDS, number % KINDS);
    match kind {
        0 => append(home, writer, cycle).await,
        1 => insert(home, writer, cycle).await,
        2 => {
            home.event_log().publish(&values::commits(writer, cycle)?).await?;
            Ok(Answered::Done)
        }
        3 => rows(home, writer, cycle).await,
        4 => marks(home, writer, cycle).await,
        5 => derived(home, writer, cycle).await,
        _ => notes(home, writer, cycle).await,
    }
}

async fn append(home: &Home, writer: u32, cycle: u64) -> Result<Answered> {
    let delivered = match home.command_log().append(values::command(writer, cycle)?) {
        Ok(delivery) => delivery.await,
        Err(refused) => Delivered::Not(refused),
    };
    match delivered {
        Delivered::At(position) => Ok(Answered::At(position)),
        Delivered::Not(NotAccepted::NoSpace | NotAccepted::Full) => Ok(Answered::Refused),
        other => bail!("an append was answered {other:?}"),
    }
}

async fn insert(home: &Home, writer: u32, cycle: u64) -> Result<Answered> {
    let commits = values::commits(writer, cycle)?;
    let inserted = home.commits().insert(&commits).await;
    let all = inserted.stop.is_none() && inserted.stored == commits.len();
    ensure!(all, "an insert was answered {inserted:?}");
    Ok(Answered::Done)
}

/// The sequences of an aggregate before and after a cycle, where they differ.
fn step(writer: u32, which: usize, cycle: u64) -> Option<(Option<u64>, u64)> {
    let at = |cycles| sequence_at(writer, revisions_after(writer, which, cycles));
    let (before, after) = (at(cycle), at(cycle + 1));
    (before < after).then_some(((before > 0).then_some(before), after))
}

async fn rows(home: &Home, writer: u32, cycle: u64) -> Result<Answered> {
    let mut writes = Vec::new();
    for which in 0..AGGREGATES {
        if let Some((expected, sequence)) = step(writer, which, cycle) {
            writes.push(RowWrite { expected, row: values::row(writer, which, sequence)? });
        }
    }
    let written = home.view_store().write(VIEW, writes).await?;
    ensure!(written.iter().all(|written| *written), "a row was answered {written:?}");
    Ok(Answered::Done)
}

async fn marks(home: &Home, writer: u32, cycle: u64) -> Result<Answered> {
    let mut marks = Vec::new();
    for which in 0..AGGREGATES {
        if let Some((expected, sequence)) = step(writer, which, cycle) {
            marks.push(Mark { aggregate: values::aggregate(writer, which)?, expected, sequence });
        }
    }
    let written = home.view_store().set_marks(VIEW, marks).await?;
    ensure!(written.iter().all(|written| *written), "a mark was answered {written:?}");
    Ok(Answered::Done)
}

async fn derived(home: &Home, writer: u32, cycle: u64) -> Result<Answered> {
    let (mut snapshots, mut published) = (Vec::new(), Vec::new());
    for which in 0..AGGREGATES {
        let revision = revisions_after(writer, which, cycle + 1);
        if revision == 0 {
            continue;
        }
        snapshots.push(values::snapshot(writer, which, revision)?);
        let sequence = sequence_at(writer, revision);
        published.push((values::aggregate(writer, which)?, sequence));
    }
    if cycle.is_multiple_of(2) {
        home.snapshots().save(snapshots).await?;
    } else {
        home.snapshots().save_published(published).await?;
    }
    Ok(Answered::Done)
}

async fn notes(home: &Home, writer: u32, cycle: u64) -> Result<Answered> {
    match cycle % 3 {
        0 => home.dead_letters().put(values::letters(writer, cycle)?).await?,
        1 => home.announcements().announce(values::announced(writer, cycle)?).await?,
        _ => {
            // Of a mark it cannot be seen whether it was made before the end: made anew.
            let record = values::marked(writer, cycle);
            home.crash_marks().unmark(record).await?;
            let times = home.crash_marks().mark(record).await?;
            ensure!(times == 1, "a record whose mark was forgotten was marked {times} times");
        }
    }
    Ok(Answered::Done)
}

/// Checks that the last mark of a writer is there of which so many jobs are done. A mark cannot be
/// read without marking once more, so this is done once in a home.
///
/// # Errors
/// It is not there.
pub async fn assert_marked(home: &Home, writer: u32, jobs: u64) -> Result<()> {
    let mut done = (0..jobs).filter(|job| job % KINDS == 6 && job / KINDS % 3 == 2);
    let Some(job) = done.next_back() else { return Ok(()) };
    let times = home.crash_marks().mark(values::marked(writer, job / KINDS)).await?;
    ensure!(times == 2, "the mark of job {job} of {writer} is missing");
    Ok(())
}
