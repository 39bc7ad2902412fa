//! A load generator that checks what it measures: deposits of 1 to accounts of a running server,
//! closed loop or open, and after it the question whether every account holds what was answered to
//! be deposited.
//!
//! It knows of ordain what every HTTP client knows: it depends on no other crate of this
//! workspace. Requests are written and read with as little as can be, for the generator often takes
//! its time from the same processors as the server.

mod accounts;
mod arrivals;
mod client;
mod http;
mod load;
mod picture;
mod plan;
mod recorder;
mod report;
mod run;
#[cfg(test)]
mod tests;
mod text;

pub use load::load;
pub use picture::draw;
pub use plan::{Plan, Workload};
pub use recorder::{Counts, Load};
pub use report::{Checked, Latency, Report};
pub use run::{Error, Stage, funds, run};
