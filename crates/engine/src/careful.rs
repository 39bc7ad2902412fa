//! The careful lane: after a crash it works one command at a time, and marks each durably before
//! it is decided, so that a command that ends the process is found out.

use std::sync::Arc;

use ordain_model::{Code, Command};
use ordain_ports::Lane;

use crate::Ports;
use crate::Settings;
use crate::lane::{LaneEnd, persist};
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
}

/// How many records above its progress a lane may have taken up: the batch it decides, those that
/// wait for its finisher, and as many again that the finisher has taken together.
fn in_work_max(settings: &Settings) -> u64 {
    let batches = 2 * settings.unfinished_batches_max + 2;
    (settings.batch_records_max as u64).saturating_mul(batches as u64)
}

impl Careful {
    /// Notes that the lane begins its work at its progress, and says how far it has to be careful.
    pub(crate) async fn begin(
        ports: &Ports,
        settings: &Settings,
        lane: &Arc<dyn Lane<Command>>,
    ) -> Result<Self, LaneEnd> {
        let (partition, max) = (lane.partition(), settings.retry_ms_max);
        let progress = lane.progress().unwrap_or(0);
        let begin = || ports.crash_marks.begin(partition, progress);
        let begun_before = persist(lane, max, "begin lane", begin).await?;
        let mut careful =
            Self { until: 0, crash_marks_max: settings.crash_marks_max, retry_ms_max: max };
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
        lane: &Arc<dyn Lane<Command>>,
        item: &mut Item,
    ) -> Result<(), LaneEnd> {
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
        lane: &Arc<dyn Lane<Command>>,
        item: ordain_ports::Position,
    ) -> Result<(), LaneEnd> {
        let unmark = || ports.crash_marks.unmark(item);
        persist(lane, self.retry_ms_max, "unmark record", unmark).await
    }
}
