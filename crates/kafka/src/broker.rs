//! What every client of the brokers has in common: where they are, how they are reached, and what
//! becomes of the driver's log.

use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::fault::Fault;
use crate::settings::{Compression, Mechanism, Security, Settings};

/// Clients with nothing of their own to be called with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain;

impl ClientContext for Plain {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        report(&error, reason);
    }
}

impl rdkafka::consumer::ConsumerContext for Plain {}

/// A line of the driver's own log. It heals by itself what it complains of, so nothing of it asks
/// for an operator.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        // What it thinks of settings that are chosen in here; the same at every start.
        _ if facility == "CONFWARN" => tracing::debug!(facility, message, "kafka_driver_told"),
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning => tracing::warn!(facility, message, "kafka_driver_warned"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::info!(facility, message, "kafka_driver_told");
        }
        RDKafkaLogLevel::Debug => tracing::debug!(facility, message, "kafka_driver_told"),
    }
}

/// An error that concerns a client as a whole.
pub(crate) fn report(error: &KafkaError, reason: &str) {
    if is_said_again_and_again(error) {
        tracing::debug!(%error, reason, "kafka_client_failed");
    } else {
        tracing::warn!(%error, reason, "kafka_client_failed");
    }
}

/// While no broker can be reached every client says so many times a second. That each of them
/// cannot be reached is said, too, and seldom.
fn is_said_again_and_again(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown)
}

/// How every client reaches the brokers.
pub(crate) fn config(settings: &Settings) -> Result<ClientConfig, Fault> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &settings.bootstrap_servers)
        .set("client.id", "ordain")
        .set("security.protocol", protocol(settings.security))
        .set("socket.timeout.ms", settings.request_ms_max.to_string())
        .set("socket.nagle.disable", "true")
        .set("reconnect.backoff.max.ms", "1000")
        .set("topic.metadata.refresh.interval.ms", settings.metadata_ms_max.to_string())
        .set("allow.auto.create.topics", "false");
    for (key, file) in [
        ("ssl.ca.location", &settings.authorities_file),
        ("ssl.certificate.location", &settings.certificate_file),
        ("ssl.key.location", &settings.key_file),
    ] {
        if let Some(path) = file {
            config.set(key, path.to_string_lossy());
        }
    }
    if matches!(settings.security, Security::SaslPlaintext | Security::SaslSsl) {
        config
            .set("sasl.mechanism", mechanism(settings.mechanism))
            .set("sasl.username", &settings.username)
            .set("sasl.password", password(settings)?);
    }
    Ok(config)
}

/// How every producer sends: never twice, never out of order, and acknowledged by all replicas that
/// are in step.
pub(crate) fn producer_config(settings: &Settings) -> Result<ClientConfig, Fault> {
    let mut config = config(settings)?;
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "0")
        .set("partitioner", "murmur2_random")
        .set("compression.type", compression(settings.compression))
        .set("message.max.bytes", settings.record_bytes_max.to_string())
        .set("queue.buffering.max.messages", settings.produce_queue_records_max.to_string())
        .set("queue.buffering.max.kbytes", settings.produce_queue_kib_max.to_string());
    Ok(config)
}

/// How long a request may take.
pub(crate) const fn patience(settings: &Settings) -> Duration {
    Duration::from_millis(settings.request_ms_max)
}

fn password(settings: &Settings) -> Result<String, Fault> {
    let text = match (&settings.password_file, &settings.password_variable) {
        (Some(path), _) => std::fs::read_to_string(path)
            .map_err(|source| Fault::Secret { path: path.clone(), source })?,
        (None, Some(name)) => {
            std::env::var(name).map_err(|_| Fault::NoVariable(name.to_owned()))?
        }
        (None, None) => return Err(Fault::NoPassword),
    };
    Ok(text.trim().to_owned())
}

const fn protocol(security: Security) -> &'static str {
    match security {
        Security::Plaintext => "plaintext",
        Security::Ssl => "ssl",
        Security::SaslPlaintext => "sasl_plaintext",
        Security::SaslSsl => "sasl_ssl",
    }
}

const fn mechanism(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::Plain => "PLAIN",
        Mechanism::ScramSha256 => "SCRAM-SHA-256",
        Mechanism::ScramSha512 => "SCRAM-SHA-512",
    }
}

const fn compression(compression: Compression) -> &'static str {
    match compression {
        Compression::None => "none",
        Compression::Lz4 => "lz4",
        Compression::Zstd => "zstd",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_of_all_brokers_floods_no_log_but_is_told() {
        let all_down = KafkaError::Global(RDKafkaErrorCode::AllBrokersDown);
        assert!(is_said_again_and_again(&all_down));
        let one_down = KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure);
        assert!(!is_said_again_and_again(&one_down));
    }
}
