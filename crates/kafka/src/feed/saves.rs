//! Progress on its way to the brokers: one request at a time, which carries all that has come up
//! since the one before.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::oneshot;

use crate::fault::Fault;

type Told = oneshot::Sender<Result<(), Fault>>;

/// So long until a save that came to nothing is tried again.
const AGAIN: Duration = Duration::from_millis(20);

/// Progress of one partition, and who waits for it to be saved.
struct Waiting {
    progress: u64,
    told: Vec<Told>,
    since: Instant,
}

/// Progress on its way.
pub(crate) struct Saves {
    waiting: BTreeMap<u32, Waiting>,
    flying: BTreeMap<u32, Waiting>,
    /// So long after one request the next may be sent, unless somebody leaves.
    pause: Duration,
    paused_until: Option<Instant>,
    /// A request that failed is not sent again before.
    again: Option<Instant>,
}

/// What is to be done about a save that failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// The member has lost everything.
    Fence,
    /// The group is being shared out anew, or nobody is there to ask.
    TryAgain,
    /// It fails for another reason.
    Tell,
}

/// What the error of a save asks for.
pub(crate) fn remedy(error: &KafkaError) -> Remedy {
    use RDKafkaErrorCode as Code;
    let Some(code) = error.rdkafka_error_code() else {
        return Remedy::Tell;
    };
    match code {
        Code::UnknownMemberId
        | Code::FencedInstanceId
        | Code::FencedMemberEpoch
        | Code::AssignmentLost
        | Code::Fatal => Remedy::Fence,
        // A member that is told so while it rejoins may get its partitions back; one that may not
        // is told by the driver that it has lost them.
        Code::IllegalGeneration
        | Code::RebalanceInProgress
        | Code::StaleMemberEpoch
        | Code::NotCoordinator
        | Code::CoordinatorLoadInProgress
        | Code::CoordinatorNotAvailable
        | Code::WaitingForCoordinator
        | Code::RequestTimedOut
        | Code::OperationTimedOut
        | Code::MessageTimedOut
        | Code::TimedOutQueue
        | Code::NetworkException
        | Code::BrokerTransportFailure
        | Code::UnknownTopicOrPartition
        | Code::Retry => Remedy::TryAgain,
        _ => Remedy::Tell,
    }
}

impl Saves {
    /// Nothing is on its way yet.
    pub(crate) fn new(pause: Duration) -> Self {
        Self {
            waiting: BTreeMap::new(),
            flying: BTreeMap::new(),
            pause,
            paused_until: None,
            again: None,
        }
    }

    /// Adds progress to what is to be saved.
    pub(crate) fn add(&mut self, partition: u32, progress: u64, told: Told) {
        let waiting = self.waiting.entry(partition);
        let waiting = waiting.or_insert_with(|| Waiting {
            progress,
            told: Vec::new(),
            since: Instant::now(),
        });
        waiting.progress = waiting.progress.max(progress);
        waiting.told.push(told);
    }

    /// Whether progress of this partition is on its way.
    pub(crate) fn has(&self, partition: u32) -> bool {
        self.is_flying(partition) || self.waiting.contains_key(&partition)
    }

    /// Whether progress of this partition is in a request that has not been answered.
    pub(crate) fn is_flying(&self, partition: u32) -> bool {
        self.flying.contains_key(&partition)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.flying.is_empty()
    }

    /// What is to be sent next, if anything may be. Whoever leaves waits for no pause.
    pub(crate) fn depart(&mut self, topic: &str, leaves: bool) -> Option<TopicPartitionList> {
        let now = Instant::now();
        let is_paused = !leaves && self.paused_until.is_some_and(|until| now < until);
        let is_early = is_paused || self.again.is_some_and(|again| now < again);
        if is_early || self.waiting.is_empty() || !self.flying.is_empty() {
            return None;
        }
        let mut list = TopicPartitionList::with_capacity(self.waiting.len());
        for (partition, waiting) in &self.waiting {
            let number = i32::try_from(*partition).unwrap_or(i32::MAX);
            let offset = Offset::Offset(i64::try_from(waiting.progress).unwrap_or(i64::MAX));
            if let Err(error) = list.add_partition_offset(topic, number, offset) {
                tracing::warn!(%error, "kafka_progress_not_named");
            }
        }
        self.flying = std::mem::take(&mut self.waiting);
        self.again = None;
        self.paused_until = Some(now + self.pause);
        Some(list)
    }

