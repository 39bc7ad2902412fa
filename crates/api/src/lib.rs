//! HTTP in; log, outcomes and views behind it.

mod document;
mod problem;
mod settings;
mod state;
mod writer;

pub use problem::{Problem, ProblemKind};
pub use settings::Settings;
pub use state::{Api, Liveness, Parts, Ports, Readiness, RenderMetrics, ViewInfo};
