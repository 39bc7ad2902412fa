//! The projector: follows the log of events and writes the rows of one view.

mod batch;
mod broken;
mod follower;
mod gone;
mod held;
mod meters;
mod round;
mod row_cache;
mod rows;
mod traced;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ordain_ports::{
    Action, Clock, Commits, DeadLetters, Error, Feed, Lane, Published, Spans, ViewStore,
};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::backoff::Backoff;
use crate::{Settings, View};
use follower::Follower;

/// How often it is said of a feed that it is broken in the same way.
const ALARM_EVERY: Duration = Duration::from_secs(60);

/// The ports that a projector works through.
#[derive(Clone)]
pub struct Ports {
    /// The history, which fills gaps.
    pub commits: Arc<dyn Commits>,
    /// Where the rows go.
    pub views: Arc<dyn ViewStore>,
    /// Keeps what could not be folded.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// Where it tells, of events that belong to a trace, when they were folded.
    pub spans: Arc<dyn Spans>,
    /// Tells how far behind the view is, and when a dead letter was written.
    pub clock: Arc<dyn Clock>,
}

/// Follows the log of events and writes the rows of one view.
///
/// Any number of projectors of one view may run at once: they share the partitions of the group
/// `view-<name>`, and where two believe to own one, the conditions on rows and marks decide.
///
/// What stops what:
/// - An event that is in neither the log nor the commits stops its aggregate only. The mark of
///   that aggregate stays, the record becomes a dead letter, and progress goes on. Nothing is lost
///   by that: the mark shows the gap to every later event of the aggregate, also after a restart,
///   and each looks into the commits again and goes on from there once they have what was missing.
/// - Events whose records the log has deleted before the view read them are taken from the
///   commits: the lane goes through all aggregates of its partition before it reads on.
/// - An event that this build cannot read, or a row that it cannot, stops the lane, with an alarm:
///   what stands before it in the batch is folded, progress stays at it, and the lane is held
///   until it is revoked. A build that can read it takes over from there.
/// - A record that cannot be read becomes a dead letter. If it still tells whose event it was, the
///   event is read from the commits instead.
pub struct Projector {
    view: Arc<dyn View>,
    ports: Ports,
    settings: Settings,
    report_stop: ReportStop,
}

/// Is told, by partition, why a lane stands still and waits for a person; `None` once it no longer
/// does.
pub type ReportStop = Arc<dyn Fn(u32, Option<&str>) + Send + Sync>;

impl Projector {
    /// The projector of this view.
    #[must_use]
    pub fn new(view: Arc<dyn View>, ports: Ports, settings: Settings) -> Self {
        Self { view, ports, settings, report_stop: Arc::new(|_, _| ()) }
    }

    /// The same, telling which of its lanes stand still.
    #[must_use]
    pub fn reporting(mut self, report_stop: ReportStop) -> Self {
        self.report_stop = report_stop;
        self
    }

    /// The group of this view's feeds on the log of events.
    #[must_use]
    pub fn group(view: &dyn View) -> String {
        format!("view-{}", view.name())
    }

    /// Follows the feed, one task a lane, until `leave` is cancelled and every lane has ended, or
    /// the feed ends. Dropping it is a crash: all lanes end where they are.
    ///
    /// # Errors
    /// The feed was taken from this member, or a lane ended by a panic.
    pub async fn run(
        self,
        mut feed: Box<dyn Feed<Published>>,
        leave: CancellationToken,
    ) -> Result<(), Error> {
        let mut lanes = JoinSet::new();
        let mut backoff = Backoff::new(self.settings.retry_ms_max);
        let mut said = None;
        let mut left = false;
        loop {
            tokio::select! {
                () = leave.cancelled(), if !left => {
                    left = true;
                    feed.leave();
                }
                lane = feed.lane() => match lane {
                    Ok(Some(lane)) => {
                        backoff = Backoff::new(self.settings.retry_ms_max);
                        said = None;
                        lanes.spawn(self.follow(lane));
                    }
                    Ok(None) => break,
                    Err(stopped) if stopped.is_stop() => return Err(stopped),
                    Err(failed) => {
                        self.report(&failed, &mut said);
                        backoff.pause().await;
                    }
                },
                Some(ended) = lanes.join_next() => ended.map_err(|why| self.panicked(why))?,
            }
        }
        while let Some(ended) = lanes.join_next().await {
            ended.map_err(|why| self.panicked(why))?;
        }
        Ok(())
    }

    fn follow(&self, lane: Box<dyn Lane<Published>>) -> impl Future<Output = ()> + use<> {
        let view = Arc::clone(&self.view);
        let follower = Follower::new(view, self.ports.clone(), self.settings.clone(), lane);
        let report_stop = Arc::clone(&self.report_stop);
        async move { follower.run(&report_stop).await }
    }

    /// Says that the feed failed; that it is broken not at each try, but when that is new, and now
    /// and then as long as it stays so.
    fn report(&self, failed: &Error, said: &mut Option<(String, Instant)>) {
        let view = self.view.name();
        if matches!(failed.action(), Action::TryAgain | Action::Stop) {
            warn!(view, %failed, "view_feed_retried");
            return;
        }
        let failed = failed.to_string();
        let is_known = said
            .as_ref()
            .is_some_and(|(before, when)| *before == failed && when.elapsed() < ALARM_EVERY);
        if !is_known {
            error!(view, failed, "view_feed_broken");
            *said = Some((failed, Instant::now()));
        }
    }

    fn panicked(&self, why: JoinError) -> Error {
        error!(view = self.view.name(), %why, "view_lane_panicked");
        Error::new(Action::CallPerson, "a lane of a view ended by a panic").because(why)
    }
}

impl fmt::Debug for Projector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Projector").field("view", &self.view.name()).finish_non_exhaustive()
    }
}
