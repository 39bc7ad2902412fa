//! Traces: where the spans of this process go, if anywhere.

use std::sync::Arc;

use anyhow::Context as _;
use ordain_otlp::{Exporting, Otlp, Started};
use ordain_ports::{NoSpans, Spans};

use crate::Configuration;
use crate::roles::Role;

/// What sends the spans of this process.
#[derive(Debug)]
pub(crate) struct Telemetry(Option<Exporting>);

impl Telemetry {
    /// Begins to export spans, if it is configured where to; and gives what takes them.
    ///
    /// # Errors
    /// What is configured cannot be used.
    pub(crate) fn start(
        configuration: &Configuration,
        roles: &[Role],
    ) -> anyhow::Result<(Self, Arc<dyn Spans>)> {
        let names: Vec<&str> = roles.iter().map(|role| role.name()).collect();
        let attributes = [
            ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
            ("service.instance.id", uuid::Uuid::new_v4().to_string()),
            ("ordain.roles", names.join(",")),
        ];
        let started = Otlp::start(&configuration.telemetry, attributes).context(
            "spans cannot be exported (telemetry.otlp_endpoint, \
             ORDAIN_TELEMETRY__OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT)",
        )?;
        Ok(match started {
            Some(Started { spans, exporting }) => (Self(Some(exporting)), spans),
            None => (Self(None), Arc::new(NoSpans)),
        })
    }

    /// Waits until the last spans are sent, within the limit.
    pub(crate) async fn end(self) {
        if let Some(exporting) = self.0 {
            exporting.end().await;
        }
    }
}
