//! HTTP in; log, outcomes and views behind it.

mod body;
mod document;
mod frame;
mod history;
mod measured;
mod outcome;
mod path;
mod problem;
mod query;
mod routes;
#[cfg(test)]
mod scripted;
mod server;
mod settings;
#[cfg(test)]
mod staged;
mod state;
mod submit;
mod writer;

pub use problem::{Problem, ProblemKind};
pub use routes::{admin, public};
pub use server::{Drained, Server, Tls, TlsError, TlsSettings};
pub use settings::Settings;
pub use state::{Api, Liveness, Parts, Ports, Readiness, RenderMetrics, ViewInfo};
pub use submit::{
    Answered, Invalid, Refusal, Request, SubmitLimits, SubmitPorts, Submitter, Wait, created_id,
    new_request_id,
};
