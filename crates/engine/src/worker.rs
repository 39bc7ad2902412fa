//! The worker: one member of the workers' group, with a lane for each of its partitions.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use ordain_model::{Command, Registry};
use ordain_ports::{Action, Announced, Error, Feed, Lane as Partition};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::cache::Cache;
use crate::careful::{Marked, in_work_max};
use crate::decide::Decider;
use crate::finisher::Finisher;
use crate::heartbeat::Heart;
use crate::lane::{Lane, LaneEnd};
use crate::load::{KnownPublished, Loader};
use crate::measured::Measured;
use crate::meters::Meters;
use crate::receive::Known;
use crate::recent::Recent;
use crate::{Ports, Settings, Watchdog};

/// How often a lane that waits for a person says so.
const ALARM_EVERY: Duration = Duration::from_secs(60);
/// How often a lane that waits for a person looks whether its partition has moved.
const REVOKED_EVERY: Duration = Duration::from_millis(100);

/// Is told, by partition, why a lane stands still and waits for a person; `None` once it no longer
/// does.
pub type ReportStop = Arc<dyn Fn(u32, Option<&str>) + Send + Sync>;

/// One member of the workers' group.
#[derive(Clone)]
pub struct Worker {
    ports: Ports,
    registry: Arc<Registry>,
    settings: Arc<Settings>,
    watchdog: Arc<Watchdog>,
    report_stop: ReportStop,
}

impl Worker {
    /// A worker that decides by the rules in `registry`.
    #[must_use]
    pub fn new(
        ports: Ports,
        registry: Arc<Registry>,
        settings: Settings,
        watchdog: Arc<Watchdog>,
    ) -> Self {
        let report_stop: ReportStop = Arc::new(|_, _| ());
        Self { ports, registry, settings: Arc::new(settings), watchdog, report_stop }
    }

    /// The same, telling which of its lanes stand still.
    #[must_use]
    pub fn reporting(mut self, report_stop: ReportStop) -> Self {
        self.report_stop = report_stop;
        self
    }

    /// Announces all commands that this worker knows. Before any is accepted: what was never
    /// announced is rejected by every other build.
    ///
    /// # Errors
    /// The announcements cannot be kept at the moment.
    pub async fn announce(&self) -> Result<(), Error> {
        Known::announce(&self.registry, self.ports.announcements.as_ref()).await.map(drop)
    }

    /// Works until `leave` is cancelled, then leaves: every lane finishes the batch it has, and
    /// gives its partition back.
    ///
    /// # Errors
    /// The feed has failed for good.
    pub async fn run(
        &self,
        mut feed: Box<dyn Feed<Command>>,
        leave: CancellationToken,
    ) -> Result<(), Error> {
        let heart = Arc::new(Heart::new(&self.ports, Announced::all_of(&self.registry).collect()));
        let mut beating = JoinSet::new();
        beating.spawn(Arc::clone(&heart).run(self.settings.heartbeat_every_ms));
        let mut lanes = JoinSet::new();
        let mut prune = tokio::time::interval(Duration::from_millis(self.settings.prune_every_ms));
        let mut pruning = JoinSet::new();
        let mut leaving = false;
        let mut asking = Asking::new(self.settings.retry_ms_max);
        loop {
            tokio::select! {
                lane = asking.next_lane(feed.as_mut()) => match lane? {
                    Some(partition) => {
                        lanes.spawn(self.clone().lane(heart.measured(Arc::from(partition))));
                    }
                    None => break,
                },
                () = leave.cancelled(), if !leaving => {
                    leaving = true;
                    feed.leave();
                }
                _ = prune.tick(), if pruning.is_empty() => {
                    pruning.spawn(self.clone().prune());
                }
                Some(_) = pruning.join_next() => {}
                Some(ended) = lanes.join_next() => Self::check(ended)?,
            }
        }
        while let Some(ended) = lanes.join_next().await {
            Self::check(ended)?;
        }
        beating.shutdown().await;
        heart.leave().await;
        Ok(())
    }

    fn check(ended: Result<(), tokio::task::JoinError>) -> Result<(), Error> {
        ended.map_err(|panic| {
            Error::new(ordain_ports::Action::CallPerson, "a lane ended by a bug").because(panic)
        })
    }

    async fn prune(self) {
        let keep = i64::try_from(self.settings.requests_keep_ms).unwrap_or(i64::MAX);
        let before = self.ports.clock.now().plus_nanoseconds(keep.saturating_mul(-1_000_000));
        if let Err(error) = self.ports.log.prune(before).await {
            tracing::warn!(%error, "handled requests were not deleted");
        }
    }

    /// Runs one lane to its end. One that must not go on keeps its partition and says so, until
    /// the partition is taken away.
    async fn lane(self, partition: Arc<Measured>) {
        let number = partition.partition();
        tracing::info!(partition = number, progress = partition.progress(), "lane begins");
        metrics::gauge!("ordain_engine_lanes").increment(1.0);
        match self.work(&partition).await {
            Ok(()) => tracing::info!(partition = number, "lane ends"),
            Err(LaneEnd::Lost) => tracing::warn!(partition = number, "lane lost its partition"),
            Err(LaneEnd::Alarm(why)) => {
                partition.stop(&why);
                (self.report_stop)(number, Some(&why));
                alarm(&partition, &why).await;
                (self.report_stop)(number, None);
            }
        }
        metrics::gauge!("ordain_engine_lanes").decrement(1.0);
    }

