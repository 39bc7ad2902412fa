//! The thread that waits for the brokers, so that the one that polls them need not.

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Offset, TopicPartitionList};

use super::handover::Handover;
use super::{Desk, Order};
use crate::commands::offset;
use crate::fault::Fault;

/// So long a broker may take to say where a partition begins: what is asked behind it waits.
const BEGIN_MAX: Duration = Duration::from_secs(1);

/// What is asked of the brokers.
pub(crate) enum Question {
    /// To save progress.
    Commit(TopicPartitionList),
    /// The saved progress of these partitions.
    Saved(TopicPartitionList),
    /// Where the first record stands that the brokers still have of a partition, for this lane.
    Begin { partition: u32, lane: u64 },
    /// To read a partition from there on, as if what was read of it had not been.
    Seek { partition: u32, to: Option<u64> },
}

/// What became of it.
pub(crate) enum Answer {
    Committed(KafkaResult<()>),
    Saved(KafkaResult<BTreeMap<u32, Option<u64>>>),
    Begin { partition: u32, lane: u64, begin: KafkaResult<u64> },
    Sought { partition: u32, result: KafkaResult<()> },
}

/// The thread, and the way to ask it.
pub(crate) struct Clerk {
    questions: Option<mpsc::Sender<Question>>,
    thread: Option<JoinHandle<()>>,
}

struct Asking {
    consumer: Arc<BaseConsumer<Handover>>,
    topic: String,
    patience: Duration,
}

impl Clerk {
    pub(crate) fn start<R: Send + Sync + 'static>(
        consumer: &Arc<BaseConsumer<Handover>>,
        topic: &str,
        patience: Duration,
        desk: &Arc<Desk<R>>,
    ) -> Result<Self, Fault> {
        let (questions, asked) = mpsc::channel();
        let asking = Asking { consumer: Arc::clone(consumer), topic: topic.to_owned(), patience };
        let desk = Arc::clone(desk);
        let thread = std::thread::Builder::new()
            .name("kafka-clerk".to_owned())
            .spawn(move || {
                for question in asked {
                    desk.order(Order::Answer(asking.ask(question)));
                }
            })
            .map_err(Fault::Thread)?;
        Ok(Self { questions: Some(questions), thread: Some(thread) })
    }

    /// Asks; the answer comes as an order.
    pub(crate) fn ask(&self, question: Question) {
        if let Some(questions) = &self.questions {
            // The thread lives as long as there is a sender.
            drop(questions.send(question));
        }
    }
}

impl Drop for Clerk {
    /// Waits for what is under way: it must not outlive the membership that it rests on.
    fn drop(&mut self) {
        drop(self.questions.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Asking {
    fn ask(&self, question: Question) -> Answer {
        match question {
            Question::Commit(progress) => {
                Answer::Committed(self.consumer.commit(&progress, CommitMode::Sync))
            }
            Question::Saved(partitions) => Answer::Saved(self.saved(partitions)),
            Question::Begin { partition, lane } => {
                Answer::Begin { partition, lane, begin: self.begin(partition) }
            }
            Question::Seek { partition, to } => {
                Answer::Sought { partition, result: self.seek(partition, to) }
            }
        }
    }

    fn saved(&self, partitions: TopicPartitionList) -> KafkaResult<BTreeMap<u32, Option<u64>>> {
        self.offsets(&self.consumer.committed_offsets(partitions, self.patience)?)
    }

    fn begin(&self, partition: u32) -> KafkaResult<u64> {
        let number = i32::try_from(partition).map_err(|_| KafkaError::Canceled)?;
        let mut asked = TopicPartitionList::new();
        asked.add_partition_offset(&self.topic, number, Offset::Beginning)?;
        // The driver asks the brokers for a place in the log as it does for a time.
        let begins = self.consumer.offsets_for_times(asked, self.patience.min(BEGIN_MAX))?;
        let begin = self.offsets(&begins)?.remove(&partition).flatten();
        begin.ok_or(KafkaError::Canceled)
    }

    fn offsets(&self, list: &TopicPartitionList) -> KafkaResult<BTreeMap<u32, Option<u64>>> {
        let mut offsets = BTreeMap::new();
        for element in list.elements_for_topic(&self.topic) {
            element.error()?;
            let partition = u32::try_from(element.partition()).unwrap_or_default();
            offsets.insert(partition, offset(element.offset()));
        }
        Ok(offsets)
    }

    fn seek(&self, partition: u32, to: Option<u64>) -> KafkaResult<()> {
        let partition = i32::try_from(partition).map_err(|_| KafkaError::Canceled)?;
        self.consumer.seek(&self.topic, partition, from(to), self.patience)
    }
}

/// Where a lane with this progress begins.
pub(crate) fn from(progress: Option<u64>) -> Offset {
    // The wrong variant begins at the end of a partition of which nothing is done yet.
    fail::fail_point!("broken-latest", progress.is_none(), |_| Offset::End);
    match progress {
        Some(progress) => Offset::Offset(i64::try_from(progress).unwrap_or(i64::MAX)),
        None => Offset::Beginning,
    }
}
