//! Decides from what a run of the system left behind whether the promises were kept.
//!
//! It is written against the promises, and shares no code with what it checks: it depends on no
//! other crate of this workspace. What clients saw is a [`history`]; what can be read back when
//! they have finished is [`evidence`]. The [`Checker`] takes both, line by line, and says every
//! [`Anomaly`] that it finds. The system states its own order, revisions; the checker takes that as
//! a witness and checks it, which takes time in proportion to what it is given. The search in
//! [`linear`] does not trust the witness, and is for short histories only.

pub mod anomaly;
pub mod evidence;
pub mod history;
pub mod linear;
pub mod ndjson;
pub mod reference;

mod check;
mod findings;
mod names;
mod outcome;
mod tables;

pub use anomaly::{Anomaly, Named, Place};
pub use check::{Checker, Demands, Report, Totals};
pub use outcome::{Outcome, Told};