    /// What was sent is saved: tells who waits, and gives what is saved now.
    pub(crate) fn saved(&mut self) -> Vec<(u32, u64)> {
        let flying = std::mem::take(&mut self.flying);
        let arrived = flying.into_iter().map(|(partition, waiting)| {
            tell(waiting.told, || Ok(()));
            (partition, waiting.progress)
        });
        arrived.collect()
    }

    /// What was sent is not saved, and is sent again for those who have not waited too long.
    pub(crate) fn failed(&mut self, longest: Duration, error: &KafkaError) {
        self.again = Some(Instant::now() + AGAIN);
        for (partition, waiting) in std::mem::take(&mut self.flying) {
            if waiting.since.elapsed() > longest {
                tell(waiting.told, || Err(Fault::of("saving progress")(error.clone())));
                continue;
            }
            let merged = self.waiting.entry(partition);
            let merged =
                merged.or_insert(Waiting { progress: 0, told: Vec::new(), since: waiting.since });
            merged.progress = merged.progress.max(waiting.progress);
            merged.since = merged.since.min(waiting.since);
            merged.told.extend(waiting.told);
        }
    }

    /// What was sent is not saved, and will not be.
    pub(crate) fn refused(&mut self, error: &KafkaError) {
        for waiting in std::mem::take(&mut self.flying).into_values() {
            tell(waiting.told, || Err(Fault::of("saving progress")(error.clone())));
        }
    }

    /// Nothing of this partition may be saved any more, but for what is under way.
    pub(crate) fn fence(&mut self, partition: u32) {
        if let Some(waiting) = self.waiting.remove(&partition) {
            tell(waiting.told, || Err(Fault::Fenced));
        }
    }
}

fn tell(told: Vec<Told>, what: impl Fn() -> Result<(), Fault>) {
    for one in told {
        // Who saved may have gone.
        drop(one.send(what()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(saves: &mut Saves, progress: u64) -> oneshot::Receiver<Result<(), Fault>> {
        let (told, saved) = oneshot::channel();
        saves.add(0, progress, told);
        saved
    }

    fn departed(saves: &mut Saves, leaves: bool) -> Option<Option<i64>> {
        let list = saves.depart("topic", leaves)?;
        Some(list.elements().first().and_then(|partition| partition.offset().to_raw()))
    }

    #[test]
    fn what_comes_up_during_the_pause_goes_in_one_request() {
        let mut saves = Saves::new(Duration::from_secs(3_600));
        let mut first = add(&mut saves, 1);
        assert_eq!(departed(&mut saves, false), Some(Some(1)));
        assert_eq!(saves.saved(), [(0, 1)]);
        assert!(matches!(first.try_recv(), Ok(Ok(()))));
        let (mut second, mut third) = (add(&mut saves, 2), add(&mut saves, 3));
        assert_eq!(departed(&mut saves, false), None, "the pause is not over");
        assert_eq!(departed(&mut saves, true), Some(Some(3)), "who leaves waits for no pause");
        assert_eq!(saves.saved(), [(0, 3)]);
        assert!(matches!((second.try_recv(), third.try_recv()), (Ok(Ok(())), Ok(Ok(())))));
    }

    #[test]
    fn without_a_pause_one_request_follows_the_other() {
        let mut saves = Saves::new(Duration::ZERO);
        for progress in [1, 2] {
            let _saved = add(&mut saves, progress);
            assert!(departed(&mut saves, false).is_some());
            saves.saved();
        }
    }
}
