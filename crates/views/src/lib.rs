//! The projector: events in, rows out.
//!
//! A [`View`] says, purely, which rows an event touches and what becomes of each. The
//! [`Projector`] follows the log of events and writes those rows so that they never go back,
//! never miss an event and never take one twice, whatever crashes, repeats, gaps and other
//! projectors of the same view come in between.

mod accounts;
mod backoff;
mod cleaner_jobs;
mod job_requests;
mod projector;
mod settings;
mod view;

pub use accounts::Accounts;
pub use cleaner_jobs::CleanerJobs;
pub use job_requests::JobRequests;
pub use projector::{Ports, Projector, ReportStop};
pub use settings::Settings;
pub use view::{Change, View, views};
