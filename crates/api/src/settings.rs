//! The limits of the API: on bytes, time and number of everything that a client can send or wait
//! for.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::SubmitLimits;
use crate::server::TlsSettings;

/// The limits of the API. Everything that fills up has one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Those of commands on their way.
    pub submit: SubmitLimits,
    /// The certificate of the listeners.
    pub tls: TlsSettings,
    /// The largest body of a single command.
    pub body_bytes_max: usize,
    /// How long a body may take to arrive.
    pub body_ms_max: u64,
    /// How much of a body that is too large is read and thrown away, so that a client that is
    /// still sending sees the answer and not a broken connection.
    pub body_discard_bytes_max: usize,
    /// The largest sum of request line and headers.
    pub header_bytes_max: usize,
    /// The most headers of one request.
    pub headers_max: usize,
    /// How long a connection may take until the header of its next request is there, counted from
    /// its beginning or its last answer: it ends silent, slow and idle connections alike.
    pub header_ms_max: u64,
    /// The most connections of one listener; more wait in the backlog of the system.
    pub connections_max: u32,
    /// How long a client waits that does not say how long.
    pub wait_ms_default: u64,
    /// The longest that any client waits, whatever it says.
    pub wait_ms_max: u64,
    /// The largest JSON array of commands.
    pub batch_bytes_max: usize,
    /// The most commands in a JSON array.
    pub batch_commands_max: usize,
    /// The most commands of one batch that wait for their outcome at a time.
    pub batch_in_flight_max: usize,
    /// How many events a page holds when the client does not say.
    pub page_events_default: usize,
    /// The most events on a page.
    pub page_events_max: usize,
    /// How many rows or dead letters a page holds when the client does not say.
    pub page_rows_default: usize,
    /// The most rows or dead letters on a page.
    pub page_rows_max: usize,
    /// The size at which a page ends early, having at least one item.
    pub page_bytes_max: usize,
    /// The first pause between two questions whether a view has reached a receipt; it doubles.
    pub view_poll_ms_first: u64,
    /// The longest pause between two such questions.
    pub view_poll_ms_max: u64,
    /// How long a dependency may take to show that it is there.
    pub ready_ms_max: u64,
    /// How long requests in flight may take to finish once the server stops.
    pub drain_ms_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            submit: SubmitLimits::default(),
            tls: TlsSettings::default(),
            body_bytes_max: 1 << 20,
            body_ms_max: 30_000,
            body_discard_bytes_max: 4 << 20,
            header_bytes_max: 16 << 10,
            headers_max: 64,
            header_ms_max: 30_000,
            connections_max: 10_000,
            wait_ms_default: 5_000,
            wait_ms_max: 60_000,
            batch_bytes_max: 16 << 20,
            batch_commands_max: 10_000,
            batch_in_flight_max: 256,
            page_events_default: 100,
            page_events_max: 1_000,
            page_rows_default: 100,
            page_rows_max: 1_000,
            page_bytes_max: 8 << 20,
            view_poll_ms_first: 2,
            view_poll_ms_max: 100,
            ready_ms_max: 1_000,
            drain_ms_max: 10_000,
        }
    }
}

impl Settings {
    /// How long a client waits that asks for so many milliseconds, or does not ask.
    #[must_use]
    pub fn wait(&self, asked_ms: Option<u64>) -> Duration {
        Duration::from_millis(asked_ms.unwrap_or(self.wait_ms_default).min(self.wait_ms_max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_bounded_and_has_a_default() {
        let settings = Settings { wait_ms_default: 5, wait_ms_max: 9, ..Settings::default() };
        assert_eq!(settings.wait(None), Duration::from_millis(5));
        assert_eq!(settings.wait(Some(0)), Duration::ZERO);
        assert_eq!(settings.wait(Some(10)), Duration::from_millis(9));
    }

    #[test]
    fn a_setting_that_does_not_exist_is_refused() {
        assert!(serde_json::from_str::<Settings>(r#"{"headers_max":3}"#).is_ok());
        assert!(serde_json::from_str::<Settings>(r#"{"headers":3}"#).is_err());
    }
}
