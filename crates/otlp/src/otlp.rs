//! The port: gives places in traces, and takes spans that are over.

use std::fmt;
use std::io;
use std::num::{NonZeroU64, NonZeroU128};
use std::sync::Arc;
use std::time::Duration;

use metrics::Counter;
use opentelemetry::KeyValue;
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter as _;
use ordain_model::TraceContext;
use ordain_ports::{Span, Spans};
use thiserror::Error;
use tokio::sync::mpsc;

use crate::client::Client;
use crate::exporting::{Exporting, lost};
use crate::{Settings, exporting};

/// The name of the service, where `OTEL_SERVICE_NAME` gives none.
const SERVICE: &str = "ordain";

/// Gives places in traces, and takes spans that are over.
pub struct Otlp {
    queue: mpsc::Sender<Span>,
    root_ratio: f64,
    lost: Counter,
}

/// What has been started.
pub struct Started {
    /// Where spans go.
    pub spans: Arc<dyn Spans>,
    /// What sends them.
    pub exporting: Exporting,
}

/// Why nothing can be exported.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address or one of the standard variables cannot be used.
    #[error("{0}")]
    Configuration(#[from] ExporterBuildError),
    /// It is not known whom to trust.
    #[error("whom the system trusts cannot be read: {0}")]
    Trust(#[from] io::Error),
}

impl Otlp {
    /// Begins to export, if it is configured where to. Does not look whether anybody is there.
    /// `attributes` tell this process from others. Metrics go to the recorder that is installed
    /// now.
    ///
    /// # Errors
    /// What is configured cannot be used.
    pub fn start(
        settings: &Settings,
        attributes: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<Option<Started>, StartError> {
        let variable = |name: &str| std::env::var(name).ok();
        let Some(endpoint) = settings.endpoint(variable) else { return Ok(None) };
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new(&endpoint)?)
            .with_endpoint(endpoint)
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(Duration::from_millis(settings.export_ms_max))
            .build()?;
        exporter.set_resource(&resource(attributes));
        let (queue, spans) = mpsc::channel(settings.queue_spans_max);
        let otlp = Self { queue, root_ratio: settings.root_ratio, lost: lost("queue") };
        let exporting = exporting::start(exporter, spans, settings);
        Ok(Some(Started { spans: Arc::new(otlp), exporting }))
    }
}

fn resource(attributes: impl IntoIterator<Item = (&'static str, String)>) -> Resource {
    let attributes = attributes.into_iter().map(|(name, value)| KeyValue::new(name, value));
    let builder = Resource::builder().with_attributes(attributes);
    match std::env::var_os("OTEL_SERVICE_NAME") {
        Some(_) => builder.build(),
        None => builder.with_service_name(SERVICE).build(),
    }
}

impl Spans for Otlp {
    fn child(&self, parent: TraceContext) -> Option<TraceContext> {
        parent.is_sampled().then(|| parent.with_span(span_id()))
    }

    fn root(&self) -> Option<TraceContext> {
        if self.root_ratio <= 0.0 || fastrand::f64() >= self.root_ratio {
            return None;
        }
        let trace = NonZeroU128::new(uuid::Uuid::new_v4().as_u128())?;
        Some(TraceContext::new(trace, span_id(), true))
    }

    fn record(&self, span: Span) {
        if self.queue.try_send(span).is_err() {
            self.lost.increment(1);
        }
    }
}

fn span_id() -> NonZeroU64 {
    NonZeroU64::new(fastrand::u64(1..)).unwrap_or(NonZeroU64::MIN)
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started").field("exporting", &self.exporting).finish_non_exhaustive()
    }
}

impl fmt::Debug for Otlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Otlp").field("root_ratio", &self.root_ratio).finish_non_exhaustive()
    }
}
