//! The log of requests as its writers see it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use ordain_model::{Command, Timestamp};
use ordain_ports::{
    CommandLog, Delivered, Delivery, DeliveryPromise, Error, NotAccepted, partition_of,
};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::task::spawn_blocking;

pub(crate) use self::lookups::{Lookups, offset};
use crate::fault::Fault;
use crate::kafka::Kafka;
use crate::producer::{Listener, Outgoing, Told, is_full};
use crate::record::command_headers;

mod lookups;

/// Fulfils the promise of a delivery.
pub(crate) struct Awaited(DeliveryPromise);

impl Listener for Awaited {
    fn tell(self, told: Told) {
        self.0.fulfil(match told {
            Ok(position) => Delivered::At(position),
            Err(error) if was_never_sent(&error) => {
                metrics::counter!("ordain_kafka_commands_not_delivered").increment(1);
                Delivered::Not(NotAccepted::Full)
            }
            Err(error) => {
                metrics::counter!("ordain_kafka_commands_unknown").increment(1);
                tracing::debug!(%error, "kafka_delivery_unknown");
                Delivered::Unknown
            }
        });
    }
}

/// Whether the error says that the record is not in the log and never will be. The driver's binding
/// does not give out what the driver knows of a record that timed out, so of all that may have been
/// sent once, nothing is known.
fn was_never_sent(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::MessageSizeTooLarge
                | Code::MessageBatchTooLarge
                | Code::UnknownPartition
                | Code::InvalidRecord
                | Code::InvalidTimestamp
        )
    )
}

#[async_trait]
impl CommandLog for Kafka {
    fn append(&self, command: Command) -> Result<Delivery, NotAccepted> {
        let inner = &self.inner;
        let partition = partition_of(&command.aggregate, inner.partitions.load(Ordering::Acquire));
        let (promise, delivery) = Delivery::new();
        let record = || Outgoing {
            topic: &inner.topics.requests,
            partition: Some(partition),
            key: command.aggregate.as_str(),
            value: command.data.as_str().as_bytes(),
            headers: command_headers(&command),
        };
        match inner.commands.send(record, Awaited(promise)) {
            Ok(()) => Ok(delivery),
            Err((error, _)) => {
                if is_full(&error) {
                    metrics::counter!("ordain_kafka_commands_refused").increment(1);
                } else {
                    tracing::warn!(%error, "kafka_command_refused");
                }
                Err(NotAccepted::Full)
            }
        }
    }

    async fn ends(&self) -> Result<Vec<u64>, Error> {
        self.look(Lookups::ends).await
    }

    async fn progress(&self) -> Result<Vec<Option<u64>>, Error> {
        self.look(Lookups::progress).await
    }

    async fn prune(&self, before: Timestamp) -> Result<(), Error> {
        let below = self.look(move |lookups| lookups.prunable(before)).await?;
        let lookups = Arc::clone(&self.inner.lookups);
        Ok(lookups.delete(&below).await?)
    }
}

impl Kafka {
    /// Asks the brokers, on a thread that may wait.
    async fn look<T, F>(&self, question: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Lookups) -> Result<T, Fault> + Send + 'static,
    {
        let lookups = Arc::clone(&self.inner.lookups);
        let answer = spawn_blocking(move || {
            let answer = question(&lookups);
            lookups.drain();
            answer
        });
        // The driver keeps to its own limit; this one is for when it does not.
        let limit = Duration::from_millis(self.inner.settings.request_ms_max * 3);
        match tokio::time::timeout(limit, answer).await {
            Ok(answer) => Ok(answer.map_err(|_| Fault::BrokenOff)??),
            Err(_) => {
                let ms = self.inner.settings.request_ms_max * 3;
                Err(Fault::Late { what: "a question to the brokers", ms }.into())
            }
        }
    }
}
