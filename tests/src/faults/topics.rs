//! The topics of a fleet, read record by record as any tool reads them: CloudEvents in Kafka's
//! binary mode.

use std::time::Duration;

use ordain_checker::Place;
use ordain_checker::evidence::{
    Command, Event, Happened, Item, Letter, Request, Topic, Unreadable,
};
use ordain_model::Timestamp;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};

/// How long a broker may take to answer, and a record to come.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// A fleet's topics.
pub(super) struct Topics<'a> {
    pub(super) servers: &'a str,
    pub(super) prefix: &'a str,
}

impl Topics<'_> {
    /// Every record of the log of requests.
    pub(super) fn requests(&self) -> Vec<Item> {
        self.read(Topic::Requests, |place, record| {
            Some(Item::Request(Request { place, command: command(record) }))
        })
    }

    /// Every record of the log of events.
    pub(super) fn events(&self) -> Vec<Item> {
        self.read(Topic::FinalEvents, |place, record| event(place, record).map(Item::Event))
    }

    /// Every dead letter.
    pub(super) fn letters(&self) -> Vec<Item> {
        self.read(Topic::DeadLetters, |_, record| letter(record).map(Item::Letter))
    }

    /// How many partitions the log of requests has.
    #[expect(clippy::expect_used, reason = "a test that cannot read its fleet has failed")]
    pub(super) fn partitions_of_requests(&self) -> usize {
        let topic = format!("{}.{}", self.prefix, Topic::Requests);
        let metadata = self.consumer().fetch_metadata(Some(&topic), ANSWER_MAX);
        metadata.expect("a broker").topics().first().expect("the topic").partitions().len()
    }

    #[expect(clippy::expect_used, reason = "a test that cannot read its fleet has failed")]
    fn consumer(&self) -> BaseConsumer {
        ClientConfig::new()
            .set("bootstrap.servers", self.servers)
            .set("group.id", "reads-everything-back")
            .set("enable.auto.commit", "false")
            .create()
            .expect("a consumer")
    }

    /// Every record as the item that it is; one that is none is kept as such.
    #[expect(clippy::expect_used, reason = "a test that cannot read its fleet has failed")]
    fn read(&self, topic: Topic, read: impl Fn(Place, &Record<'_>) -> Option<Item>) -> Vec<Item> {
        let (name, consumer) = (format!("{}.{topic}", self.prefix), self.consumer());
        let metadata = consumer.fetch_metadata(Some(&name), ANSWER_MAX).expect("a broker");
        let found = metadata.topics().first().expect("the topic");
        let mut items = Vec::new();
        for partition in found.partitions() {
            let partition = partition.id();
            let ends = consumer.fetch_watermarks(&name, partition, ANSWER_MAX);
            let (first, end) = ends.expect("where a partition ends");
            let mut assigned = TopicPartitionList::new();
            let at = assigned.add_partition_offset(&name, partition, Offset::Offset(first));
            at.and_then(|()| consumer.assign(&assigned)).expect("a partition to read");
            let mut next = first;
            while next < end {
                let record = consumer.poll(ANSWER_MAX).expect("a record in time");
                let record = record.expect("a record");
                next = record.offset() + 1;
                let place = Place {
                    partition: partition.unsigned_abs(),
                    offset: record.offset().unsigned_abs(),
                };
                let unreadable = || Item::Unreadable(Unreadable { topic, place });
                items.push(read(place, &Record(&record)).unwrap_or_else(unreadable));
            }
        }
        items
    }
}

/// A record, with its headers by name.
struct Record<'a>(&'a BorrowedMessage<'a>);

impl Record<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        let headers = self.0.headers()?;
        let found = headers.iter().find(|header| header.key == name)?;
        std::str::from_utf8(found.value?).ok()
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.header(name)?.parse().ok()
    }

    fn time(&self, name: &str) -> Option<i64> {
        self.header(name)?.parse().ok().map(Timestamp::nanoseconds)
    }

    fn key(&self) -> Option<&str> {
        std::str::from_utf8(self.0.key()?).ok()
    }

    fn text(&self) -> Option<String> {
        String::from_utf8(self.0.payload()?.to_vec()).ok()
    }

    /// What `ce_type` says behind the aggregate's type.
    fn name(&self) -> Option<String> {
        Some(self.header("ce_type")?.rsplit_once('.')?.1.to_owned())
    }
}

fn command(record: &Record<'_>) -> Option<Command> {
    Some(Command {
        aggregate: record.key()?.to_owned(),
        request: record.header("ce_requestid")?.to_owned(),
        fingerprint: record.header("ce_fingerprint")?.to_owned(),
        nonce: record.number("ce_nonce")?,
        command: record.name()?,
        data: record.text()?,
        expected_sequence: record.number("ce_expectedsequence"),
        deadline: record.time("ce_deadline"),
        time: record.time("ce_time")?,
    })
}

fn event(place: Place, record: &Record<'_>) -> Option<Event> {
    let event = Happened {
        sequence: record.number("ce_sequence")?,
        name: record.name()?,
        data: record.text()?,
        time: record.time("ce_time")?,
    };
    let request = record.header("ce_requestid")?.to_owned();
    Some(Event { place, aggregate: record.key()?.to_owned(), request, event })
}

/// The key of a letter is `topic:partition:offset`.
fn letter(record: &Record<'_>) -> Option<Letter> {
    let mut parts = record.key()?.splitn(3, ':');
    let (topic, partition, offset) = (parts.next()?, parts.next()?, parts.next()?);
    let place = Place { partition: partition.parse().ok()?, offset: offset.parse().ok()? };
    let tenant = record.header("ce_source")?.rsplit_once('/')?.1;
    let named = record.header("ce_subject").zip(record.header("ce_requestid"));
    let named = named.map(|(about, request)| (format!("{tenant}/{about}"), request.to_owned()));
    let code = record.header("ce_code")?.to_owned();
    Some(Letter { topic: topic.to_owned(), place, named, code })
}
