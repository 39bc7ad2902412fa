//! How a process reaches Kafka, and the limits of all that it has with it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How a process reaches Kafka, and the limits of all that it has with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Some of the brokers, `host:port` separated by commas; the others are learned from them.
    pub bootstrap_servers: String,
    /// What the names of all topics and groups begin with, so that fleets can share brokers.
    /// Not read from a configuration: a fleet has one prefix, and whoever connects gives it.
    #[serde(skip)]
    pub prefix: String,
    /// What the connections are secured by.
    pub security: Security,
    /// How this process proves who it is, where `security` is one of the `sasl` kinds.
    pub mechanism: Mechanism,
    /// As whom, where `security` is one of the `sasl` kinds.
    pub username: String,
    /// The file that holds the password, and nothing else but white space around it.
    pub password_file: Option<PathBuf>,
    /// The environment variable that holds the password, where no file does.
    pub password_variable: Option<String>,
    /// The certificates of those who may vouch for a broker, PEM; those of the system when unset.
    pub authorities_file: Option<PathBuf>,
    /// The certificate that this process shows to the brokers, PEM.
    pub certificate_file: Option<PathBuf>,
    /// The key of that certificate, PEM, without a password.
    pub key_file: Option<PathBuf>,
    /// How records are compressed.
    pub compression: Compression,
    /// A command that is not acknowledged after this time is given up: its delivery is unknown.
    pub produce_ms_max: u64,
    /// So many commands may wait to be sent.
    pub produce_queue_records_max: u32,
    /// So much of them may wait to be sent, in kibibytes.
    pub produce_queue_kib_max: u32,
    /// Events that are not acknowledged after this time are published anew.
    pub publish_ms_max: u64,
    /// The largest record that is sent.
    pub record_bytes_max: u32,
    /// How the members of a group agree on who has which partition.
    pub group_protocol: GroupProtocol,
    /// The name of this process within its groups, by which it gets its partitions back when it is
    /// away for less than `session_ms`. Two processes must never have the same.
    pub instance: Option<String>,
    /// A member that is silent for so long has lost its partitions. With the group protocol
    /// `consumer` the brokers set what counts for the group.
    pub session_ms: u64,
    /// How often a member tells that it is there; so soon it also learns that partitions move.
    pub heartbeat_ms: u64,
    /// So long may a lane that was revoked go on before it is fenced.
    pub revoke_ms_max: u64,
    /// So long after progress was sent to be saved the next is sent, with all that has come up
    /// meanwhile: the brokers write each down, and lanes publish and fold more at a time.
    pub save_pause_ms: u64,
    /// So long is saving progress tried again while the group is being shared out anew.
    pub save_ms_max: u64,
    /// So soon are new partitions noticed.
    pub metadata_ms_max: u64,
    /// A request that a broker does not answer for so long is broken off.
    pub request_ms_max: u64,
    /// So long may a broker keep a fetch that has nothing to bring.
    pub fetch_wait_ms_max: u64,
    /// So many records of one partition may be fetched ahead.
    pub fetch_queue_records_max: u32,
    /// So much of one partition may be fetched ahead, in kibibytes.
    pub fetch_queue_kib_max: u32,
    /// So many records may wait in one lane.
    pub lane_records_max: usize,
    /// So much may wait in one lane.
    pub lane_bytes_max: usize,
}

/// What connections are secured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// Nothing.
    #[default]
    Plaintext,
    /// TLS.
    Ssl,
    /// A password, over a connection that anyone on the way can read.
    SaslPlaintext,
    /// A password, over TLS.
    SaslSsl,
}

/// How a process proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mechanism {
    /// The password itself.
    Plain,
    /// A proof that it has the password.
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    /// A proof that it has the password.
    #[default]
    #[serde(rename = "scram-sha-512")]
    ScramSha512,
}

/// How records are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// By lz4.
    Lz4,
    /// By zstd; needs a build with the feature `zstd`.
    Zstd,
}

/// How the members of a group agree on who has which partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupProtocol {
    /// Among themselves, each keeping what it has where it can.
    #[default]
    Classic,
    /// The brokers say (KIP-848); needs brokers of version 4.0 or later.
    Consumer,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bootstrap_servers: "127.0.0.1:9092".to_owned(),
            prefix: "ordain".to_owned(),
            security: Security::default(),
            mechanism: Mechanism::default(),
            username: String::new(),
            password_file: None,
            password_variable: None,
            authorities_file: None,
            certificate_file: None,
            key_file: None,
            compression: Compression::default(),
            produce_ms_max: 10_000,
            produce_queue_records_max: 100_000,
            produce_queue_kib_max: 131_072,
            publish_ms_max: 60_000,
            record_bytes_max: (2 << 20) + (64 << 10),
            group_protocol: GroupProtocol::default(),
            instance: None,
            session_ms: 6_000,
            heartbeat_ms: 500,
            revoke_ms_max: 10_000,
            save_pause_ms: 10,
            save_ms_max: 30_000,
            metadata_ms_max: 3_000,
            request_ms_max: 10_000,
            fetch_wait_ms_max: 100,
            fetch_queue_records_max: 10_000,
            fetch_queue_kib_max: 8_192,
            lane_records_max: 10_000,
            lane_bytes_max: 8 << 20,
        }
    }
}
