//! The careful lane: after a crash it works one command at a time, and marks each durably before
//! it is decided, so that a command that ends the process is found out.

use std::sync::{Arc, Mutex, PoisonError};

use ordain_model::Code;
use ordain_ports::{Lane as _, Position};

use crate::Ports;
use crate::Settings;
use crate::backoff::Backoff;
use crate::lane::{LaneEnd, persist};
use crate::measured::Measured;
use crate::receive::Item;

/// The record ended the process again and again.
const RULE_CRASHED: Code = Code::new("RULE_CRASHED");

/// Which records of a lane are worked carefully: a culprit was in the log before the crash, and no
/// further above the progress than a lane works ahead of it.
#[derive(Debug)]
pub(crate) struct Careful {
    until: u64,
    crash_marks_max: u32,
    retry_ms_max: u64,
    marked: Marked,
}

/// How often a lane that has lost its partition tries to take its mark back.
const FORGET_TRIES: u32 = 5;

/// The record that a lane has marked and not decided yet.
///
/// A mark says that the process ended while the record was being decided. A lane that ends while
/// the process goes on has to take its mark back, else moves of the partition would add up to a
/// rejection. It does so even when its successor may have marked the same record by then: a mark
/// too few costs one more start, a mark too many a good command.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marked(Arc<Mutex<Option<Position>>>);

impl Marked {
    fn set(&self, position: Option<Position>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = position;
    }

    fn get(&self) -> Option<Position> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the mark back once the lane has ended. Whoever lost a partition may have lost the
    /// store too, so the tries are few; a mark that stays counts as one crash.
    pub(crate) async fn take_back(&self, ports: &Ports, retry_ms_max: u64) {
        let Some(position) = self.get() else { return };
        let mut backoff = Backoff::new(retry_ms_max);
        for _ in 0..FORGET_TRIES {
            match ports.crash_marks.unmark(position).await {
                Ok(()) => return self.set(None),
                Err(error) => tracing::warn!(?position, %error, "a mark was not taken back"),
            }
            backoff.pause().await;
        }
    }
}

/// How many records above its progress a lane may have taken up: the batch it decides, those that
/// wait for its finisher, and as many again that the finisher has taken together.
pub(crate) fn in_work_max(settings: &Settings) -> u64 {
    let batches = 2 * settings.unfinished_batches_max + 2;
    (settings.batch_records_max as u64).saturating_mul(batches as u64)
}

impl Careful {
    /// Notes that the lane begins its work at its progress, and says how far it has to be careful.
    pub(crate) async fn begin(
        ports: &Ports,
        settings: &Settings,
        lane: &Measured,
        marked: Marked,
    ) -> Result<Self, LaneEnd> {
        let (partition, max) = (lane.partition(), settings.retry_ms_max);
        let progress = lane.progress().unwrap_or(0);
        let begin = || ports.crash_marks.begin(partition, progress);
        let begun_before = persist(lane, max, "begin lane", begin).await?;
        let crash_marks_max = settings.crash_marks_max;
        let mut careful = Self { until: 0, crash_marks_max, retry_ms_max: max, marked };
        if begun_before > 0 {
            let ends = persist(lane, max, "read ends", || ports.log.ends()).await?;
            let end = usize::try_from(partition).ok().and_then(|index| ends.get(index).copied());
            careful.until = end.unwrap_or(0).min(progress + in_work_max(settings));
            tracing::warn!(
                partition,
                progress,
                until = careful.until,
                "lane begins again where it ended: one command at a time"
            );
        }
        Ok(careful)
    }

    pub(crate) const fn covers(&self, offset: u64) -> bool {
        offset < self.until
    }

    /// Marks the record before it is decided; rejects it when it was marked too often.
    pub(crate) async fn mark(
        &self,
        ports: &Ports,
        lane: &Measured,
        item: &mut Item,
    ) -> Result<(), LaneEnd> {
        // Before the call: a mark whose answer is lost may be there.
        self.marked.set(Some(item.position));
        let mark = || ports.crash_marks.mark(item.position);
        let marked = persist(lane, self.retry_ms_max, "mark record", mark).await?;
        if marked >= self.crash_marks_max {
            let why = format!("it ended the process {} times while it was decided", marked - 1);
            tracing::error!(aggregate = %item.aggregate, request = %item.request, why, "command rejected");
            item.reject(RULE_CRASHED, why);
        }
        Ok(())
    }

    /// Forgets the mark, after the record was decided.
    pub(crate) async fn unmark(
        &self,
        ports: &Ports,
        lane: &Measured,
        position: Position,
    ) -> Result<(), LaneEnd> {
        let unmark = || ports.crash_marks.unmark(position);
        persist(lane, self.retry_ms_max, "unmark record", unmark).await?;
        self.marked.set(None);
        Ok(())
    }
}
