//! What is asked of the brokers about the log of requests: ends, saved progress, what may be
//! deleted. All of it waits for answers.

use std::time::Duration;

use ordain_model::Timestamp;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};

use crate::Settings;
use crate::broker::{self, Plain};
use crate::fault::Fault;
use crate::topics::{self, Topics};

/// A client that asks for the workers' group, and is never a member of it.
pub(crate) struct Lookups {
    consumer: BaseConsumer<Plain>,
    admin: AdminClient<Plain>,
    topic: String,
    patience: Duration,
}

impl Lookups {
    pub(crate) fn new(settings: &Settings, topics: &Topics) -> Result<Self, Fault> {
        let config = broker::config(settings)?;
        let making = Fault::of("making a client for questions");
        let admin = config.create_with_context(Plain).map_err(making)?;
        let mut config = config;
        config
            .set("group.id", &topics.workers)
            .set("enable.auto.commit", "false")
            // The end is that of what is durable, whoever may have a transaction open.
            .set("isolation.level", "read_uncommitted");
        let making = Fault::of("making a client for questions");
        let consumer = config.create_with_context(Plain).map_err(making)?;
        let patience = broker::patience(settings);
        Ok(Self { consumer, admin, topic: topics.requests.clone(), patience })
    }

    /// Takes what the driver has to tell, which nobody else does.
    pub(crate) fn drain(&self) {
        for _ in 0..16 {
            drop(self.consumer.poll(Duration::ZERO));
        }
    }

    /// Every partition there is now, with one offset for all.
    fn partitions(&self, offset: Offset) -> Result<TopicPartitionList, Fault> {
        let metadata = self
            .consumer
            .fetch_metadata(Some(&self.topic), self.patience)
            .map_err(Fault::of("counting the partitions of a topic"))?;
        let count = topics::partitions_of(&metadata, &self.topic).unwrap_or_default();
        if count == 0 {
            return Err(Fault::NoTopic(self.topic.clone()));
        }
        let mut list = TopicPartitionList::with_capacity(count as usize);
        for partition in 0..i32::try_from(count).unwrap_or(i32::MAX) {
            list.add_partition_offset(&self.topic, partition, offset)
                .map_err(Fault::of("naming a partition"))?;
        }
        Ok(list)
    }

    /// One above the highest offset of each partition.
    pub(crate) fn ends(&self) -> Result<Vec<u64>, Fault> {
        let asked = self.partitions(Offset::End)?;
        let asking = Fault::of("reading the ends of a topic");
        let ends = self.consumer.offsets_for_times(asked, self.patience).map_err(asking)?;
        offsets(&ends)?.into_iter().map(|end| end.ok_or(Fault::BrokenOff)).collect()
    }

    /// What the workers' group has saved.
    pub(crate) fn progress(&self) -> Result<Vec<Option<u64>>, Fault> {
        let asked = self.partitions(Offset::Invalid)?;
        let asking = Fault::of("reading saved progress");
        let saved = self.consumer.committed_offsets(asked, self.patience).map_err(asking)?;
        offsets(&saved)
    }

    /// Below which offset of each partition all is done and older than that.
    pub(crate) fn prunable(&self, before: Timestamp) -> Result<TopicPartitionList, Fault> {
        let saved = self.progress()?;
        let milliseconds = before.nanoseconds().max(0) / 1_000_000;
        let asked = self.partitions(Offset::Offset(milliseconds))?;
        let asking = Fault::of("finding the age of records");
        let young = self.consumer.offsets_for_times(asked, self.patience).map_err(asking)?;
        let mut below = TopicPartitionList::new();
        for ((partition, young), saved) in (0..).zip(offsets(&young)?).zip(saved) {
            // Where no record is young, only what is not done bounds it.
            let Some(saved) = saved else { continue };
            let bound = young.map_or(saved, |young| young.min(saved));
            if bound > 0 {
                let offset = Offset::Offset(i64::try_from(bound).unwrap_or(i64::MAX));
                below
                    .add_partition_offset(&self.topic, partition, offset)
                    .map_err(Fault::of("naming a partition"))?;
            }
        }
        Ok(below)
    }

    /// Deletes what lies below these offsets.
    pub(crate) async fn delete(&self, below: &TopicPartitionList) -> Result<(), Fault> {
        if below.count() == 0 {
            return Ok(());
        }
        let options = AdminOptions::new().request_timeout(Some(self.patience));
        let deleted = self.admin.delete_records(below, &options).await;
        let deleted = deleted.map_err(Fault::of("deleting records"))?;
        for element in deleted.elements() {
            element.error().map_err(Fault::of("deleting records"))?;
        }
        Ok(())
    }
}

/// The offsets of a list in the order of partitions; `None` where there is none.
fn offsets(list: &TopicPartitionList) -> Result<Vec<Option<u64>>, Fault> {
    let mut offsets = Vec::with_capacity(list.count());
    for element in list.elements() {
        element.error().map_err(Fault::of("reading offsets"))?;
        offsets.push((element.partition(), offset(element.offset())));
    }
    offsets.sort_unstable_by_key(|(partition, _)| *partition);
    Ok(offsets.into_iter().map(|(_, offset)| offset).collect())
}

/// An offset as a number, where it is one.
pub(crate) fn offset(offset: Offset) -> Option<u64> {
    match offset {
        Offset::Offset(number) => u64::try_from(number).ok(),
        _ => None,
    }
}
