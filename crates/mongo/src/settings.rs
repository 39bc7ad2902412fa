//! What can be set of the stores in MongoDB.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What can be set of the stores in MongoDB. Holds no secret: only where one is to be found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where the replica set or the routers are: `mongodb://host:port,host:port/?replicaSet=name`
    /// or `mongodb+srv://…`. A URL with a user or a password in it is refused.
    pub url: String,
    /// The database; two fleets with different prefixes share servers. 1 to 48 characters of
    /// `a-z 0-9 - _`.
    /// Not read from a configuration: a fleet has one prefix, and whoever connects gives it.
    #[serde(skip)]
    pub prefix: String,
    /// The user to authenticate as; nobody, without one.
    pub username: Option<String>,
    /// The file that holds the user's password; a line end behind it is not part of it.
    pub password_file: Option<PathBuf>,
    /// The environment variable that holds the user's password.
    pub password_variable: Option<String>,
    /// The database that knows the user.
    pub authentication_database: String,
    /// The certificates (PEM) of who may have signed the servers' certificates. Turns TLS on, as
    /// does `tls=true` in the URL; without a file the usual authorities are trusted.
    pub tls_ca_file: Option<PathBuf>,
    /// The client's own certificate and key (PEM, both in one file), where the servers want one.
    pub tls_certificate_key_file: Option<PathBuf>,
    /// Connections to one server at most; what finds none free waits, at most `send_ms_max`. Of
    /// several, one is kept for heartbeats.
    pub pool_connections_max: u32,
    /// How long a call waits for a primary. What finds none was not sent.
    pub server_selection_ms_max: u64,
    /// How long a new connection may take.
    pub connect_ms_max: u64,
    /// How often every server is asked how it is. One that has not answered after that time and
    /// `connect_ms_max` is given up, and with it what is under way there.
    pub heartbeat_ms: u64,
    /// How long after a call began its commands may still be sent: to what a deadline is kept, and
    /// to `connect_ms_max` beside it where a connection has to be made first. At least 1.
    pub send_ms_max: u64,
    /// How long a majority may take to acknowledge a write before its result counts as unknown.
    pub acknowledge_ms_max: u64,
    /// How long a call waits for an answer before its result counts as unknown.
    pub operation_ms_max: u64,
    /// How long a heartbeat may take to be written, and all of them to be read.
    pub beat_ms_max: u64,
    /// Documents in one command at most; the server takes up to 100,000.
    pub command_documents_max: usize,
    /// Bytes of the documents in one command at most, but for a single document, which may be as
    /// large as the server takes it (16 MiB, as its commands).
    pub command_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: "mongodb://127.0.0.1:27017".to_owned(),
            prefix: "ordain".to_owned(),
            username: None,
            password_file: None,
            password_variable: None,
            authentication_database: "admin".to_owned(),
            tls_ca_file: None,
            tls_certificate_key_file: None,
            pool_connections_max: 64,
            server_selection_ms_max: 2_000,
            connect_ms_max: 2_000,
            heartbeat_ms: 2_000,
            send_ms_max: 1_000,
            acknowledge_ms_max: 5_000,
            operation_ms_max: 10_000,
            beat_ms_max: 2_000,
            command_documents_max: 10_000,
            command_bytes_max: 15 << 20,
        }
    }
}
