//! Producers: what each is told about what it has sent.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message as _, OwnedHeaders};
use rdkafka::producer::{
    BaseRecord, Producer as _, ProducerContext, PurgeConfig, ThreadedProducer,
};

use ordain_ports::Position;

use crate::broker;
use crate::fault::Fault;

/// What became of a record that was enqueued.
pub(crate) type Told = Result<Position, KafkaError>;

/// Is told, once, what became of a record. Called on the driver's thread: it only hands over.
pub(crate) trait Listener: Send + Sync + 'static {
    fn tell(self, told: Told);
}

/// Passes on what became of each record.
pub(crate) struct Deliveries<L>(std::marker::PhantomData<fn(L)>);

impl<L: Listener> ClientContext for Deliveries<L> {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        broker::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        broker::report(&error, reason);
    }
}

impl<L: Listener> ProducerContext for Deliveries<L> {
    type DeliveryOpaque = Box<L>;

    fn delivery(&self, result: &DeliveryResult<'_>, listener: Box<L>) {
        listener.tell(match result {
            Ok(message) => Ok(Position {
                partition: u32::try_from(message.partition()).unwrap_or_default(),
                offset: u64::try_from(message.offset()).unwrap_or_default(),
            }),
            Err((error, _)) => Err(error.clone()),
        });
    }
}

/// A record to be sent.
pub(crate) struct Outgoing<'a> {
    pub(crate) topic: &'a str,
    /// Where the producer is to choose: by the key.
    pub(crate) partition: Option<u32>,
    pub(crate) key: &'a str,
    pub(crate) value: &'a [u8],
    pub(crate) headers: OwnedHeaders,
}

/// A producer with a thread of its own that hears what became of what it has sent.
pub(crate) struct Producer<L: Listener> {
    client: Option<ThreadedProducer<Deliveries<L>>>,
    /// Whether it takes nothing any more. Held for reading while something is enqueued, so that
    /// nothing is enqueued behind what was purged.
    closed: RwLock<bool>,
}

impl<L: Listener> Producer<L> {
    pub(crate) fn new(config: &ClientConfig) -> Result<Self, Fault> {
        let context = Deliveries(std::marker::PhantomData);
        let made = config.create_with_context(context).map_err(Fault::of("making a producer"))?;
        Ok(Self { client: Some(made), closed: RwLock::new(false) })
    }

    /// Enqueues a record. An error means that it was not enqueued, and gives the listener back.
    pub(crate) fn send(&self, record: Outgoing<'_>, listener: L) -> Result<(), (KafkaError, L)> {
        let closed = self.closed.read().unwrap_or_else(PoisonError::into_inner);
        let Some(producer) = self.client.as_ref().filter(|_| !*closed) else {
            return Err((KafkaError::Canceled, listener));
        };
        let mut message = BaseRecord::with_opaque_to(record.topic, Box::new(listener))
            .key(record.key)
            .payload(record.value)
            .headers(record.headers);
        message.partition = record.partition.and_then(|number| i32::try_from(number).ok());
        producer.send(message).map_err(|(error, message)| (error, *message.delivery_opaque))
    }

    /// The driver's client, for questions.
    pub(crate) fn client(&self) -> Option<&rdkafka::client::Client<Deliveries<L>>> {
        self.client.as_ref().map(rdkafka::producer::Producer::client)
    }

    fn is_broken(&self) -> bool {
        *self.closed.read().unwrap_or_else(PoisonError::into_inner)
            || self.client().is_none_or(|client| client.fatal_error().is_some())
    }

    /// Takes nothing any more and gives up what it has not sent.
    fn close(&self) {
        *self.closed.write().unwrap_or_else(PoisonError::into_inner) = true;
        if let Some(client) = &self.client {
            client.purge(PurgeConfig::default().queue().inflight());
        }
    }
}

impl<L: Listener> Drop for Producer<L> {
    /// Ending a producer takes its time, which no task has; a thread of its own has.
    fn drop(&mut self) {
        if let Some(producer) = self.client.take() {
            let thread = std::thread::Builder::new().name("kafka-producer-end".to_owned());
            // Where no thread can be had, the closure and the producer in it are dropped here.
            drop(thread.spawn(move || drop(producer)));
        }
    }
}

/// A producer that is replaced once it is broken or discarded.
pub(crate) struct Replaceable<L: Listener> {
    config: ClientConfig,
    current: Mutex<Arc<Producer<L>>>,
}

impl<L: Listener> Replaceable<L> {
    pub(crate) fn new(config: ClientConfig) -> Result<Self, Fault> {
        let current = Mutex::new(Arc::new(Producer::new(&config)?));
        Ok(Self { config, current })
    }

    pub(crate) fn current(&self) -> Arc<Producer<L>> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces this one, if nobody has yet. What it has not sent, it never sends.
    pub(crate) fn discard(&self, broken: &Arc<Producer<L>>) -> Result<(), Fault> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&current, broken) {
            broken.close();
            *current = Arc::new(Producer::new(&self.config)?);
            metrics::counter!("ordain_kafka_producers_discarded").increment(1);
            tracing::warn!("kafka_producer_discarded");
        }
        Ok(())
    }

    /// Enqueues a record; a producer that takes nothing any more is replaced for it.
    pub(crate) fn send<'a>(
        &self,
        record: impl Fn() -> Outgoing<'a>,
        listener: L,
    ) -> Result<(), (KafkaError, L)> {
        let producer = self.current();
        match producer.send(record(), listener) {
            Err((_, listener)) if producer.is_broken() => {
                if let Err(fault) = self.discard(&producer) {
                    tracing::warn!(%fault, "kafka_producer_not_replaced");
                }
                self.current().send(record(), listener)
            }
            sent => sent,
        }
    }
}

/// Whether an error means that the queue is full.
pub(crate) fn is_full(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    impl Listener for mpsc::Sender<Told> {
        fn tell(self, told: Told) {
            self.send(told).unwrap();
        }
    }

    fn record() -> Outgoing<'static> {
        Outgoing {
            topic: "t",
            partition: Some(0),
            key: "k",
            value: b"{}",
            headers: OwnedHeaders::new(),
        }
    }

    #[test]
    fn a_discarded_producer_gives_up_what_it_has_and_takes_nothing_more() {
        let mut config = ClientConfig::new();
        // Nobody answers there, so nothing is ever sent.
        config.set("bootstrap.servers", "127.0.0.1:9");
        let producers = Replaceable::new(config).unwrap();
        let (sender, told) = mpsc::channel();
        let old = producers.current();
        assert!(old.send(record(), sender.clone()).is_ok());
        producers.discard(&old).unwrap();
        let given_up = told.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(given_up.is_err(), "what was discarded was sent: {given_up:?}");
        assert!(old.send(record(), sender.clone()).is_err(), "sent behind what was given up");
        let new = producers.current();
        assert!(!Arc::ptr_eq(&old, &new));
        producers.discard(&old).unwrap();
        assert!(Arc::ptr_eq(&new, &producers.current()), "discarded twice for one failure");
        assert!(producers.send(record, sender).is_ok());
    }
}
