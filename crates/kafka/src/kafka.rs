//! The entry: a process's connection to Kafka, and the ports on it.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::time::Duration;

use ordain_model::Command;
use ordain_ports::{CommandLog, EventLog, Feed, Published};
use tokio::task::spawn_blocking;

use crate::commands::{Awaited, Lookups};
use crate::fault::Fault;
use crate::feed::{Joining, Member, Members, ReportMember};
use crate::letters::DeadLetterTopic;
use crate::producer::{Listener, Producer, Replaceable};
use crate::topics::Topics;
use crate::{ConnectError, Settings, broker, topics};

/// A process's connection to Kafka. Cheap to clone; all clones are one connection.
#[derive(Clone)]
pub struct Kafka {
    pub(crate) inner: Arc<Inner>,
    report: ReportMember,
}

/// What all ports share.
pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) topics: Topics,
    pub(crate) commands: Replaceable<Awaited>,
    pub(crate) events: Replaceable<crate::events::Awaited>,
    pub(crate) lookups: Arc<Lookups>,
    /// How many partitions `requests` had when they were last counted.
    pub(crate) partitions: AtomicU32,
    /// How many partitions `finalevents` has, for good.
    pub(crate) event_partitions: u32,
    /// The members that have joined through this connection.
    members: Members,
    /// Dropped with the connection, which ends the thread that counts partitions.
    _counting: mpsc::Sender<()>,
}

impl Kafka {
    /// Connects: learns how many partitions there are, and checks that the topics will do.
    ///
    /// # Errors
    /// Why Kafka cannot be used so, for people.
    pub async fn connect(settings: &Settings) -> Result<Self, ConnectError> {
        let settings = settings.clone();
        let connecting = spawn_blocking(move || connect(settings));
        Ok(connecting.await.map_err(|_| Fault::BrokenOff)??)
    }

    /// The same, telling of the members that join through it whether the brokers let them.
    #[must_use]
    pub fn reporting(self, report: ReportMember) -> Self {
        Self { report, ..self }
    }

    /// Waits until every member that has joined through this connection is none any more, and the
    /// brokers know: what it had can go to others at once. A member leaves when its feed is told
    /// to, or dropped.
    pub async fn left(&self) {
        self.inner.members.gone().await;
    }

    /// The log of requests.
    #[must_use]
    pub fn command_log(&self) -> Arc<dyn CommandLog> {
        Arc::new(self.clone())
    }

    /// The log of events.
    #[must_use]
    pub fn event_log(&self) -> Arc<dyn EventLog> {
        Arc::new(self.clone())
    }

    /// The topic of dead letters.
    ///
    /// # Errors
    /// Why no producer can be made for it, for people.
    pub fn dead_letter_topic(&self) -> Result<DeadLetterTopic, ConnectError> {
        Ok(DeadLetterTopic::new(&self.inner.settings, &self.inner.topics)?)
    }

    /// Joins the workers' group on the log of requests.
    #[must_use]
    pub fn join_requests(&self) -> Box<dyn Feed<Command>> {
        let topics = &self.inner.topics;
        Box::new(Member::join(
            &self.joining((&topics.requests, self.partitions()), &topics.workers),
        ))
    }

    /// Joins a group on the log of events.
    #[must_use]
    pub fn join_events(&self, group: &str) -> Box<dyn Feed<Published>> {
        let topics = &self.inner.topics;
        Box::new(Member::join(
            &self.joining((&topics.finalevents, self.event_partitions()), &topics.group(group)),
        ))
    }

    fn joining<'a>(&'a self, of: (&'a str, u32), group: &'a str) -> Joining<'a> {
        let Inner { settings, members, .. } = self.inner.as_ref();
        let (topic, partitions) = of;
        Joining { settings, topic, group, partitions, report: &self.report, members }
    }

    /// How many partitions the log of requests had when they were last counted.
    #[must_use]
    pub fn partitions(&self) -> u32 {
        self.inner.partitions.load(Ordering::Acquire)
    }

    /// How many partitions the log of events has.
    #[must_use]
    pub fn event_partitions(&self) -> u32 {
        self.inner.event_partitions
    }
}

impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kafka").field("partitions", &self.partitions()).finish_non_exhaustive()
    }
}

fn connect(settings: Settings) -> Result<Kafka, Fault> {
    let topics = Topics::new(&settings.prefix);
    topics::check(&settings, &topics)?;
    let mut config = broker::producer_config(&settings)?;
    config.set("message.timeout.ms", settings.produce_ms_max.to_string());
    let commands = Replaceable::new(config)?;
    let events = Replaceable::new(crate::events::config(&settings)?)?;
    let patience = broker::patience(&settings);
    let partitions = count(&commands.current(), &topics.requests, patience)?;
    let event_partitions = count(&events.current(), &topics.finalevents, patience)?;
    let lookups = Arc::new(Lookups::new(&settings, &topics)?);
    let (counting, ended) = mpsc::channel();
    let every = Duration::from_millis(settings.metadata_ms_max);
    let inner = Arc::new(Inner {
        settings,
        topics,
        commands,
        events,
        lookups,
        partitions: AtomicU32::new(partitions),
        event_partitions,
        members: Members::default(),
        _counting: counting,
    });
    let counted = Arc::downgrade(&inner);
    std::thread::Builder::new()
        .name("kafka-partitions".to_owned())
        .spawn(move || keep_counting(&counted, &ended, every))
        .map_err(Fault::Thread)?;
    Ok(Kafka { inner, report: Arc::new(|_, _| ()) })
}

/// How many partitions a topic has. Asked through a producer, it also tells the producer.
fn count<L: Listener>(
    producer: &Producer<L>,
    topic: &str,
    patience: Duration,
) -> Result<u32, Fault> {
    let no_topic = || Fault::NoTopic(topic.to_owned());
    let client = producer.client().ok_or_else(no_topic)?;
    let metadata = client
        .fetch_metadata(Some(topic), patience)
        .map_err(Fault::of("counting the partitions of a topic"))?;
    let partitions = topics::partitions_of(&metadata, topic);
    partitions.filter(|count| *count > 0).ok_or_else(no_topic)
}

/// Counts the partitions of `requests` again and again: they may be raised at any time.
fn keep_counting(inner: &Weak<Inner>, ended: &mpsc::Receiver<()>, every: Duration) {
    while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
        let Some(inner) = inner.upgrade() else { return };
        inner.lookups.drain();
        let patience = broker::patience(&inner.settings);
        match count(&inner.commands.current(), &inner.topics.requests, patience) {
            Ok(partitions) => inner.raise_to(partitions),
            Err(fault) => tracing::warn!(%fault, "kafka_partitions_not_counted"),
        }
    }
}

impl Inner {
    /// There are so many partitions; never fewer than before.
    fn raise_to(&self, partitions: u32) {
        let before = self.partitions.fetch_max(partitions, Ordering::AcqRel);
        if before < partitions {
            tracing::info!(before, partitions, "kafka_partitions_raised");
        }
    }
}
