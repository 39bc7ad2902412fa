//! Spans to an OpenTelemetry collector, by OTLP over HTTP.
//!
//! A span that is over goes into a queue; a task takes batches out of it and sends them. What finds
//! no room, and what the collector does not take, is dropped and counted: nothing waits for it.

mod client;
mod exporting;
mod otlp;
mod settings;
mod span_data;

pub use exporting::Exporting;
pub use otlp::{Otlp, StartError, Started};
pub use settings::Settings;