    async fn work(&self, partition: &Arc<Measured>) -> Result<(), LaneEnd> {
        let marked = Marked::default();
        let ended = self.run_lane(partition, &marked).await;
        // Nothing is left here of a lane that ended well.
        marked.take_back(&self.ports, self.settings.retry_ms_max).await;
        ended
    }

    async fn run_lane(&self, partition: &Arc<Measured>, marked: &Marked) -> Result<(), LaneEnd> {
        let (hand_over, settled) = mpsc::channel(self.settings.unfinished_batches_max);
        // Each record in work makes at most one snapshot, and the lane empties the queue before
        // every batch, so it never fills.
        let room = usize::try_from(in_work_max(&self.settings)).unwrap_or(usize::MAX);
        let (stored, snapshots_stored) = mpsc::channel(room.clamp(1, Semaphore::MAX_PERMITS));
        let finisher = Finisher {
            ports: self.ports.clone(),
            lane: Arc::clone(partition),
            retry_ms_max: self.settings.retry_ms_max,
            settled,
            snapshots_stored: stored,
        };
        let mut lane = self.begin(partition, hand_over, snapshots_stored).await?;
        lane.marked = marked.clone();
        let (worked, finished) = (pin!(lane.run()), pin!(finisher.run()));
        // Each is dropped when the other has lost the partition or needs a person: neither must go
        // on alone. A lane that ended well leaves the finisher to finish.
        match select(worked, finished).await {
            Either::Left((Ok(()), finished)) => finished.await,
            Either::Left((Err(LaneEnd::Alarm(why)), finished)) => {
                finished.await?;
                Err(LaneEnd::Alarm(why))
            }
            Either::Left((Err(LaneEnd::Lost), finished)) => {
                finished.await?;
                Err(LaneEnd::Lost)
            }
            Either::Right((finished, worked)) => {
                finished?;
                worked.await
            }
        }
    }

    async fn begin(
        &self,
        partition: &Arc<Measured>,
        finisher: mpsc::Sender<crate::finisher::Settled>,
        snapshots_stored: mpsc::Receiver<crate::finisher::SnapshotStored>,
    ) -> Result<Lane, LaneEnd> {
        let max = self.settings.retry_ms_max;
        let announce = || Known::announce(&self.registry, self.ports.announcements.as_ref());
        let known = crate::lane::persist(partition, max, "announce", announce).await?;
        let read = || self.ports.log.progress();
        let progress = crate::lane::persist(partition, max, "read progress", read).await?;
        Ok(Lane {
            ports: self.ports.clone(),
            settings: Arc::clone(&self.settings),
            partition: Arc::clone(partition),
            known,
            loader: Loader {
                registry: Arc::clone(&self.registry),
                commits: Arc::clone(&self.ports.commits),
                published: KnownPublished {
                    partition: partition.partition(),
                    handed: partition.progress().unwrap_or(0),
                    progress,
                },
            },
            decider: Decider::new(self.watchdog.watch(), &self.settings),
            cache: Cache::new(self.settings.lane_cache_bytes_max),
            recent: Recent::new(self.settings.lane_outcomes_bytes_max),
            finisher,
            snapshots_stored,
            marked: Marked::default(),
            look_up_first: true,
            decides_slowly: false,
            meters: Meters::new(),
        })
    }
}

/// Asks a feed for lanes.
struct Asking {
    backoff: Backoff,
    /// What a person was called for since the last lane.
    called_for: Option<String>,
}

impl Asking {
    fn new(retry_ms_max: u64) -> Self {
        Self { backoff: Backoff::new(retry_ms_max), called_for: None }
    }

    /// The next lane. A feed that does not answer is asked again; the error is one that asking
    /// again cannot mend. Safe to cancel.
    async fn next_lane(
        &mut self,
        feed: &mut dyn Feed<Command>,
    ) -> Result<Option<Box<dyn Partition<Command>>>, Error> {
        loop {
            let error = match feed.lane().await {
                Ok(lane) => {
                    self.called_for = None;
                    self.backoff.reset();
                    return Ok(lane);
                }
                Err(error) => error,
            };
            metrics::counter!("ordain_engine_retries", "what" => "join group").increment(1);
            match error.action() {
                Action::Stop | Action::GiveUp => return Err(error),
                Action::CallPerson => self.call_person(&error),
                Action::TryAgain => tracing::warn!(%error, "the workers' group did not answer"),
            }
            self.backoff.pause().await;
        }
    }

    /// Once, however often it fails in the same way.
    fn call_person(&mut self, error: &Error) {
        let error = error.to_string();
        if self.called_for.as_ref() != Some(&error) {
            tracing::error!(error, "the workers' group needs a person");
            self.called_for = Some(error);
        }
    }
}

/// Says again and again why the lane stands still, until the partition is taken away.
async fn alarm(partition: &Measured, why: &str) {
    let number = partition.partition();
    metrics::gauge!("ordain_engine_lanes_stopped").increment(1.0);
    let mut say = tokio::time::interval(ALARM_EVERY);
    let mut look = tokio::time::interval(REVOKED_EVERY);
    while !partition.is_revoked() {
        tokio::select! {
            _ = say.tick() => tracing::error!(partition = number, why, "lane stopped"),
            _ = look.tick() => {}
        }
    }
    metrics::gauge!("ordain_engine_lanes_stopped").decrement(1.0);
}
