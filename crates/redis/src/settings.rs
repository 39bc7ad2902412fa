//! Where Redis is, how to log in there, and the limits.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What can be set of the replies over Redis. Holds no secrets, only where they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `redis://host:port`, or `rediss://host:port` for TLS; a database number may follow as
    /// `/1`. A password in it is refused.
    pub url: String,
    /// The user to log in as. The default user when unset.
    pub username: Option<String>,
    /// The file that holds the password; white space around it does not count. It is read again
    /// for every connection.
    pub password_file: Option<PathBuf>,
    /// The environment variable that holds the password, unless a file is named.
    pub password_variable: Option<String>,
    /// The certificates, in PEM, one of which must have signed the server's; those of the system
    /// when unset.
    pub tls_ca_file: Option<PathBuf>,
    /// Begins the names of all channels, so that several fleets can share a server: letters,
    /// digits, `.`, `_` and `-`.
    /// Not read from a configuration: a fleet has one prefix, and whoever connects gives it.
    #[serde(skip)]
    pub prefix: String,
    /// Replies that may wait to be sent; more are dropped, and their receivers told so.
    pub queue_replies_max: usize,
    /// Bytes of replies that may wait to be sent; more are dropped, and their receivers told so.
    pub queue_bytes_max: usize,
    /// How often an idle connection is asked whether it still lives.
    pub ping_ms: u64,
    /// How long connecting may take, login and all.
    pub connect_ms_max: u64,
    /// How long any one answer of the server may take; then the connection counts as broken.
    pub response_ms_max: u64,
    /// The longest pause between two tries to connect again.
    pub backoff_ms_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379".to_owned(),
            username: None,
            password_file: None,
            password_variable: None,
            tls_ca_file: None,
            prefix: "ordain".to_owned(),
            queue_replies_max: 65_536,
            queue_bytes_max: 32 << 20,
            ping_ms: 1_000,
            connect_ms_max: 5_000,
            response_ms_max: 2_000,
            backoff_ms_max: 1_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_does_not_exist_is_refused() {
        assert!(serde_json::from_str::<Settings>(r#"{"ping_ms": 3}"#).is_ok());
        assert!(serde_json::from_str::<Settings>(r#"{"ping": 3}"#).is_err());
        assert!(serde_json::from_str::<Settings>(r#"{"password": "x"}"#).is_err());
    }
}
